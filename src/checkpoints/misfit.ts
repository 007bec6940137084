import { ModelError } from "../errors.ts";
import type { Dims } from "../graph/tensor.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { Mapping } from "./mapping.ts";

/** Names of one side that a message lists before it counts. */
const MOST_NAMES = 12;
/** What PyTorch and TensorFlow call the statistics of a BatchNorm. */
const statistics = /^(?:(.*)[./])?(running_mean|running_var|moving_mean|moving_variance)(:0)?$/;

/** @throws ModelError where a parameter has no tensor or a tensor no parameter: it lists both sides, and says what to do */
export function checkMapping(mapping: Mapping, model: string, checkpoint: Checkpoint): void {
  const message = misfit(mapping, model, checkpoint);
  if (message !== undefined) throw new ModelError(message);
}

/** Why model and file do not fit, as {@link checkMapping} says it; undefined where they do. */
export function misfit(
  { missing, leftOver, problems, ignored }: Mapping,
  model: string,
  checkpoint: Checkpoint,
): string | undefined {
  if (missing.length + leftOver.length + problems.length === 0) return undefined;
  const { file } = checkpoint;
  const folded = [...new Set(leftOver.flatMap((name) => statistics.exec(name)?.slice(1, 2) ?? []))];
  if (folded.length > 0) {
    return (
      `${file}: does not fit ${model}: the export folded ${folded.length === 1 ? "BatchNorm" : "the BatchNorms"} ` +
      `${listed(folded)} into the layer before, whose weights in the model are products of several in the file; ` +
      `export the model unfolded: torch.onnx.export(…, training=torch.onnx.TrainingMode.PRESERVE, ` +
      `do_constant_folding=False, dynamo=False) on model.eval(), or with dynamo=True and optimize=False.`
    );
  }
  const gates = missing.some(({ role }) => role === "recurrent");
  const shape = (dims: Dims) => `[${dims.join(", ")}]`;
  const absent = missing.map(({ name, dims, framework: [noted = name] }) => {
    // What the exporter renamed says little.
    return `${name} ${shape(dims)}${noted === name ? "" : ` (${noted})`}`;
  });
  const extra = leftOver.map((name) => `${name} ${shape(checkpoint.tensors.get(name)?.dims ?? [])}`);
  const beside = new Set(
    ignored.flatMap(({ tensor, reason }) => (reason.startsWith("beside") ? [tensor.split(/[./]/)[0] as string] : [])),
  );
  return [
    `${file}: does not fit ${model}`,
    ...(problems.length > 0 ? [listed(problems)] : []),
    `missing in the file: ${listed(absent) || "nothing"}`,
    `left over in the file: ${listed(extra) || "nothing"}`,
    ...(missing.length > 0 && beside.size > 0 ? [`also in the file: ${listed([...beside])}`] : []),
    ...(gates
      ? ["an exporter puts the gates of an LSTM, GRU or RNN in another order, so that they cannot be replaced"]
      : []),
    `expected the weights of the same network: --explain-weights shows what was found, ${file}#NAME takes one part of the file.`,
  ].join("; ");
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
