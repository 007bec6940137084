import Table from "cli-table3";
import { Command, InvalidArgumentError, Option } from "commander";
import { npzBytes } from "../data/npz.ts";
import type { SyntheticOptions } from "../data/synthetic.ts";
import type { HeadRisk, LinearHead } from "../data/synthetic/linear-head.ts";
import { encodeModel } from "../graph/onnx.ts";
import { checkNewFolder, writeFolderWhole } from "../store/write-folder.ts";
import { version } from "../version.ts";
import { formatOption, type Format, wholeNumber } from "./options.ts";

interface Flags extends Omit<SyntheticOptions, "seed"> {
  readonly out: string;
  readonly samples: number;
  readonly testSamples: number;
  readonly distributionSeed: number;
  readonly seed: number;
  readonly phi: readonly number[];
  readonly ridgePenalty: number;
  readonly logisticPenalty: number;
  readonly format: Format;
}

const examples = `
The folder has train.npz and test.npz (x, y, target, features, flipped) and models: logistic.onnx (cross-entropy of y),
ridge.onnx (squared error to target), phi.onnx (x to features) and teacher.onnx (features to the label function's logits).

Examples:
  $ flatness data synthetic --out synthetic/
  $ flatness measure synthetic/logistic.onnx --data synthetic/train.npz
  $ flatness measure synthetic/ridge.onnx --data synthetic/train.npz --labels target
  $ flatness data synthetic --out paper/ --phi 784,512,128,16 --separation 0.5 --samples 50
  $ flatness data synthetic --out hard/ --informative 10 --redundant 3 --noise 3 --clusters-per-class 3
  $ flatness data synthetic --out density/ --redundant 0 --noise 0 --phi none`;

export function syntheticCommand(): Command {
  return new Command("synthetic")
    .description("make data of a known distribution: Gaussian clusters on a hypercube's corners, and networks for it")
    .requiredOption("--out <folder>", "a folder that is new or empty; required")
    .option("--samples <n>", "training samples", wholeNumber(1), 500)
    .option("--test-samples <n>", "samples that the networks never saw", wholeNumber(1), 2000)
    .option("--separation <c>", "corners are (±c, …, ±c); clusters have a standard deviation of 1", decimal, 1)
    .option("--informative <n>", "features that know the class", wholeNumber(1), 3)
    .option("--redundant <n>", "features that are linear combinations of these", wholeNumber(0), 4)
    .option("--redundant-noise <sd>", "noise on them; without it there is no density", decimal, 0)
    .option("--noise <n>", "features that know nothing", wholeNumber(0), 3)
    .option("--clusters-per-class <n>", "clusters of each of the two classes", wholeNumber(1), 2)
    .addOption(choice("--clusters <shape>", "all alike, or each its own", ["round", "stretched"]))
    .addOption(choice("--labels <rule>", "the likelier class at z, or that of z's cluster", ["likelier", "cluster"]))
    .option("--flip <p>", "share of labels that are wrong", decimal, 0)
    .addOption(
      new Option("--phi <widths>", "of φ, from its inputs to its last hidden layer; none: x is the features")
        .argParser(widths)
        .default([64, 32, 16], "64,32,16"),
    )
    .option("--ridge-penalty <a>", "of Σ (score − t)² + a‖w‖²", decimal, 1)
    .option("--logistic-penalty <a>", "of Σ loss + a/2 ‖w‖²", decimal, 0.01)
    .option("--distribution-seed <n>", "which corners, combinations, stretches and φ", wholeNumber(0), 0)
    .option("--seed <n>", "which samples", wholeNumber(0), 0)
    .addOption(formatOption(["table", "json"]))
    .addHelpText("after", examples)
    .action(run);
}

async function run(flags: Flags): Promise<void> {
  const { out, format, samples, testSamples, seed, phi, ridgePenalty, logisticPenalty, distributionSeed } = flags;
  checkNewFolder(out);
  const distribution = distributionOf(flags, distributionSeed);
  const options = { distribution, samples, testSamples, seed, phi, ridgePenalty, logisticPenalty };
  // Linear algebra takes a while to load: only who needs it pays for it.
  const { syntheticProblem } = await import("../data/synthetic/problem.ts");
  const { headRisk } = await import("../data/synthetic/linear-head.ts");
  const problem = syntheticProblem(options);
  const risks = (head: LinearHead) => ({ train: headRisk(head, problem.train), test: headRisk(head, problem.test) });
  const summary = {
    flatness: version,
    options: { ...options, distribution: problem.distribution.options },
    inputs: problem.network?.widths[0] ?? problem.distribution.m,
    features: problem.distribution.m,
    heads: { ridge: risks(problem.ridge), logistic: risks(problem.logistic) },
  };
  const models = Object.entries(problem.models).flatMap(([name, graph]) =>
    graph ? [[`${name}.onnx`, encodeModel(graph)] as const] : [],
  );
  const written = JSON.stringify(summary, null, 2);
  writeFolderWhole(out, {
    "train.npz": npzBytes(problem.arrays(problem.train)),
    "test.npz": npzBytes(problem.arrays(problem.test)),
    ...Object.fromEntries(models),
    "synthetic.json": `${written}\n`,
  });
  process.stdout.write(`${format === "json" ? written : text(out, summary)}\n`);
}

/** The distribution's own options. */
function distributionOf(flags: Flags, seed: number): SyntheticOptions {
  const { separation, informative, redundant, redundantNoise, noise, clustersPerClass, clusters, labels, flip } = flags;
  return { separation, informative, redundant, redundantNoise, noise, clustersPerClass, clusters, labels, flip, seed };
}

interface Risks {
  readonly train: HeadRisk;
  readonly test: HeadRisk;
}

interface Summary {
  readonly options: { readonly samples: number; readonly testSamples: number };
  readonly inputs: number;
  readonly features: number;
  readonly heads: Readonly<Record<"ridge" | "logistic", Risks>>;
}

function text(out: string, summary: Summary): string {
  const { samples, testSamples } = summary.options;
  const table = new Table({
    head: ["model", "loss", "train", "test", "gap", "test accuracy"],
    style: { head: [], border: [], compact: true },
    colAligns: ["left", "left", "right", "right", "right", "right"],
  });
  const row = (name: "ridge" | "logistic", loss: string, risk: "squaredError" | "crossEntropy") => {
    const { train, test } = summary.heads[name];
    const numbers = [train[risk], test[risk], test[risk] - train[risk]].map((value) => value.toFixed(4));
    table.push([`${name}.onnx`, loss, ...numbers, `${(100 * test.accuracy).toFixed(2)} %`]);
  };
  row("ridge", "squared-error-mean of target", "squaredError");
  row("logistic", "cross-entropy of y", "crossEntropy");
  const size = `${samples} training and ${testSamples} test samples of ${summary.inputs} inputs and ${summary.features} features`;
  return `${out}: ${size}\n\n${table.toString()}`;
}

function choice(flags: string, description: string, choices: readonly [string, string]): Option {
  return new Option(flags, description).choices(choices).default(choices[0]);
}

function decimal(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value >= 0 && value < Infinity))
    throw new InvalidArgumentError("expected a number from 0.");
  return value;
}

function widths(text: string): number[] {
  if (text === "none") return [];
  const values = text.split(",").map(Number);
  if (values.every((width) => Number.isInteger(width) && width >= 1)) return values;
  throw new InvalidArgumentError("expected widths with commas between, such as 64,32,16, or none.");
}
