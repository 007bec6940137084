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

const unfold =
  "export it unfolded: torch.onnx.export(…, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False, " +
  "dynamo=False) on model.eval(), or with dynamo=True and optimize=False";

/** Why model and file do not fit, as {@link checkMapping} says it; undefined where they do. */
export function misfit(mapping: Mapping, model: string, checkpoint: Checkpoint): string | undefined {
  const { missing, leftOver, problems } = mapping;
  if (missing.length + leftOver.length + problems.length === 0) return undefined;
  const folded = [...new Set(leftOver.flatMap((name) => statistics.exec(name)?.slice(1, 2) ?? []))];
  const reasons = isFolded(mapping, folded)
    ? [
        `the export folded ${folded.length === 1 ? "BatchNorm" : "the BatchNorms"} ${listed(folded)} into the layer before, ` +
          `whose weights in the model are products of several in the file`,
        `${unfold}.`,
      ]
    : [...bothSides(mapping, folded, checkpoint)];
  return `${checkpoint.file}: does not fit ${model}: ${reasons.join("; ")}`;
}

/** Whether all that is left over belongs to BatchNorms, and what is missing are biases that the export made of them. */
function isFolded({ missing, leftOver, problems }: Mapping, folded: readonly string[]): boolean {
  const all = leftOver.every((name) => folded.includes(name.replace(/[./]?[^./]*$/, "")));
  return folded.length > 0 && all && problems.length === 0 && missing.every(({ role }) => role === "bias");
}

function* bothSides(
  { missing, leftOver, problems, ignored }: Mapping,
  folded: readonly string[],
  { file, tensors }: Checkpoint,
): Generator<string> {
  const shape = (dims: Dims) => `[${dims.join(", ")}]`;
  const absent = missing.map(({ name, dims, framework: [noted = name] }) => {
    // What the exporter renamed says little.
    return `${name} ${shape(dims)}${noted === name ? "" : ` (${noted})`}`;
  });
  const extra = leftOver.map((name) => `${name} ${shape(tensors.get(name)?.dims ?? [])}`);
  const beside = ignored.filter(({ reason }) => reason.startsWith("beside"));
  const parts = new Set(beside.map(({ tensor }) => tensor.split(/[./]/)[0] as string));
  if (problems.length > 0) yield listed(problems);
  yield `missing in the file: ${listed(absent) || "nothing"}`;
  yield `left over in the file: ${listed(extra) || "nothing"}`;
  if (missing.length > 0 && parts.size > 0) yield `also in the file: ${listed([...parts])}`;
  if (folded.length > 0) yield `if the export folded ${listed(folded)} into the layers before, ${unfold}`;
  if (missing.some(({ role }) => role === "recurrent")) {
    yield "an exporter puts the gates of an LSTM, GRU or RNN in another order, so that they cannot be replaced";
  }
  if (missing.some(({ name }) => name.startsWith("onnx::"))) {
    yield "an export that folds constants may cut weights up: torch.onnx.export(…, do_constant_folding=False) keeps them";
  }
  yield `expected the weights of the same network: --explain-weights shows what was found, ${file}#NAME takes one part of the file.`;
}

function listed(names: readonly string[]): string {
  const more = names.length - MOST_NAMES;
  return names.slice(0, MOST_NAMES).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
