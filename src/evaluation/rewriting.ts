import type { Dataset } from "../data/dataset.ts";
import { ModelError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Runtime, RuntimeArray, SessionOptions } from "../runtime/session.ts";
import type { Binding } from "./binding.ts";
import type { Prepared } from "./prepare.ts";

/** Outputs of the same samples at two batch sizes differ by rounding only. */
const ROUNDING = 1e-4;

/**
 * Runs the model as it was exported, at its own batch size, and as it was rewritten, on the same samples.
 *
 * @throws ModelError when the outputs differ: the rewriting does not fit this model
 */
export async function checkRewriting(
  graph: Graph,
  prepared: Prepared,
  binding: Binding,
  data: Dataset,
  indices: Int32Array,
  runtime: Runtime,
  options: SessionOptions,
): Promise<void> {
  const declared = graph.inputs.map((input) => input.dims?.[0]).find((size) => typeof size === "number");
  const exported = typeof declared === "number" ? declared : prepared.batch;
  const { value, output } = prepared.outputs;
  const batch = await data.read(indices.subarray(0, Math.min(exported, prepared.batch)), binding.arrays);
  const rows = Math.min(exported, prepared.batch, indices.length);
  const own = prepared.b.graph(new Map([["flatness/check", value]]));
  const kept: Graph = { ...graph, outputs: [{ name: value, type: undefined, dims: undefined }] };
  const rewritten = await runOnce(own, binding.feeds(batch, prepared.batch), runtime, options);
  const original = await runOnce(kept, binding.feeds(batch, exported), runtime, options);
  const width = rewritten.data.length / prepared.batch;
  let largest = 0;
  let difference = 0;
  for (let index = 0; index < rows * width; index++) {
    largest = Math.max(largest, Math.abs(Number(original.data[index])));
    difference = Math.max(difference, Math.abs(Number(original.data[index]) - Number(rewritten.data[index])));
  }
  if (difference <= ROUNDING * largest) return;
  throw new ModelError(
    `the model was exported for batches of ${exported}; rewritten for ${prepared.batch}, its output ${output} changes by ${difference.toPrecision(3)}. Export it with a dynamic batch size, or use --batch ${exported}`,
  );
}

async function runOnce(
  graph: Graph,
  feeds: Map<string, RuntimeArray>,
  runtime: Runtime,
  options: SessionOptions,
): Promise<RuntimeArray> {
  const session = await runtime.open(graph, options);
  try {
    const [first] = (await session.run(feeds)).values();
    return first as RuntimeArray;
  } finally {
    await session.release();
  }
}
