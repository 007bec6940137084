import type { RecipeInput } from "../../src/training/recipe.ts";
import { LineProcess } from "../line-process.ts";
import { mean, median, row, type Row } from "../row.ts";
import type { StepsCase } from "../time-steps.ts";
import { startTorch } from "../torch.ts";
import { epochsPerSecond, trainedEpochs } from "../training-epochs.ts";
import { noiseData, recipe, TrainingSteps } from "../training-steps.ts";

/** Steps are timed some tenths of a second at once, because the first ones after the other side's turn are slower. */
interface Case extends StepsCase {
  readonly name: string;
  /** What torch_training.py calls it. */
  readonly torch: string;
  readonly times: number;
  readonly goal: number;
}

const mlp: RecipeInput["model"] = { name: "mlp", hidden: [100, 100, 100, 100] };
const vit: RecipeInput["model"] = { name: "vit-tiny", width: 64, depth: 1, heads: 4 };
const cases: readonly Case[] = [
  { name: "LeNet5, batch 64", torch: "lenet5", model: { name: "lenet5" }, batch: 64, steps: 50, times: 12, goal: 0.7 },
  { name: "MLP, batch 200", torch: "mlp", model: mlp, batch: 200, width: 784, steps: 150, times: 12, goal: 0.7 },
  { name: "ViT block, batch 32", torch: "vit", model: vit, batch: 32, steps: 20, times: 12, goal: 0.7 },
  {
    name: "ResNet, batch 64",
    torch: "resnet",
    model: { name: "resnet-small" },
    batch: 64,
    steps: 4,
    times: 12,
    goal: 1.1,
  },
];

/** Epochs timed at once, and how often. */
const EPOCHS = 2;
const EPOCH_TIMES = 8;
const WORKER_EPOCHS = 16;
const WORKER_TIMES = 5;

/** Processes that are timed, of ours and of PyTorch's: each is faster or slower for as long as it lives. */
const ROUNDS = 4;

/** Training against PyTorch's in turn, one thread; regularizers against plain steps; two workers against one. */
export const trainingCases: Readonly<Record<string, () => AsyncGenerator<Row>>> = {
  ...Object.fromEntries(cases.map((each) => [`training-${each.torch}`, () => stepRows(each)])),
  "training-epoch": epochRows,
  "training-regularizers": regularizerRows,
  "training-workers": workerRows,
};

function stepRows({ name, torch, times, goal, ...own }: Case): AsyncGenerator<Row> {
  return against(`step of ${name}`, torch, { steps: own.steps, times, goal }, async () => {
    const args = ["--import", "tsx", "bench/time-steps.ts", JSON.stringify(own)];
    const process = await LineProcess.start(globalThis.process.execPath, args);
    if (!process) throw new Error(`${args.join(" ")}: could not be started`);
    return { seconds: async () => (await process.ask(String(own.steps))) as number, stop: () => process.stop() };
  });
}

function epochRows(): AsyncGenerator<Row> {
  const name = "epoch of LeNet5 over 2 000 images, with evaluation";
  const sizes = { steps: EPOCHS, times: EPOCH_TIMES, goal: 0.8 };
  return against(name, "epoch", sizes, async () => ({
    seconds: async () => mean(await trainedEpochs(EPOCHS + 1)),
    stop: () => Promise.resolve(),
  }));
}

/** Something of ours that is timed. */
interface Timed {
  seconds(): Promise<number>;
  stop(): Promise<void>;
}

interface Sizes {
  readonly steps: number;
  readonly times: number;
  readonly goal: number;
}

/** The median of ratios of neighbours in time, over fresh sessions or processes on both sides: the machine's own speed wanders. */
async function* against(
  name: string,
  theirs: string,
  { steps, times, goal }: Sizes,
  start: () => Promise<Timed>,
): AsyncGenerator<Row> {
  const pairs: [own: number, other: number][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const torch = await startTorch(theirs);
    const ours = await start();
    const each = Math.ceil(times / ROUNDS);
    // The first quarter warms up.
    for (let time = -Math.ceil(each / 3); time < each; time++) {
      const pair: [number, number] = [await ours.seconds(), torch ? await torch.seconds(steps) : Number.NaN];
      if (time >= 0) pairs.push(pair);
    }
    await ours.stop();
    await torch?.stop();
  }
  yield row(name, 1000 * median(pairs.map(([own]) => own)), "ms");
  if (pairs.some(([, other]) => Number.isNaN(other))) return;
  yield row(`${name}, PyTorch`, 1000 * median(pairs.map(([, other]) => other)), "ms");
  yield row(`${name}, ours over PyTorch's`, median(pairs.map(([own, other]) => own / other)), "ratio", goal);
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
    await regularized.stop();
    yield row(`step of LeNet5 with ${name}, over a plain one`, median(ratios.slice(times >> 2)), "ratio", goal);
  }
  await plain.stop();
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
