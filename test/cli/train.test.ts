import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/checkpoints/open.ts";
import { readModel } from "../../src/graph/files.ts";
import { measure } from "../../src/measure.ts";
import { train } from "../../src/train.ts";
import { parseRecipe } from "../../src/training/recipe-text.ts";
import type { TrainingResult } from "../../src/training/result.ts";
import { metricsOf, runFiles } from "./training-runs.ts";

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "flatness-train-"));
afterAll(() => rmSync(folder, { recursive: true }));

const command = join(root, "bin/flatness.js");

function flatness(...args: string[]) {
  return spawnSync(process.execPath, [command, ...args], { cwd: folder, encoding: "utf8" });
}

function recipe(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const digits = `model: { name: mlp, hidden: [16] }
data: { source: example:digits, split: train, subset: 300 }
test: { split: test }
optimizer: { name: sgd, learningRate: 0.1, momentum: 0.9 }
`;

const metrics = (run: string) => metricsOf(join(folder, run));

describe("flatness train", () => {
  const file = recipe(
    "a.yaml",
    `${digits}stop: { epochs: 5 }\nmeasure: { every: 2, layers: all, measures: [relative-flatness, generalization-gap] }\n`,
  );

  test("writes the model, its weights, the recipe, a line an epoch with the measures that are due, and the result", () => {
    const { status, stdout, stderr } = flatness("train", file, "--out", "runs/a");
    expect(status, stderr).toBe(0);
    expect(readdirSync(join(folder, "runs/a")).toSorted()).toEqual(runFiles);
    const epochs = metrics("runs/a");
    expect(epochs.map(({ epoch, steps }) => [epoch, steps])).toEqual(
      [1, 2, 3, 4, 5].map((epoch) => [epoch, 10 * epoch]),
    );
    expect(epochs.map(({ measures }) => measures?.map(({ measure, layer }) => `${measure} ${layer}`))).toEqual(
      [false, true, false, true, true].map((due) =>
        due ? ["relative-flatness fc1", "relative-flatness fc2", "generalization-gap null"] : undefined,
      ),
    );
    const last = epochs.at(-1)!;
    const gap = last.measures!.find(({ measure }) => measure === "generalization-gap")!;
    expect(gap.value).toBeCloseTo(last.test!.loss - last.train!.loss, 5);
    const result = JSON.parse(readFileSync(join(folder, "runs/a/result.json"), "utf8")) as TrainingResult;
    expect(result).toMatchObject({
      schema: 1,
      model: { parameters: 64 * 16 + 16 + 16 * 10 + 10 },
      data: { source: "example:digits", n: 300 },
      test: { n: 360 },
      loss: "cross-entropy",
      stopped: "epochs",
      epochs: 5,
      steps: 50,
      final: { train: last.train, test: last.test, measures: last.measures },
      environment: { provider: "cpu", threads: 1 },
    });
    expect(parseRecipe(readFileSync(join(folder, "runs/a/recipe.yaml"), "utf8"), "recipe.yaml")).toEqual(result.recipe);
    expect(stdout).toContain("5 epochs, 50 steps");
    expect(stdout).toContain(`test   loss ${last.test!.loss.toPrecision(4)}`);
    expect(stdout).not.toContain("\u001b");
  });

  test("the model that it writes is the network that it evaluated, with the weights beside it", async () => {
    const { test: score } = metrics("runs/a").at(-1)!;
    const options = { split: "test", measures: ["loss", "accuracy"], layers: "last", threads: 1 } as const;
    const { loss } = (await measure(join(folder, "runs/a/model.onnx"), "example:digits", options)).result;
    expect(loss.value).toBeCloseTo(score!.loss, 6);
    expect(loss.accuracy).toBeCloseTo(score!.accuracy!, 12);
    const { graph } = readModel(join(folder, "runs/a/model.onnx"));
    const { tensors } = await openCheckpoint(join(folder, "runs/a/weights.safetensors"));
    expect([...tensors.keys()].toSorted()).toEqual(["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"]);
    for (const [name, { data }] of tensors) expect(graph.constants.get(name)!.data).toEqual(data);
  });

  test("gives the result of a run that has ended again, as JSON", () => {
    const again = flatness("train", "--resume", "--out", "runs/a", "--format", "json");
    expect(again.status, again.stderr).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual(JSON.parse(readFileSync(join(folder, "runs/a/result.json"), "utf8")));
  });

  test("prints the JSON Schema and trains nothing", () => {
    const { stdout, status } = flatness("train", "--schema");
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ type: "object", required: ["model", "data", "optimizer"] });
  });

  test("plain lines away from a terminal, with epoch, loss, accuracy, throughput and time left", async () => {
    // Far longer than the second after which a line is due, on any machine; stopped at the first line.
    const long = recipe(
      "long.yaml",
      `${digits}stop: { epochs: 1000000 }\nevaluate: 10\ncheckpoint: { epochs: 1000000 }\n`,
    );
    const child = spawn(process.execPath, [command, "train", long, "--out", "runs/long"], { cwd: folder });
    const ended = once(child, "close");
    let stderr = "";
    for await (const text of child.stderr.setEncoding("utf8")) {
      stderr += text;
      if (!child.killed && stderr.includes("\n")) child.kill("SIGINT");
    }
    expect(await ended).toEqual([130, null]);
    for (const code of ["\u001b", "\r"]) expect(stderr).not.toContain(code);
    const [line] = stderr.split("\n");
    expect(line).toMatch(
      /^training: \d+ %, \d+\/300000000 samples, \d+ samples\/s, [\d.]+ (s|min \d+ s|h \d+ min) left, epoch \d+\/1000000, loss [\d.e-]+, test accuracy 0\.\d{3}$/,
    );
  }, 60_000);

  test("rows as CSV, one an epoch", () => {
    const short = recipe("short.yaml", `${digits}stop: { epochs: 30 }\nevaluate: 10\n`);
    const { stdout, stderr, status } = flatness("train", short, "--out", "runs/short", "--format", "csv");
    expect(status, stderr).toBe(0);
    const rows = stdout.trimEnd().split("\n");
    expect(rows).toHaveLength(31);
    expect(rows[0]).toMatch(/^epoch,steps,learningRate,batchLoss,penalty,/);
    expect(rows[30]).toMatch(/^30,300,0\.1,/);
  });
});

