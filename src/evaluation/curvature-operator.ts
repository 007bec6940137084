import { hessianVectorProduct } from "../calculus/hessian-vector-product.ts";
import { inverse, weightScales } from "../calculus/scaled-features.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Curvature, CurvatureOperator } from "../measures/measure.ts";
import type { RuntimeArray, Session } from "../runtime/session.ts";
import type { Prepared } from "./prepare.ts";
import { fedBatches, fedTo, sampleWeights, type Source } from "./batches.ts";
import { SAMPLE_WEIGHTS } from "./names.ts";
import type { RunOptions } from "./run.ts";

/** A layer's weights in a vector: at `offset`, and where each stands in the initializer. */
interface Block {
  readonly initializer: ValueId;
  readonly offset: number;
  readonly places: Int32Array;
  readonly dims: readonly number[];
  /** Where features are taken over σ: 1/σ of each weight, as the matrix is that of Wσ. */
  readonly inverses?: Float64Array;
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
  const weights = b.input(SAMPLE_WEIGHTS, "float32", [batch]);
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
  for (const { initializer, offset, places, dims, inverses } of blocks) {
    const data = new Float32Array(places.length);
    places.forEach((place, index) => (data[place] = (vector[offset + index] as number) * (inverses?.[index] ?? 1)));
    feeds.set(`flatness/v ${initializer}`, { type: "float32", dims, data });
  }
  const sum = new Float64Array(vector.length);
  for await (const { n, feeds: own } of fedBatches(source, batch, options.signal)) {
    const counts = new Map([[SAMPLE_WEIGHTS, sampleWeights(n, batch)]]);
    const outputs = await session.run(fedTo(inputs, own, feeds, counts));
    for (const { initializer, offset, places, inverses } of blocks) {
      const values = outputs.get(`flatness/Hv ${initializer}`)?.data as Float32Array | undefined;
      if (!values) continue;
      places.forEach((place, index) => {
        const share = ((values[place] as number) / terms) * (inverses?.[index] ?? 1);
        sum[offset + index] = (sum[offset + index] as number) + share;
      });
    }
  }
  return sum;
}

function blocksOf({ b, layers: all }: Prepared, layers: readonly Layer[]): Block[] {
  let offset = 0;
  const seen = new Set<ValueId>();
  return layers.flatMap((asked) => {
    const layer = all.find(({ name }) => name === asked.name) as Layer;
    // A weight that is two layers stands once in a vector of the whole network.
    if (seen.has(layer.initializer)) return [];
    seen.add(layer.initializer);
    const { initializer } = layer;
    const inverses = asked.scaling && inverse(weightScales(asked));
    const block = {
      initializer,
      offset,
      places: layer.places(),
      dims: b.dims(initializer),
      ...(inverses && { inverses }),
    };
    offset += block.places.length;
    return [block];
  });
}
