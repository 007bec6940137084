import type { ValueId } from "../graph/graph.ts";
import { partAbove } from "../graph/part-after.ts";
import { count, type Dims, type TypedArray } from "../graph/tensor.ts";
import type { RuntimeArray, Session } from "../runtime/session.ts";
import { fedTo, inputBatches, labelsOf, type FedBatch, type Source } from "./batches.ts";
import { padded } from "./binding.ts";
import { evenChunk } from "./cost.ts";
import { LABELS } from "./names.ts";
import { inputsOf, type Pass, type Trunk } from "./pass.ts";
import type { PlannedRow } from "./plan.ts";
import type { Prepared } from "./prepare.ts";

/** Batches that are stacked: what the nodes behind the network cost by their number is then small beside the network. */
const MOST_STACKED = 64;
/** Elements of the stacked values, the scores among them: they stand in memory. */
const LARGEST_STACK = 2 ** 20;

/**
 * How many batches to stack, 1 for none: where all that is asked for is made of the scores and of the features of the layers that are
 * asked for.
 *
 * @param at an instance of the model at any batch size
 * @param batch samples at once of the network
 */
export function stackedBatchCount(at: Prepared, rows: readonly PlannedRow[], batch: number, samples: number): number {
  if (!rows.every(({ plan }) => isOfScores(plan))) return 1;
  const cut = [...new Set([at.scores, ...cutOf(at, rows)])].map((value) => at.b.typeIfKnown(value)?.dims);
  if (!cut.every((dims) => dims?.[0] === at.batch)) return 1;
  const elements = cut.reduce((sum, dims) => sum + count(dims as Dims) / at.batch, 0);
  const most = Math.min(MOST_STACKED, Math.floor(LARGEST_STACK / (elements * batch)));
  return most < 2 ? 1 : evenChunk(Math.ceil(samples / batch), most);
}

function isOfScores(plan: PlannedRow["plan"]): boolean {
  if (plan.kind === "curvature") return plan.method === "closed-form";
  return plan.kind === "weights" || (plan.kind === "samples" && plan.method === "forward");
}

/**
 * The values that a pass over such rows reads of the network, in the same order in every instance. Scores that are a layer's own
 * pre-activations are made of its features, for all batches of a stack at once.
 */
function cutOf({ scores, layers, above }: Prepared, rows: readonly PlannedRow[]): ValueId[] {
  const names = new Set(rows.flatMap(({ layer, plan }) => (layer && plan.kind !== "weights" ? [layer.name] : [])));
  const read = layers.filter(({ name }) => names.has(name));
  const features = read.flatMap(({ uses }) => uses.map((use) => use.features));
  return read.some((layer) => above(layer).kind === "logits") ? features : [scores, ...features];
}

/**
 * The pass with the network run at a smaller batch size.
 *
 * @param pass over such rows, at the size of the stack
 * @param prepared the instance that the pass was made of
 * @param below an instance of the same model at the smaller size
 */
export function stacked(pass: Pass, prepared: Prepared, rows: readonly PlannedRow[], below: Prepared): Pass {
  const values = cutOf(prepared, rows);
  const graph = partAbove(pass.graph, new Set(values), (value) => prepared.b.type(value));
  const inputs = inputsOf(graph);
  const made = cutOf(below, rows);
  const carried = values.flatMap((value, index) =>
    inputs.has(value) ? [[value, made[index] as ValueId] as const] : [],
  );
  const network = below.b.graph(new Map(carried));
  return { ...pass, graph, inputs, trunk: { graph: network, inputs: inputsOf(network), batch: below.batch } };
}

/**
 * The samples of a source as a pass with a trunk reads them, a stack at a time.
 *
 * @param onBatch told how many samples the network has seen, but for the last of a stack
 */
export async function* stackedBatches(
  source: Source,
  { batch, inputs }: Pass,
  trunk: Trunk,
  network: Session,
  { signal, onBatch }: { readonly signal: AbortSignal | undefined; onBatch(done: number): void },
  indices: Int32Array,
): AsyncGenerator<FedBatch> {
  let stack = new Stack(batch);
  for await (const { start, n, feeds } of inputBatches(source, trunk.batch, signal, indices)) {
    stack.push(n, fedTo(inputs, feeds, await network.run(fedTo(trunk.inputs, feeds))));
    const done = start + n;
    if (stack.n + trunk.batch <= batch && done < indices.length) {
      onBatch(done);
      continue;
    }
    const chosen = indices.subarray(done - stack.n, done);
    const read = await source.data.read(chosen, [source.labels]);
    const fed = stack.feeds().set(LABELS, labelsOf(source, read, chosen, batch));
    yield { start: done - stack.n, n: stack.n, feeds: fed };
    stack = new Stack(batch);
  }
}

/** Values of samples, the samples their first axis, put one behind the other. */
class Stack {
  readonly #size: number;
  readonly #arrays = new Map<ValueId, RuntimeArray>();
  n = 0;

  constructor(size: number) {
    this.#size = size;
  }

  push(n: number, values: ReadonlyMap<ValueId, RuntimeArray>): void {
    for (const [name, { type, dims, data }] of values) {
      const width = data.length / (dims[0] as number);
      const known = this.#arrays.get(name) ?? {
        type,
        dims: [this.#size, ...dims.slice(1)],
        data: new (data.constructor as new (length: number) => TypedArray)(this.#size * width),
      };
      this.#arrays.set(name, known);
      known.data.set(data.subarray(0, n * width) as never, this.n * width);
    }
    this.n += n;
  }

  /** The values, padded by repeating the last sample. */
  feeds(): Map<ValueId, RuntimeArray> {
    return new Map(
      [...this.#arrays].map(([name, array]) => {
        const data = array.data.subarray(0, (array.data.length / this.#size) * this.n);
        return [name, { ...array, data: padded(data, this.n, this.#size) }];
      }),
    );
  }
}
