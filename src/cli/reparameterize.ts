import { existsSync, realpathSync } from "node:fs";
import { Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "../errors.ts";
import type { FactorRange } from "../graph/reparameterization/neuron-wise.ts";
import {
  defaultRange,
  reparameterize,
  type Reparameterization,
  type ReparameterizationReport,
  type ReparameterizeOptions,
} from "../reparameterize.ts";
import { significant } from "../report/number.ts";
import { printable } from "../report/labels.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import { assignment, formatOption, nameList, wholeNumber, type Format } from "./options.ts";
import { downloadProgress } from "./progress.ts";

interface Flags extends Omit<ReparameterizeOptions, "inputs" | "shapes" | "signal" | "onDownload"> {
  readonly out: string;
  readonly layerWise?: Record<string, number>;
  readonly neuronWise?: "all" | string[];
  readonly range?: FactorRange;
  readonly softmaxShift?: string;
  readonly foldBatchNorm?: true;
  readonly input?: Record<string, string>;
  readonly inputShape?: Record<string, number[]>;
  readonly format: Format;
}

const examples = `
Examples:
  $ flatness reparameterize model.onnx -o twin.onnx --layer-wise fc2=7,fc1=1/7
  $ flatness reparameterize model.onnx -o twin.onnx --neuron-wise fc1 --range 0.2,5 --seed 3
  $ flatness reparameterize model.onnx -o twin.onnx --softmax-shift fc3 --data batch.npz
  $ flatness reparameterize resnet.onnx -o twin.onnx --fold-batch-norm --input-shape x=3x224x224

The twin computes the same function with other weights, which is proven on --data or on random samples before it is
written. For layer-wise factors the product along every path to the outputs has to be 1. A second kind of rewriting is
had by rewriting the twin.`;

export function reparameterizeCommand(): Command {
  return new Command("reparameterize")
    .description("write a twin of a model: the same function with other weights")
    .argument("<model>", "an .onnx file, hf://owner/model/file.onnx, or example:digits-mlp")
    .requiredOption("-o, --out <file>", "where the twin is written")
    .option("--layer-wise <factors>", "whole layers times factors: fc2=7,fc1=1/7", layerFactors)
    .option("--neuron-wise <layers>", "each neuron of these layers (or all) times a random factor", nameList("all"))
    .addOption(
      new Option("--range <a,b>", "of the factors of --neuron-wise, uniform in their logarithm")
        .argParser(factorRange)
        .default(undefined, defaultRange.join()),
    )
    .option("--softmax-shift <layer>", "W + 1vᵀ for a last layer: moves all class scores alike, v random")
    .option("--fold-batch-norm", "BatchNormalization into the layers before it")
    .option("--seed <n>", "of all that is random", wholeNumber(0), 0)
    .option("--data <source>", "samples to prove the twin on, as for measuring (default: random ones)")
    .option("--samples <N|FILE>", "the first N samples, or those listed in an .npy file (default: all)")
    .option("--split <name>", "train or test, where the data has parts")
    .option("--preprocess <steps>", "such as scale=255,pad=2,channels=3")
    .option("--input <NAME=ARRAY>", "array that feeds a model input; may be repeated", assignment)
    .option(
      "--input-shape <NAME=SHAPE>",
      "shape of one random sample, such as x=3x224x224; may be repeated",
      inputShape,
    )
    .option("--threads <n>", "threads of the runtime (default: all cores)", wholeNumber(1))
    .addOption(formatOption(["table", "json"]))
    .addHelpText("after", examples)
    .action(run);
}

async function run(model: string, flags: Flags): Promise<void> {
  const { out, input, inputShape: shapes, format, seed, data, samples, split, preprocess, threads } = flags;
  const asked = reparameterizationOf(flags);
  for (const [name, value] of Object.entries({ split, preprocess, input })) {
    if (value !== undefined && data === undefined) throw new UsageError(`--${name}: expected --data with it`);
  }
  checkWritable(out);
  if (existsSync(out) && existsSync(model) && realpathSync(out) === realpathSync(model)) {
    throw new UsageError(`${out}: is the model itself: expected another file for its twin`);
  }
  const interrupt = new AbortController();
  process.once("SIGINT", () => interrupt.abort());
  const downloads = downloadProgress(process.stderr);
  const fetching = { signal: interrupt.signal, onDownload: downloads.update };
  const options = { seed, data, samples, split, preprocess, inputs: input, shapes, threads, ...fetching };
  const { bytes, report } = await reparameterize(model, asked, options).finally(downloads.finish);
  writeFileWhole(out, bytes);
  process.stdout.write(`${format === "json" ? JSON.stringify({ ...report, out }, null, 2) : text(report, out)}\n`);
}

function reparameterizationOf(flags: Flags): Reparameterization {
  const { layerWise, neuronWise, range, softmaxShift, foldBatchNorm } = flags;
  const asked: Reparameterization[] = [
    ...(layerWise ? [{ kind: "layer-wise" as const, factors: layerWise }] : []),
    ...(neuronWise ? [{ kind: "neuron-wise" as const, layers: neuronWise, range }] : []),
    ...(softmaxShift !== undefined ? [{ kind: "softmax-shift" as const, layer: softmaxShift }] : []),
    ...(foldBatchNorm ? [{ kind: "fold-batch-norm" as const }] : []),
  ];
  const [first, second] = asked;
  if (!first || second) {
    throw new UsageError(
      `expected one of --layer-wise, --neuron-wise, --softmax-shift, --fold-batch-norm, came ${asked.map(({ kind }) => `--${kind}`).join(" and ") || "none"}`,
    );
  }
  if (range && first.kind !== "neuron-wise") throw new UsageError("--range: expected --neuron-wise with it");
  return first;
}

/** What was done, for a reader. */
function text({ model, layers, folded = [], left = [], proof }: ReparameterizationReport, out: string): string {
  const lines = [`${out}: the function of ${model.file} with other weights`];
  for (const { layer, smallest, largest } of layers) {
    const [low, high] = [smallest, largest].map((factor) => String(Number(factor.toPrecision(4))));
    lines.push(`layer ${layer}: weights times ${low === high ? low : `${low} to ${high}`}`);
  }
  for (const { node, layer } of folded) lines.push(`layer ${layer}: took up node ${node}`);
  for (const { node, reason } of left) lines.push(`node ${node} is left: ${reason}`);
  const many = proof.n === 1 ? "1 sample" : `${proof.n} samples`;
  for (const { output, compared, largestDifference, largestValue } of proof.outputs) {
    const what = compared === "softmax" ? `output ${output}, after a softmax` : `output ${output}`;
    const size = compared === "softmax" ? "" : `, its largest value ${significant(largestValue)}`;
    lines.push(`${what}: largest difference ${significant(largestDifference)} on ${many}${size} (${proof.data})`);
  }
  return lines.map(printable).join("\n");
}

/** `fc2=7,fc1=1/7` */
function layerFactors(list: string): Record<string, number> {
  const entries = list.split(",").map((part) => {
    // A layer's name may hold a =, its factor none.
    const split = part.lastIndexOf("=");
    const factor = part.slice(split + 1).trim();
    const name = part.slice(0, Math.max(0, split)).trim();
    const [top, bottom = "1", ...more] = factor.split("/");
    const value = Number(top) / Number(bottom);
    if (name === "" || top?.trim() === "" || bottom.trim() === "" || more.length > 0 || !Number.isFinite(value)) {
      throw new InvalidArgumentError("expected LAYER=FACTOR, with commas between, such as fc2=7,fc1=1/7.");
    }
    return [name, value] as const;
  });
  const names = entries.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new InvalidArgumentError(`expected one factor for layer ${twice}, came several.`);
  return Object.fromEntries(entries);
}

/** `0.2,5` */
function factorRange(list: string): FactorRange {
  const [smallest, largest, ...more] = list.split(",").map(Number) as [number, number, ...number[]];
  if (!(smallest > 0 && largest >= smallest && largest < Infinity) || more.length > 0) {
    throw new InvalidArgumentError("expected two positive numbers, the smaller first, such as 0.2,5.");
  }
  return [smallest, largest];
}

/** `x=3x224x224`, of a repeated option. */
function inputShape(text: string, known: Record<string, number[]> = {}): Record<string, number[]> {
  const split = text.lastIndexOf("=");
  const shape = text.slice(split + 1);
  if (split < 1 || !/^\d+(x\d+)*$/.test(shape)) {
    throw new InvalidArgumentError("expected NAME=SHAPE, such as x=3x224x224.");
  }
  return { ...known, [text.slice(0, split)]: shape.split("x").map(Number) };
}