describe("what cannot be is refused, and no folder is made", () => {
  const cases: readonly (readonly [name: string, text: string, message: RegExp])[] = [
    ["a key", `${digits}stop: { epoch: 3 }\n`, /b\.yaml:5:9: stop: no such key: epoch; there are epochs, /],
    ["a layer", `${digits}regularizers: [{ name: flatness, strength: 1, layer: fc7 }]\n`, /layer fc7: no such layer/],
    ["a layer to measure", `${digits}measure: { layers: [fc7] }\n`, /layer fc7: no such layer/],
    ["a provider", `${digits}provider: abacus\n`, /provider abacus: not available here/],
    ["data", digits.replace("example:digits", "none.npz"), /none\.npz: no such file/],
    ["a model for the data", digits.replace("mlp, hidden: [16]", "lenet5"), /model lenet5: expected images/],
  ];
  test.each(cases)("%s", async (_, text, message) => {
    await expect(train(join(folder, recipe("b.yaml", text)), { out: join(folder, "runs/b") })).rejects.toThrow(message);
    expect(existsSync(join(folder, "runs/b"))).toBe(false);
  });

  test("with one sentence and exit code 2", () => {
    const { status, stdout, stderr } = flatness("train", recipe("b.yaml", cases[0]![1]), "--out", "runs/b");
    expect(stderr).toMatch(/^error: b\.yaml:5:9: stop: no such key: epoch; there are epochs, .*\n$/);
    expect([status, stdout]).toEqual([2, ""]);
  });

  test("a folder that has a run, another recipe for it, a folder that has none", async () => {
    const out = join(folder, "runs/c");
    const file = join(folder, recipe("c.yaml", `${digits}stop: { epochs: 1 }\n`));
    await train(file, { out });
    await expect(train(file, { out })).rejects.toThrow(
      /runs\/c: has a run already \(recipe\.yaml, .*\); use --resume to go on with it, --force to begin anew, or another --out$/,
    );
    const other = join(folder, recipe("d.yaml", `${digits}stop: { epochs: 2 }\n`));
    await expect(train(other, { out, resume: true })).rejects.toThrow(
      /runs\/c: began with another recipe than this one: stop\.epochs is 2, was 1;/,
    );
    expect((await train(other, { out, force: true })).last.epoch).toBe(2);
    await expect(train(undefined, { out: join(folder, "runs/none"), resume: true })).rejects.toThrow(
      /runs\/none: no run to go on with: expected recipe\.yaml there; give the recipe to begin one$/,
    );
  });
});

describe("a loss that diverges ends training with exit code 3", () => {
  test("after the first batch that is too much, the last finite checkpoint kept", async () => {
    // The rate grows tenfold every epoch.
    const growing = `${digits}schedule: { name: step, every: 1, factor: 10 }\nstop: { epochs: 9 }\n`;
    const { status, stdout, stderr } = flatness("train", recipe("e.yaml", growing), "--out", "runs/e");
    const message =
      /^error: training diverged at step (\d+), in epoch (\d): the loss of the batch is [\d.]+, above 1000 times the first batch's; a smaller learning rate, or clip, may help\. The last checkpoint is kept in runs\/e\.$/m;
    expect([status, stdout]).toEqual([3, ""]);
    expect(stderr).toMatch(message);
    const [, step, epoch] = message.exec(stderr)!.map(Number);
    expect(Math.ceil(step! / 10)).toBe(epoch);
    expect(metrics("runs/e")).toHaveLength(epoch! - 1);
    const { tensors } = await openCheckpoint(join(folder, "runs/e/checkpoint.safetensors"));
    const weights = tensors.get("training/weights")!.numbers();
    expect(weights.every(Number.isFinite)).toBe(true);
    const again = train(undefined, { out: join(folder, "runs/e"), resume: true });
    await expect(again).rejects.toThrow(`training diverged at step ${step}, in epoch ${epoch}`);
  });

  test("a loss that is no number, in the first epoch", async () => {
    const wild = recipe("f.yaml", digits.replace("learningRate: 0.1", "learningRate: 1e38"));
    await expect(train(join(folder, wild), { out: join(folder, "runs/f") })).rejects.toThrow(
      /^training diverged at step 2, in epoch 1: the loss of the batch is (NaN|Infinity); .* There was no checkpoint yet in .*runs\/f\.$/,
    );
    expect(existsSync(join(folder, "runs/f/metrics.jsonl"))).toBe(false);
  });

  test("weights that are no numbers after the last step of an epoch: nothing is evaluated, recorded or kept", async () => {
    // One step an epoch; the second has an infinite rate in float32.
    const growing = `${digits}batchSize: 300\nschedule: { name: step, every: 1, factor: 1e60 }\n`;
    const run = train(join(folder, recipe("h.yaml", growing)), { out: join(folder, "runs/h") });
    await expect(run).rejects.toThrow(
      /^training diverged at step 2, in epoch 2: a parameter is (NaN|-?Infinity); .* The last checkpoint is kept in/,
    );
    expect(metrics("runs/h").map(({ epoch }) => epoch)).toEqual([1]);
  });
});
