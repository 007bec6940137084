import { Command } from "commander";
import { Interruption } from "../errors.ts";
import { train } from "../train.ts";
import type { Epoch } from "../training/history.ts";
import { recipeJsonSchema } from "../training/recipe-text.ts";
import type { TrainingResult } from "../training/result.ts";
import type { Progress as Trained } from "../training/train.ts";
import { formatOption, type Format } from "./options.ts";
import { type Progress, progress } from "./progress.ts";

interface Flags {
  readonly out?: string;
  readonly resume?: true;
  readonly force?: true;
  readonly schema?: true;
  readonly format: Format;
}

const examples = `
Examples:
  $ flatness train recipe.yaml --out runs/a
  $ flatness train --resume --out runs/a
  $ flatness train --schema > recipe.schema.json
  $ flatness measure runs/a/model.onnx --data example:digits

A recipe, all other keys have defaults (docs/training.md):
  model: { name: mlp, hidden: [32, 32] }
  data: { source: example:digits, split: train }
  test: { split: test }
  optimizer: { name: sgd, learningRate: 0.05, momentum: 0.9 }
  stop: { epochs: 30, trainLoss: 0.1 }

The folder gets recipe.yaml, metrics.jsonl (a line an epoch), checkpoint.safetensors, and at the end model.onnx,
weights.safetensors and result.json. When the loss diverges the last checkpoint is kept and the exit code is 3.`;

export function trainCommand(): Command {
  return new Command("train")
    .description("train a network as a recipe says, and measure it while it trains")
    .argument("[recipe]", "a YAML file; with --resume it may be left out")
    .option("--out <folder>", "where the run is kept; required")
    .option(
      "--resume",
      "go on with the run in that folder, or begin it: the final weights are those of a run without interruption",
    )
    .option("--force", "begin anew in a folder that has a run")
    .option("--schema", "print the JSON Schema of recipes, for editors, and train nothing")
    .addOption(formatOption())
    .addHelpText("after", examples)
    .action(run);
}

async function run(recipe: string | undefined, flags: Flags, command: Command): Promise<void> {
  const { out, resume = false, force = false, schema, format } = flags;
  if (schema) {
    process.stdout.write(`${JSON.stringify(recipeJsonSchema(), null, 2)}\n`);
    return;
  }
  if (out === undefined) command.error("error: required option '--out <folder>' not specified");
  if (recipe === undefined && !resume) command.error("error: missing required argument 'recipe'");
  if (resume && force) command.error("error: option '--resume' cannot be used with option '--force'");
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => interrupt.abort());
  const epochs: Epoch[] = [];
  const bar = trainingBar();
  try {
    const { result } = await train(recipe, {
      out,
      resume,
      force,
      signal: interrupt.signal,
      onEpoch: (epoch) => epochs.push(epoch),
      onProgress: bar.update,
    });
    bar.finish();
    process.stdout.write(
      `${{ table: () => resultText(result, out), json: () => json(result), csv: () => csv(epochs) }[format]()}\n`,
    );
  } catch (error) {
    bar.finish();
    if ((error as Error).name === "AbortError") {
      throw new Interruption(`flatness train --resume --out ${out} goes on`, { cause: error });
    }
    throw error;
  }
}

function trainingBar() {
  let bar: Progress | undefined;
  return {
    update({ epoch, epochs, done, total, loss, evaluated }: Trained) {
      bar ??= progress(process.stderr, { total, label: "training", unit: "samples", from: done });
      const accuracy = evaluated?.test?.accuracy ?? evaluated?.train?.accuracy;
      const of = evaluated?.test ? "test" : "train";
      const seen = accuracy === undefined ? "" : `, ${of} accuracy ${accuracy.toFixed(3)}`;
      bar.update(done, `epoch ${epoch}/${epochs}, loss ${loss.toPrecision(3)}${seen}`);
    },
    finish: () => bar?.finish(),
  };
}

function resultText({ stopped, epochs, steps, final, seconds, model }: TrainingResult, out: string): string {
  const score = (name: string, { loss, accuracy }: TrainingResult["final"]["train"]) =>
    `${name.padEnd(6)} loss ${loss.toPrecision(4)}${accuracy === undefined ? "" : `   accuracy ${accuracy.toFixed(4)}`}`;
  return [
    `${model.parameters} parameters, ${epochs} epochs, ${steps} steps, ${seconds.toFixed(1)} s; stopped by ${stopped}`,
    score("train", final.train),
    ...(final.test ? [score("test", final.test)] : []),
    ...(final.measures ?? []).map(
      ({ layer, measure, value }) => `${measure}${layer === null ? "" : ` of ${layer}`} ${value.toPrecision(4)}`,
    ),
    `${out}/model.onnx`,
  ].join("\n");
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}

/** A row an epoch; what was not evaluated is empty. Measures are in metrics.jsonl. */
function csv(epochs: readonly Epoch[]): string {
  const columns: readonly (readonly [string, (epoch: Epoch) => number | undefined])[] = [
    ["epoch", ({ epoch }) => epoch],
    ["steps", ({ steps }) => steps],
    ["learningRate", ({ learningRate }) => learningRate],
    ["batchLoss", ({ batchLoss }) => batchLoss],
    ["penalty", ({ penalty }) => penalty],
    ["gradientNorm", ({ gradientNorm }) => gradientNorm],
    ["trainLoss", ({ train: score }) => score?.loss],
    ["trainAccuracy", ({ train: score }) => score?.accuracy],
    ["testLoss", ({ test }) => test?.loss],
    ["testAccuracy", ({ test }) => test?.accuracy],
    ["seconds", ({ seconds }) => seconds],
  ];
  const rows = epochs.map((epoch) => columns.map(([, value]) => value(epoch) ?? "").join(","));
  return [columns.map(([name]) => name).join(","), ...rows].join("\n");
}
