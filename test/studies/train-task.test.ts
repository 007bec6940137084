import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open.ts";
import { decodeModel } from "../../src/graph/onnx.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { ResultFolder } from "../../src/store/result-folder.ts";
import { expand } from "../../src/studies/expansion.ts";
import { runModelTask } from "../../src/studies/model-task.ts";
import type { TrainTask } from "../../src/studies/tasks.ts";
import { runTrainTask } from "../../src/studies/train-task.ts";
import { dataOf } from "../../src/studies/training-data.ts";
import { changed, contents } from "./tiny-study.ts";

const scratch = mkdtempSync(join(tmpdir(), "flatness-train-task-"));
afterAll(() => rmSync(scratch, { recursive: true }));
let folders = 0;
const folder = () => new ResultFolder(join(scratch, String(folders++)));

async function firstTask(...replacements: [string, string][]): Promise<TrainTask> {
  const [first] = await expand(changed(...replacements), contents(), 1);
  return first!.payload as TrainTask;
}

/** A function computed in float32 by two networks. */
const SAME_FUNCTION = 1e-4;

describe("a network of a study", () => {
  test("is trained, kept and measured; the kept model, measured as a file, gives the same", async () => {
    const networks = folder();
    const task = await firstTask();
    const [run] = await runTrainTask(task, networks, nodeRuntime);
    expect(readdirSync(networks.path)).toEqual([task.networkKey]);
    expect(readdirSync(join(networks.path, task.networkKey)).sort()).toEqual(["model.onnx", "training.json"]);
    expect(run).toMatchObject({ run: task.networkKey.slice(0, 12), epoch: null, settings: { batchSize: 16, seed: 0 } });
    expect(run!.facts).toMatchObject({ epochs: 2, stopped: "epochs" });
    const { facts, values } = run!;
    expect(facts["generalization-gap"]).toBe((facts["test-loss"] as number) - (facts["train-loss"] as number));
    expect(values.map(({ measure, layer, n }) => [measure, layer, n])).toEqual([
      ["relative-flatness", "fc2", 64],
      ["squared-weight-norm", "fc2", 64],
    ]);
    const bytes = networks.read(task.networkKey, "model.onnx")!;
    const graph = decodeModel(bytes);
    const [measured] = await runModelTask(
      {
        kind: "model",
        run: "x",
        settings: {},
        model: "m",
        weights: null,
        data: task.recipe.data as never,
        test: { ...task.recipe.data, ...task.recipe.test } as never,
        measure: task.measure,
      },
      async () => ({ graph, file: "m", sha256: run!.origin.model!, opset: graph.opset }),
      nodeRuntime,
    );
    expect(measured!.values).toEqual(values);
    expect(measured!.facts).toEqual({ ...facts, epochs: undefined, stopped: undefined });
  });

  test("is not trained again when other things are measured, and is when what is kept cannot be read", async () => {
    const networks = folder();
    const [one, other] = [await firstTask(), await firstTask(["squared-weight-norm", "hessian-trace"])];
    const [first] = await runTrainTask(one, networks, nodeRuntime);
    const made = statSync(join(networks.path, one.networkKey)).ino;
    const [second] = await runTrainTask(other, networks, nodeRuntime);
    expect(statSync(join(networks.path, one.networkKey)).ino).toBe(made);
    expect(second!.values[0]).toEqual(first!.values[0]);
    expect(second!.values[1]!.measure).toBe("hessian-trace");
    writeFileSync(networks.pathOf(one.networkKey, "model.onnx"), "half a mod");
    expect(await runTrainTask(one, networks, nodeRuntime)).toEqual([first]);
    expect(decodeModel(networks.read(one.networkKey, "model.onnx")!).nodes.length).toBeGreaterThan(0);
  });

  test("is recorded every so many epochs and at the end, as training would have it without records", async () => {
    const networks = folder();
    const recorded = await firstTask(
      ["stop: { epochs: 2 }", "stop: { epochs: 5 }"],
      ["seeds: 3", "seeds: 3\n  record: 2"],
    );
    const runs = await runTrainTask(recorded, networks, nodeRuntime);
    expect(runs.map(({ epoch, facts }) => [epoch, facts["epochs"]])).toEqual([
      [2, undefined],
      [4, undefined],
      [5, 5],
    ]);
    const [plain] = await runTrainTask(
      await firstTask(["stop: { epochs: 2 }", "stop: { epochs: 5 }"]),
      folder(),
      nodeRuntime,
    );
    expect(runs[2]!.values).toEqual(plain!.values);
    // The second record is where a training of two epochs ends.
    const [short] = await runTrainTask(await firstTask(), folder(), nodeRuntime);
    expect(runs[0]!.values).toEqual(short!.values);
  });

  test("as a random twin has the same losses and relative flatness, and another trace", async () => {
    const networks = folder();
    const measures: [string, string] = [
      "measures: [relative-flatness, squared-weight-norm]",
      "measures: [relative-flatness, hessian-trace]",
    ];
    const [plain] = await runTrainTask(await firstTask(measures), networks, nodeRuntime);
    const twinTask = await firstTask([measures[0], `reparameterize: [5, 25]\n  ${measures[1]}`]);
    const [twin] = await runTrainTask(twinTask, networks, nodeRuntime);
    expect(twin!.facts).toEqual(plain!.facts);
    const [kappa, trace] = [0, 1].map((index) => twin!.values[index]!.value / plain!.values[index]!.value) as [
      number,
      number,
    ];
    expect(Math.abs(kappa - 1)).toBeLessThan(SAME_FUNCTION);
    // The last layer takes the inverse of a factor in [5, 25], and its features that factor.
    expect(trace).toBeGreaterThan(25 - 1e-3);
    expect(trace).toBeLessThan(625 + 1);
    expect(await runTrainTask(twinTask, networks, nodeRuntime)).toEqual([twin]);
    // Another network of the same seed is scaled by factors of its own.
    const batch: [string, string] = ["batchSize: [16, 32]", "batchSize: [8]"];
    const [other] = await runTrainTask(await firstTask(measures, batch), networks, nodeRuntime);
    const otherTask = await firstTask([measures[0], `reparameterize: [5, 25]\n  ${measures[1]}`], batch);
    const [otherTwin] = await runTrainTask(otherTask, networks, nodeRuntime);
    const otherTrace = otherTwin!.values[1]!.value / other!.values[1]!.value;
    expect(Math.abs(otherTrace / trace - 1)).toBeGreaterThan(100 * SAME_FUNCTION);
  });
});

