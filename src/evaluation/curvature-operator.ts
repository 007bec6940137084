import { hessianVectorProduct } from "../calculus/hessian-vector-product.ts";
import type { Batch } from "../data/dataset.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Curvature, CurvatureOperator } from "../measures/measure.ts";
import type { RuntimeArray, Session } from "../runtime/session.ts";
import type { Prepared } from "./prepare.ts";
import { feedsOf, type RunOptions, type Source } from "./run.ts";

const WEIGHTS: ValueId = "flatness/sample-weights";

/** A layer's weights in a vector: at `offset`, and where each stands in the initializer. */
interface Block {
  readonly initializer: ValueId;
  readonly offset: number;
  readonly places: Int32Array;
  readonly dims: readonly number[];
}

/**
 * Opens the curvature matrix of some layers' weights as an operator, and closes it when `run` is done.
 *
 * @param terms how many loss terms the samples have together: the matrix is of their mean
 */
export async function withOperator<T>(
  prepared: Prepared,
  layers: readonly Layer[],
  curvature: Curvature,
  source: Source,
  terms: number,
  options: RunOptions,
  run: (operator: CurvatureOperator) => Promise<T>,
): Promise<T> {
  const { b, batch } = prepared;
  const blocks = blocksOf(prepared, layers);
  const vectors = new Map(
    blocks.map(({ initializer, dims }) => [initializer, b.input(`flatness/v ${initializer}`, "float32", dims)]),
  );
  const weights = b.input(WEIGHTS, "float32", [batch]);
  const products = hessianVectorProduct(b, prepared, vectors, weights, curvature === "gauss-newton");
  const graph = b.graph(new Map([...products].map(([initializer, value]) => [`flatness/Hv ${initializer}`, value])));
  const inputs = new Set(graph.inputs.map((input) => input.name));
  const size = blocks.reduce((sum, block) => sum + block.places.length, 0);
  const session = await options.runtime.open(graph, options.session);
  try {
    const apply = (vector: Float64Array) => product({ session, inputs, blocks, batch, source, terms, options }, vector);
    return await run({ size, apply });
  } finally {
    await session.release();
  }
}

interface Opened {
  readonly session: Session;
  readonly inputs: ReadonlySet<ValueId>;
  readonly blocks: readonly Block[];
  readonly batch: number;
  readonly source: Source;
  readonly terms: number;
  readonly options: RunOptions;
}

/** One pass over the data: the batches' products added in float64. */
async function product(
  { session, inputs, blocks, batch, source, terms, options }: Opened,
  vector: Float64Array,
): Promise<Float64Array> {
  const feeds = new Map<ValueId, RuntimeArray>();
  for (const { initializer, offset, places, dims } of blocks) {
    const data = new Float32Array(places.length);
    places.forEach((place, index) => (data[place] = vector[offset + index] as number));
    feeds.set(`flatness/v ${initializer}`, { type: "float32", dims, data });
  }
  const sum = new Float64Array(vector.length);
  const { data, indices, binding, labels } = source;
  let read: Batch | undefined;
  for (let start = 0; start < indices.length; start += batch) {
    options.signal?.throwIfAborted();
    const chosen = indices.subarray(start, start + batch);
    read = await data.read(chosen, [...binding.arrays, labels], read);
    const counts = Float32Array.from({ length: batch }, (_, index) => Number(index < chosen.length));
    const all = new Map([
      ...feedsOf(source, read, chosen, batch),
      ...feeds,
      [WEIGHTS, { type: "float32", dims: [batch], data: counts }] as const,
    ]);
    const outputs = await session.run(new Map([...all].filter(([name]) => inputs.has(name))));
    for (const { initializer, offset, places } of blocks) {
      const values = outputs.get(`flatness/Hv ${initializer}`)?.data as Float32Array | undefined;
      if (!values) continue;
      places.forEach(
        (place, index) => (sum[offset + index] = (sum[offset + index] as number) + (values[place] as number) / terms),
      );
    }
  }
  return sum;
}

function blocksOf({ b, layers: all }: Prepared, layers: readonly Layer[]): Block[] {
  let offset = 0;
  const seen = new Set<ValueId>();
  return layers.flatMap(({ name }) => {
    const layer = all.find((known) => known.name === name) as Layer;
    // A weight that is two layers stands once in a vector of the whole network.
    if (seen.has(layer.initializer)) return [];
    seen.add(layer.initializer);
    const block = { initializer: layer.initializer, offset, places: layer.places(), dims: b.dims(layer.initializer) };
    offset += block.places.length;
    return [block];
  });
}
