import { type Command, InvalidArgumentError, Option } from "commander";
import { losses } from "../losses/catalog.ts";
import { assignment, type Format, formatOption, integer, wholeNumber } from "./options.ts";
import { downloadProgress, type Progress, progress } from "./progress.ts";
import { writeFileWhole } from "../store/write-file.ts";

// What `flatness robustness` and `flatness bound` have in common: a model, data, where results go.

export interface TheoryFlags {
  readonly data: string;
  readonly weights?: string;
  readonly input?: Record<string, string>;
  readonly format: Format;
  readonly out?: string;
  readonly report?: string;
}

/** Adds the options that say what a model is run on, and where its results go. */
export function withModelOptions(command: Command): Command {
  return command
    .option("--weights <file>", "weights to put in place of the model's own: .safetensors, .pt, .pth, .npz")
    .addOption(
      new Option("--loss <name>", losses.map(({ name }) => name).join(", ")).default(
        undefined,
        "cross-entropy for integer labels, else squared-error-mean",
      ),
    )
    .option("--ignore-index <n>", "label of tokens or pixels that do not count", integer, -100)
    .option("--seed <n>", "of everything random", wholeNumber(0), 0)
    .option("--batch <n>", "samples at once (default: what is fastest)", wholeNumber(1))
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1))
    .option("--provider <name>", "execution provider: cpu, cuda, webgpu, …", "cpu")
    .option("--samples <N|FILE>", "the first N samples, or those listed in an .npy file (default: all)")
    .option("--split <name>", "train or test, where the data has parts")
    .option("--preprocess <steps>", "such as scale=255; flatness help preprocess lists the steps")
    .option("--input <NAME=ARRAY>", "array that feeds a model input; may be repeated", assignment)
    .option("--labels <array>", "array of the labels (default: y)")
    .option("--output <name>", "the model output that is the raw scores (default: the first)")
    .addOption(formatOption())
    .option("--out <file>", "write the result there instead of printing it")
    .option("--report <file>", "write a self-contained HTML page with figures");
}

/** A number. What it may be is the theory's to say. */
export function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || Number.isNaN(value)) throw new InvalidArgumentError("expected a number.");
  return value;
}

/** `0.01,0.03,0.1`. */
export function decimals(text: string): number[] {
  return text.split(",").map(decimal);
}

/** A line of progress, after those of what has to be fetched, and a signal that Ctrl-C raises. */
export function running(label: string, unit: string) {
  const downloads = downloadProgress(process.stderr);
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  let bar: Progress | undefined;
  return {
    signal: interrupt.signal,
    onDownload: downloads.update,
    onProgress(done: number, total: number) {
      downloads.finish();
      bar ??= progress(process.stderr, { total, label, unit });
      bar.update(done);
    },
    finish() {
      downloads.finish();
      bar?.finish();
    },
  };
}

export function print(text: string, out: string | undefined): void {
  if (out !== undefined) writeFileWhole(out, `${text.trimEnd()}\n`);
  else process.stdout.write(`${text.trimEnd()}\n`);
}
