import type { RecipeInput } from "../../src/training/recipe.ts";
import { median, row, type Row } from "../row.ts";
import { Torch } from "../torch.ts";
import { epochsPerSecond, trainedEpochs } from "../training-epochs.ts";
import { noiseData, recipe, TrainingSteps } from "../training-steps.ts";

interface Case {
  readonly name: string;
  /** What torch_training.py calls it. */
  readonly torch: string;
  readonly model: RecipeInput["model"];
  readonly batch: number;
  /** Numbers of a sample that is no image. */
  readonly width?: number;
  /** Steps timed at once, and how often. */
  readonly steps: number;
  readonly times: number;
  readonly goal: number;
}

const mlp: RecipeInput["model"] = { name: "mlp", hidden: [100, 100, 100, 100] };
const vit: RecipeInput["model"] = { name: "vit-tiny", width: 64, depth: 1, heads: 4 };
const cases: readonly Case[] = [
  { name: "LeNet5, batch 64", torch: "lenet5", model: { name: "lenet5" }, batch: 64, steps: 10, times: 40, goal: 0.7 },
  { name: "MLP, batch 200", torch: "mlp", model: mlp, batch: 200, width: 784, steps: 30, times: 40, goal: 0.7 },
  { name: "ViT block, batch 32", torch: "vit", model: vit, batch: 32, steps: 4, times: 30, goal: 0.7 },
  {
    name: "ResNet, batch 64",
    torch: "resnet",
    model: { name: "resnet-small" },
    batch: 64,
    steps: 1,
    times: 20,
    goal: 1.1,
  },
];

/** Epochs timed at once, and how often. */
const EPOCHS = 2;
const EPOCH_TIMES = 9;
const WORKER_EPOCHS = 16;
const WORKER_TIMES = 5;

/** Training against PyTorch's in turn, one thread; regularizers against plain steps; two workers against one. */
export const trainingCases: Readonly<Record<string, () => AsyncGenerator<Row>>> = {
  ...Object.fromEntries(
    cases.map((each) => [`training-${each.torch}`, () => besideTorch((torch) => stepRows(torch, each))]),
  ),
  "training-epoch": () => besideTorch(epochRows),
  "training-regularizers": regularizerRows,
  "training-workers": workerRows,
};

async function* besideTorch(rows: (torch: Torch | undefined) => Promise<Row[]>): AsyncGenerator<Row> {
  const torch = await Torch.start();
  yield* await rows(torch);
  await torch?.stop();
}

async function stepRows(torch: Torch | undefined, each: Case): Promise<Row[]> {
  const { name, batch, steps, times } = each;
  const training = await TrainingSteps.open(recipe(each.model, batch), noiseData(batch * steps, each.width));
  const theirs = torch && (async () => mean(await torch.seconds(each.torch, steps)));
  return against(`step of ${name}`, () => training.seconds(steps), theirs, times, each.goal);
}

function epochRows(torch: Torch | undefined): Promise<Row[]> {
  const name = "epoch of LeNet5 over 2 000 images, with evaluation";
  const theirs = torch && (async () => mean(await torch.seconds("epoch", EPOCHS)));
  return against(name, async () => mean(await trainedEpochs(EPOCHS + 1)), theirs, EPOCH_TIMES, 0.8);
}

/** The median of ratios of neighbours in time: the machine's own speed wanders. */
async function against(
  name: string,
  ours: () => Promise<number>,
  theirs: (() => Promise<number>) | undefined,
  times: number,
  goal: number,
): Promise<Row[]> {
  const pairs: [number, number][] = [];
  for (let time = 0; time < times; time++) pairs.push([await ours(), (await theirs?.()) ?? Number.NaN]);
  // The first quarter warms up.
  const warm = pairs.slice(times >> 2);
  const rows = [row(name, 1000 * median(warm.map(([own]) => own)), "ms")];
  if (!theirs) return rows;
  return [
    ...rows,
    row(`${name}, PyTorch`, 1000 * median(warm.map(([, other]) => other)), "ms"),
    row(`${name}, ours over PyTorch's`, median(warm.map(([own, other]) => own / other)), "ratio", goal),
  ];
}

const regularizers: readonly [name: string, settings: NonNullable<RecipeInput["regularizers"]>, goal: number][] = [
  ["flatness of the last layer", [{ name: "flatness", strength: 0.01 }], 1.05],
  ["SAM", [{ name: "sam" }], 2.15],
];

async function* regularizerRows(): AsyncGenerator<Row> {
  const [batch, steps, times] = [64, 10, 40];
  const data = noiseData(batch * steps);
  const plain = await TrainingSteps.open(recipe({ name: "lenet5" }, batch), data);
  for (const [name, settings, goal] of regularizers) {
    const regularized = await TrainingSteps.open(recipe({ name: "lenet5" }, batch, { regularizers: settings }), data);
    const ratios: number[] = [];
    for (let time = 0; time < times; time++) {
      const before = await plain.seconds(steps);
      const own = await regularized.seconds(steps);
      ratios.push((2 * own) / (before + (await plain.seconds(steps))));
    }
    yield row(`step of LeNet5 with ${name}, over a plain one`, median(ratios.slice(times >> 2)), "ratio", goal);
  }
}

async function* workerRows(): AsyncGenerator<Row> {
  const ratios: number[] = [];
  let before = await epochsPerSecond(1, WORKER_EPOCHS);
  for (let time = 0; time < WORKER_TIMES; time++) {
    const two = await epochsPerSecond(2, WORKER_EPOCHS);
    const after = await epochsPerSecond(1, WORKER_EPOCHS);
    ratios.push((2 * two) / (before + after));
    before = after;
  }
  yield row("one worker's epochs a second, over two workers'", 1 / median(ratios), "ratio", 1 / 1.9);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