describe("sampled data", () => {
  const source = { source: "example:digits", split: "train" };
  const choice = { data: source, test: { split: "test" } };
  const labelsOf = async (data: Awaited<ReturnType<typeof dataOf>>["train"]) => {
    const all = Int32Array.from({ length: data.n }, (_, index) => index);
    return Array.from((await data.read(all, ["y"])).get("y")!.data as BigInt64Array, Number);
  };

  test("has the classes asked for, numbered anew, in training and test data", async () => {
    const { train, test: unseen } = await dataOf(choice, { classes: [7, 3], labelNoise: 0, seed: 0 });
    const whole = await openDataset("example:digits", { split: "train" });
    const original = await labelsOf(whole);
    expect(await labelsOf(train)).toEqual(
      original.filter((label) => label === 7 || label === 3).map((label) => (label === 7 ? 0 : 1)),
    );
    expect([...new Set(await labelsOf(unseen))].sort()).toEqual([0, 1]);
  });

  test("has so many samples, drawn by the seed, and noise on a share of the training labels alone", async () => {
    const sampling = { subset: 400, labelNoise: 0, seed: 0 };
    const [clean, noisy, noisier, other] = await Promise.all(
      [sampling, { ...sampling, labelNoise: 0.3 }, { ...sampling, labelNoise: 1 }, { ...sampling, seed: 1 }].map(
        async (each) => {
          const { train, test: unseen } = await dataOf(choice, each);
          return { labels: await labelsOf(train), unseen: await labelsOf(unseen) };
        },
      ),
    );
    const differ = (a: number[], b: number[]) => a.filter((label, index) => label !== b[index]).length;
    expect(clean!.labels).toHaveLength(400);
    expect(differ(clean!.labels, other!.labels)).toBeGreaterThan(200);
    // 120 labels are drawn anew, a tenth of which fall on the old: 108 ± 3.3, within 4 standard deviations.
    expect(Math.abs(differ(clean!.labels, noisy!.labels) - 108)).toBeLessThan(4 * 3.3);
    expect(Math.abs(differ(clean!.labels, noisier!.labels) - 360)).toBeLessThan(4 * 6);
    // More noise hits the same samples and more.
    const kept = noisier!.labels.map((label, index) => label === clean!.labels[index]);
    const hit = noisy!.labels.map((label, index) => label !== clean!.labels[index]);
    expect(hit.filter((each, index) => each && kept[index]).length).toBeLessThan(25);
    expect(noisy!.unseen).toEqual(clean!.unseen);
  });

  test("asks for a subset that there is, and leaves sampling to the study", async () => {
    await expect(dataOf(choice, { subset: 5000, labelNoise: 0, seed: 0 })).rejects.toThrow(
      "sampling.subset 5000: expected a whole number from 1 to 1437",
    );
    await expect(dataOf({ ...choice, data: { ...source, subset: 5 } as never })).rejects.toThrow(
      "the recipe: data.subset: expected the study's sampling",
    );
  });
});
