import { type Command, InvalidArgumentError } from "commander";
import { lossOption, withRunOptions } from "./model-options.ts";
import type { Format } from "./options.ts";
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
  const weights = "weights to put in place of the model's own: .safetensors, .pt, .pth, .npz";
  return withRunOptions(command.option("--weights <file>", weights).addOption(lossOption()));
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
