import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/open.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { train } from "../../src/train.ts";
import { parseRecipe } from "../../src/training/recipe-text.ts";
import { root } from "./command.ts";
import { metricsOf, runFiles } from "./training-runs.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-interrupted-"));
afterAll(() => rmSync(folder, { recursive: true }));

const command = join(root, "bin/flatness.js");
const metrics = (run: string) => metricsOf(join(folder, run));

describe("an interrupted run goes on to the same bits", () => {
  // Checkpoints within epochs too, every 30 ms.
  const file = "g.yaml";
  writeFileSync(
    join(folder, file),
    `model: { name: resnet-small, width: 4, stages: 1 }
data: { source: example:digits, subset: 200, preprocess: shape=1x8x8, augmentation: { flip: true, crop: 1 }, holdOut: 0.2 }
optimizer: { name: adam, learningRate: 0.01 }
regularizers: [{ name: sam }]
stop: { epochs: 200 }
checkpoint: { epochs: 2, minutes: 0.0005 }
`,
  );
  let whole: string[] | undefined;

  /** What a run has come to, without times. */
  function outcome(run: string): string[] {
    const binary = ["model.onnx", "weights.safetensors"].map((name) => readFileSync(join(folder, run, name), "hex"));
    return [...binary, JSON.stringify(metrics(run).map((epoch) => ({ ...epoch, seconds: 0 })))];
  }

  /** Without interruption, in this process. */
  async function reference(): Promise<string[]> {
    if (!whole) await train(join(folder, file), { out: join(folder, "runs/whole") });
    return (whole ??= outcome("runs/whole"));
  }

  function begin(run: string): { child: ChildProcess; ended: Promise<number | null>; stderr: () => string } {
    const child = spawn(process.execPath, [command, "train", file, "--resume", "--out", run], { cwd: folder });
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    return { child, ended: new Promise((done) => child.on("close", done)), stderr: () => stderr };
  }

  const checkpoint = (run: string) => {
    const path = join(folder, run, "checkpoint.safetensors");
    return existsSync(path) ? readFileSync(path, "hex") : "";
  };
  const wait = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

  /** Until another checkpoint is there, or the run has ended. */
  async function moved(run: string, { child }: { child: ChildProcess }): Promise<void> {
    const before = checkpoint(run);
    while (child.exitCode === null && checkpoint(run) === before) await wait(5);
  }

  test("after kill -9 at ten random moments, with every file readable after each", async () => {
    const expected = await reference();
    const stream = new RandomStream(4, "moments");
    let kills = 0;
    for (let round = 0; round < 10; round++) {
      const running = begin("runs/killed");
      // Three times while it starts, else while it trains.
      if (round % 4 !== 1) await moved("runs/killed", running);
      await wait(stream.below(round % 4 === 1 ? 400 : 60));
      if (running.child.kill("SIGKILL") && (await running.ended) === null) kills++;
      const path = join(folder, "runs/killed");
      if (!existsSync(join(path, "recipe.yaml"))) continue;
      parseRecipe(readFileSync(join(path, "recipe.yaml"), "utf8"), "recipe.yaml");
      if (existsSync(join(path, "checkpoint.safetensors"))) await openCheckpoint(join(path, "checkpoint.safetensors"));
      if (existsSync(join(path, "metrics.jsonl"))) metrics("runs/killed");
    }
    expect(kills).toBe(10);
    const last = begin("runs/killed");
    expect(await last.ended, last.stderr()).toBe(0);
    expect(outcome("runs/killed")).toEqual(expected);
    expect(readdirSync(join(folder, "runs/killed")).toSorted()).toEqual(runFiles);
  }, 120_000);

  test("after an interrupt, which keeps all work and says how to go on", async () => {
    const expected = await reference();
    const running = begin("runs/interrupted");
    while (!existsSync(join(folder, "runs/interrupted/metrics.jsonl"))) await wait(5);
    running.child.kill("SIGINT");
    expect(await running.ended).toBe(130);
    expect(running.stderr()).toMatch(/^interrupted; flatness train --resume --out runs\/interrupted goes on$/m);
    const before = metrics("runs/interrupted").length;
    expect(before).toBeLessThan(200);
    await train(undefined, { out: join(folder, "runs/interrupted"), resume: true });
    expect(outcome("runs/interrupted")).toEqual(expected);
  }, 60_000);
});
