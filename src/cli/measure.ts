import { Command, Option } from "commander";
import { chosenWeights } from "../checkpoints/patterns.ts";
import { npzBytes } from "../data/npz.ts";
import { formats } from "../data/open.ts";
import { ModelError, UsageError } from "../errors.ts";
import type { Measurement } from "../evaluation/measure-model.ts";
import type { Runs } from "../evaluation/result.ts";
import { measure, measureRuns, type MeasureRunsOptions, type Run } from "../measure.ts";
import { resultCsv, runsCsv } from "../report/csv.ts";
import { resultHtml } from "../report/html.ts";
import { runNames } from "../report/runs.ts";
import { runsHtml } from "../report/runs-html.ts";
import { runsTable } from "../report/runs-table.ts";
import { resultTable } from "../report/table.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { lossOption, withRunOptions } from "./model-options.ts";
import { nameList, share, wholeNumber, type Format } from "./options.ts";
import { measuresHelp, normalizeOption, peerOptions } from "./peer-options.ts";
import { downloadProgress, type Progress, progress } from "./progress.ts";
import { explained } from "./weights.ts";

interface Flags extends Omit<MeasureRunsOptions, "inputs" | "perSample" | "onProgress" | "onDownload" | "signal"> {
  readonly data?: string;
  readonly weights?: readonly string[];
  readonly invariance?: number;
  readonly explainWeights?: true;
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
  $ flatness measure model.onnx --weights 'epoch-*.pt' --data batch.npz --layers last
  $ flatness measure small.onnx large.onnx --data batch.npz --report comparison.html
  $ flatness measure hf://owner/model/onnx/model.onnx@v1.0 --data hf://datasets/owner/name --layers last

Small is flat. Relative flatness has the unit of the loss; ± is one standard error.`;

export function measureCommand(): Command {
  const command = new Command("measure")
    .description("measure how flat each layer of a model, or of several, is on data")
    .argument(
      "<models...>",
      ".onnx files, hf://owner/model/file.onnx, or example:digits-mlp; several are a row each in one table and one report",
    )
    .option(
      "--data <source>",
      `${formats.map(({ description }) => description).join(", ")}, a set that flatness data fetch knows, ` +
        "hf://datasets/owner/name, or example:digits; required",
    )
    .option(
      "--weights <files...>",
      "weights to put in place of a single model's own: .safetensors, .pt, .pth, .npz; several, or a pattern, are a row each",
    )
    .option("--explain-weights", "print which tensor of the file becomes which weight, and measure nothing")
    .addOption(
      new Option("--layers <names>", "all, last, or names with commas between")
        .argParser(nameList("all", "last"))
        .default("all"),
    )
    .addOption(
      new Option("--measures <names>", `${measuresHelp}; flatness measures describes them`)
        .argParser(nameList("all"))
        .default(undefined, "relative-flatness,hessian-trace,squared-weight-norm"),
    )
    .addOption(
      new Option(
        "--method <method>",
        "auto is exact unless that costs more than some 32 forward passes, 512 directions, or 40 passes along directions that many positions share",
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
    .addOption(lossOption())
    .addOption(normalizeOption())
    .option("--probes <k>", "random directions a sample, where the Hessian is estimated", wholeNumber(1), 4)
    .option(
      "--relative-error <e>",
      "take as few samples and probes as bring the standard error below this share",
      share,
    )
    .option(
      "--invariance <n>",
      "measure n random networks of the same function too, of each kind, and say how much each measure changes",
      wholeNumber(1),
    );
  withRunOptions(command)
    .option("--per-sample <file>", "write every sample's value to an .npz file")
    .addHelpText("after", examples)
    .action(run);
  for (const option of peerOptions()) command.addOption(option);
  return command;
}

async function run(models: readonly string[], flags: Flags, command: Command): Promise<void> {
  const { data, weights, invariance, explainWeights, format, out, report, perSample, ...options } = flags;
  for (const path of [out, report, perSample]) if (path !== undefined) checkWritable(path);
  const [model = ""] = models;
  if (weights !== undefined && models.length > 1) {
    throw new UsageError(
      `--weights: expected one model with it, as tensors go into one network; came ${models.length}: ${models.join(", ")}.`,
    );
  }
  const chosen = weights === undefined ? undefined : await chosenWeights(weights);
  if (explainWeights) {
    if (!chosen) throw new UsageError("--explain-weights: expected --weights with a file.");
    const { text, misfits } = await explained(model, chosen.paths, format);
    print(text, out);
    if (misfits.length > 0) throw new ModelError(misfits.join("\n"));
    return;
  }
  if (data === undefined) command.error("error: required option '--data <source>' not specified");
  const several = chosen?.several ? "several files of weights" : models.length > 1 && "several models";
  if (invariance !== undefined && (format === "csv" || several)) {
    throw new UsageError(
      `--invariance: expected --format table or json and one model, came ${several || "--format csv"}.`,
    );
  }
  const task = { data, options, format, out, report, perSample };
  if (several) await runSeveral(runsOf(models, chosen?.paths), task);
  else await runOne({ model, weights: chosen?.paths[0] }, task, invariance);
}

/** A run a model, each once, or a run a file of weights. */
function runsOf(models: readonly string[], weights: readonly string[] | undefined): Run[] {
  const [model = ""] = models;
  return weights
    ? weights.map((path) => ({ model, weights: path }))
    : [...new Set(models)].map((path) => ({ model: path }));
}

/** What is asked of every run, and where its results go. */
interface Task extends Pick<Flags, "format" | "out" | "report" | "perSample"> {
  readonly data: string;
  readonly options: Omit<MeasureRunsOptions, "inputs" | "perSample"> & Pick<Flags, "input">;
}

async function runOne({ model, weights }: Run, task: Task, invariance: number | undefined): Promise<void> {
  const { data, format, out, report, perSample } = task;
  const bars = progressBars();
  const kept = report !== undefined || perSample !== undefined;
  const options = { ...optionsOf(task, bars), perSample: kept, weights, invariance };
  const measurement = await measure(model, data, options).finally(bars.finish);
  const { result } = measurement;
  if (perSample !== undefined) writeFileWhole(perSample, perSampleFile([["", measurement]]));
  if (report !== undefined) writeFileWhole(report, await resultHtml(result, measurement.perSample));
  print({ table: resultTable, json, csv: resultCsv }[format](result), out);
}

async function runSeveral(runs: readonly Run[], task: Task): Promise<void> {
  const { data, format, out, report, perSample } = task;
  const bars = progressBars();
  const measurements = await measureRuns(runs, data, {
    ...optionsOf(task, bars),
    perSample: perSample !== undefined,
    onRun: ({ model, weights }, index) => bars.next(`${weights ?? model} (${index + 1} of ${runs.length})`),
  }).finally(bars.finish);
  const result: Runs = { schema: 1, runs: measurements.map((each) => each.result) };
  if (perSample !== undefined) {
    const { names } = runNames(result);
    writeFileWhole(perSample, perSampleFile(measurements.map((each, index) => [`${names[index]}/`, each])));
  }
  if (report !== undefined) writeFileWhole(report, await runsHtml(result));
  print({ table: runsTable, json, csv: runsCsv }[format](result), out);
}

function optionsOf(
  { options: { input, ...options } }: Task,
  bars: ReturnType<typeof progressBars>,
): MeasureRunsOptions {
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  return { ...options, inputs: input, signal: interrupt.signal, onProgress: bars.update, onDownload: bars.download };
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

function print(text: string, out: string | undefined): void {
  if (out !== undefined) writeFileWhole(out, `${text.trimEnd()}\n`);
  else process.stdout.write(`${text.trimEnd()}\n`);
}

/** A line of progress a run, after those of what has to be fetched. */
function progressBars() {
  const downloads = downloadProgress(process.stderr);
  let label = "";
  let bar: Progress | undefined;
  const finish = () => {
    downloads.finish();
    bar?.finish();
  };
  return {
    update(done: number, total: number, note?: string) {
      downloads.finish();
      bar ??= progress(process.stderr, { total, label: `measuring${label}`, unit: "samples" });
      bar.update(done, note);
    },
    next(name: string) {
      finish();
      bar = undefined;
      label = ` ${name}`;
    },
    download: downloads.update,
    finish,
  };
}

/** Arrays named `relative-flatness/fc3`, float32 [n]; of several runs with the run's name before. */
function perSampleFile(runs: readonly (readonly [before: string, measurement: Measurement])[]): Uint8Array {
  return npzBytes(
    Object.fromEntries(
      runs.flatMap(([before, { perSample }]) =>
        perSample.map(({ layer, measure: name, values }) => [
          before + (layer === null ? name : `${name}/${layer}`),
          { type: "float32" as const, dims: [values.length], data: values },
        ]),
      ),
    ),
  );
}
