import { Command, Option } from "commander";
import { npzBytes } from "../data/npz.ts";
import type { Measurement } from "../evaluation/measure-model.ts";
import { losses } from "../losses/catalog.ts";
import { measures } from "../measures/catalog.ts";
import { measure, type MeasureFileOptions } from "../measure.ts";
import { resultCsv } from "../report/csv.ts";
import { resultHtml } from "../report/html.ts";
import { resultTable } from "../report/table.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { assignment, formatOption, integer, nameList, share, wholeNumber, type Format } from "./options.ts";
import { progress } from "./progress.ts";

interface Flags extends Omit<MeasureFileOptions, "inputs" | "perSample" | "onProgress" | "signal"> {
  readonly data: string;
  readonly input?: Record<string, string>;
  readonly format: Format;
  readonly out?: string;
  readonly report?: string;
  readonly perSample?: string;
}

const examples = `
Examples:
  $ flatness measure example:digits-mlp --data example:digits
  $ flatness measure model.onnx --data batch.npz
  $ flatness measure model.onnx --data batch.npz --layers fc1,fc2 --per-sample kappa.npz
  $ flatness measure model.onnx --data fashion-mnist/ --split train \\
      --preprocess scale=255,pad=2,channels=3 --format json --out result.json --report report.html

Small is flat. Relative flatness has the unit of the loss; ± is one standard error.`;

export function measureCommand(): Command {
  return new Command("measure")
    .description("measure how flat each layer of a model is on data")
    .argument("<model>", "an .onnx file, or example:digits-mlp")
    .requiredOption(
      "--data <source>",
      "an .npz file with arrays x and y, a folder of IDX files (MNIST), a folder of images with a folder for each class, or example:digits",
    )
    .addOption(
      new Option("--layers <names>", "all, last, or names with commas between")
        .argParser(nameList("all", "last"))
        .default("all"),
    )
    .addOption(
      new Option("--measures <names>", `all, or some of ${measures.map(({ name }) => name).join(", ")}`)
        .argParser(nameList("all"))
        .default(undefined, "relative-flatness,hessian-trace,squared-weight-norm"),
    )
    .addOption(
      new Option(
        "--method <method>",
        "auto is exact unless that costs more than some 32 forward passes or 512 directions",
      )
        .choices(["auto", "exact", "probes"])
        .default("auto"),
    )
    .addOption(
      new Option(
        "--curvature <matrix>",
        "the Hessian of the definition, or the Gauss-Newton matrix, which for smooth networks differs",
      )
        .choices(["hessian", "gauss-newton"])
        .default("hessian"),
    )
    .addOption(
      new Option("--loss <name>", losses.map(({ name }) => name).join(", ")).default(
        undefined,
        "cross-entropy for integer labels, else squared-error-mean",
      ),
    )
    .option("--probes <k>", "random directions a sample, where the Hessian is estimated", wholeNumber(1), 4)
    .option(
      "--relative-error <e>",
      "take as few samples and probes as bring the standard error below this share",
      share,
    )
    .option("--ignore-index <n>", "label of tokens or pixels that do not count", integer, -100)
    .option("--seed <n>", "of everything random", wholeNumber(0), 0)
    .option("--batch <n>", "samples at once (default: what is fastest)", wholeNumber(1))
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1))
    .option("--provider <name>", "execution provider: cpu, cuda, webgpu, …", "cpu")
    .option("--samples <N|FILE>", "the first N samples, or those listed in an .npy file (default: all)")
    .option("--split <name>", "train or test, where the data has parts")
    .option(
      "--preprocess <steps>",
      "such as resize=256,crop=224,scale=255, or a .json or .yaml file; flatness help preprocess lists the steps",
    )
    .option("--input <NAME=ARRAY>", "array that feeds a model input; may be repeated", assignment)
    .option("--labels <array>", "array of the labels (default: y)")
    .option("--output <name>", "the model output that is the raw scores (default: the first)")
    .addOption(formatOption())
    .option("--out <file>", "write the result there instead of printing it")
    .option("--report <file>", "write a self-contained HTML page with figures")
    .option("--per-sample <file>", "write every sample's value to an .npz file")
    .addHelpText("after", examples)
    .action(run);
}

async function run(model: string, flags: Flags): Promise<void> {
  const { data, input, format, out, report, perSample, ...options } = flags;
  for (const path of [out, report, perSample]) if (path !== undefined) checkWritable(path);
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  let bar: ReturnType<typeof progress> | undefined;
  const measurement = await measure(model, data, {
    ...options,
    inputs: input,
    perSample: report !== undefined || perSample !== undefined,
    signal: interrupt.signal,
    onProgress(done, total) {
      bar ??= progress(process.stderr, { total, label: "measuring", unit: "samples" });
      bar.update(done);
    },
  });
  bar?.finish();
  const { result } = measurement;
  const text = { table: resultTable, json: (value: typeof result) => JSON.stringify(value, null, 2), csv: resultCsv }[
    format
  ](result);
  if (perSample !== undefined) writeFileWhole(perSample, perSampleFile(measurement));
  if (report !== undefined) writeFileWhole(report, await resultHtml(result, measurement.perSample));
  if (out !== undefined) writeFileWhole(out, `${text.trimEnd()}\n`);
  else process.stdout.write(`${text.trimEnd()}\n`);
}

/** Arrays named `relative-flatness/fc3`, float32 [n]. */
function perSampleFile({ perSample }: Measurement): Uint8Array {
  return npzBytes(
    Object.fromEntries(
      perSample.map(({ layer, measure: name, values }) => [
        layer === null ? name : `${name}/${layer}`,
        { type: "float32" as const, dims: [values.length], data: values },
      ]),
    ),
  );
}
