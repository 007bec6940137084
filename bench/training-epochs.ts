import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { nodeRuntime } from "../src/runtime/node.ts";
import { train } from "../src/training/train.ts";
import { noiseData, recipe } from "./training-steps.ts";

const BATCH = 64;
const data = { train: noiseData(2000), test: noiseData(1000) };

/** Seconds of each epoch of a LeNet5 over 2 000 images, shuffled, and evaluated on them and on 1 000 others. */
export async function trainedEpochs(epochs: number): Promise<number[]> {
  const { history } = await train(recipe({ name: "lenet5" }, BATCH, { stop: { epochs } }), {
    runtime: nodeRuntime,
    data,
  });
  // The first includes what is made once.
  return history.map(({ seconds }, index) => seconds - (history[index - 1]?.seconds ?? 0)).slice(epochs > 1 ? 1 : 0);
}

/** Epochs a second of worker processes that train at the same time, each on one thread: the sum of their own, as of workers with more to do. */
export async function epochsPerSecond(workers: number, epochs: number): Promise<number> {
  const all = Array.from({ length: workers }, () => {
    const child = spawn(process.execPath, ["--import", "tsx", "bench/train-epochs.ts", String(epochs)]);
    return { child, lines: createInterface(child.stdout)[Symbol.asyncIterator]() };
  });
  for (const { lines } of all) await lines.next();
  const started = performance.now();
  for (const { child } of all) child.stdin.write("\n");
  const rates = all.map(async ({ lines }) => {
    await lines.next();
    return epochs / ((performance.now() - started) / 1000);
  });
  return (await Promise.all(rates)).reduce((sum, rate) => sum + rate, 0);
}
