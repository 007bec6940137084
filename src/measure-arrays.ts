import { arrayDataset } from "./data/array-dataset.ts";
import type { NamedArray } from "./data/dataset.ts";
import { npzBytes } from "./data/npz.ts";
import { chosenSamples } from "./data/samples.ts";
import { measureModel, type Measurement } from "./evaluation/measure-model.ts";
import type { MeasureOptions } from "./evaluation/options.ts";
import { inCanonicalForm } from "./graph/files.ts";
import type { Graph } from "./graph/graph.ts";
import { decodeModel, encodeModel } from "./graph/onnx.ts";
import { nodeRuntime } from "./runtime/node.ts";

/**
 * `measure` without files: a graph in memory on arrays in memory, with the same numbers and hashes as if both had been
 * written to an .onnx and an .npz file.
 *
 * @param arrays by name; the first axis of each the samples. The input is `x` and the labels are `y` unless
 *   `options.inputs` and `options.labels` say otherwise
 * @throws ModelError, DataError, UsageError as `measure` does
 */
export async function measureArrays(
  graph: Graph,
  arrays: Readonly<Record<string, Pick<NamedArray, "type" | "dims" | "data">>>,
  options: MeasureOptions = {},
): Promise<Measurement> {
  const model = encodeModel(graph);
  const written = { graph: decodeModel(model), file: graph.name, sha256: await sha256(model), opset: graph.opset };
  const named = Object.entries(arrays).map(([name, array]) => ({ ...array, name }));
  const origin = { source: "arrays in memory", sha256: await sha256(npzBytes(arrays)) };
  const inputs = Object.values(options.inputs ?? {});
  const input = inputs.length === 1 ? inputs[0] : undefined;
  const data = arrayDataset(origin, named, { input, labels: options.labels });
  const samples = await chosenSamples(undefined, data.n);
  return measureModel(inCanonicalForm(written), { data, ...samples }, options, nodeRuntime);
}

async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Buffer.from(digest).toString("hex");
}
