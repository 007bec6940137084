import { describe, expect, test } from "vitest";
import { expand } from "../../src/studies/expansion.ts";
import type { Study } from "../../src/studies/schema.ts";
import type { ModelTask, SyntheticTask, TrainTask } from "../../src/studies/tasks.ts";
import { changed, contents, parsed, tinyText } from "./tiny-study.ts";

const tiny = parsed(tinyText);
const trained = async (study: Study, limit?: number, disk = contents()) =>
  (await expand(study, disk, limit)).map(({ key, payload }) => ({ key, ...(payload as TrainTask) }));

describe("a grid", () => {
  test("is every combination, then the next seed; the last axis changes quickest", async () => {
    const tasks = await trained(tiny);
    expect(tasks.map(({ settings }) => Object.values(settings))).toEqual(
      [0, 1, 2].flatMap((seed) => [16, 32].flatMap((batch) => ["slow", "fast"].map((name) => [batch, name, seed]))),
    );
    expect(tasks.map(({ recipe }) => [recipe.batchSize, recipe.optimizer?.learningRate, recipe.seed])).toEqual(
      [0, 1, 2].flatMap((seed) => [16, 32].flatMap((batch) => [0.01, 0.1].map((rate) => [batch, rate, seed]))),
    );
  });

  test("is cut by the study's number of networks, and by the command's", async () => {
    const cut = changed(["seeds: 3", "seeds: 3\n  networks: 7"]);
    expect(await trained(cut)).toEqual((await trained(tiny)).slice(0, 7));
    expect(await trained(cut, 2)).toEqual((await trained(tiny)).slice(0, 2));
    expect(await trained(cut, 100)).toHaveLength(7);
  });

  test("puts parts over the recipe: maps are merged, another name is another thing", async () => {
    const study = changed(
      ["{ name: sgd, learningRate: 0.1 }", "{ name: sgd, learningRate: 0.1, momentum: 0.5 }"],
      ["slow: { optimizer: { name: sgd, learningRate: 0.01 } }", "slow: { optimizer: { learningRate: 0.01 } }"],
      ["fast: { optimizer: { name: sgd, learningRate: 0.1 } }", "fast: { optimizer: { name: adam, learningRate: 1 } }"],
      ["batchSize: [16, 32]", "stop.epochs: [3, 4]\n    sampling.labelNoise: [0.5]"],
    );
    const [slow, fast, slower] = await trained(study);
    expect(slow!.recipe.optimizer).toMatchObject({ name: "sgd", learningRate: 0.01, momentum: 0.5 });
    expect(fast!.recipe.optimizer).toMatchObject({ name: "adam", learningRate: 1 });
    expect(fast!.recipe.optimizer).not.toHaveProperty("momentum");
    expect([slow, slower].map((task) => task!.recipe.stop?.epochs)).toEqual([3, 4]);
    expect(slow!.sampling).toEqual({ labelNoise: 0.5, seed: 0 });
  });
});

describe("a key", () => {
  const first = async (study: Study, disk = contents()) => (await trained(study, 1, disk))[0]!;

  test("stays when what a result does not depend on changes", async () => {
    const known = await first(tiny);
    for (const same of [
      changed(["title: Tiny networks", "title: Small networks"], ["about: Tiny", "about: Other"]),
      changed(["resamples: 100", "resamples: 500, correlation: pearson, controls: [train-loss]"]),
      changed(["  - { kind: correlations }\n", ""]),
      changed(["{ name: sgd, learningRate: 0.1 }", "{ learningRate: 0.1, name: sgd }"]),
      changed(["{ name: sgd, learningRate: 0.1 }", "{ name: sgd, learningRate: 0.1, momentum: 0 }"]),
      changed(["batchSize: [16, 32]", "batchSize: [16]"]),
    ]) {
      expect((await first(same)).key).toBe(known.key);
    }
  });

  test.each([
    ["recipe", changed(["stop: { epochs: 2 }", "stop: { epochs: 3 }"])],
    ["architecture", changed(["hidden: [4]", "hidden: [5]"])],
    ["seed", changed(["seeds: 3", "seeds: [7]"])],
    ["sampling", changed(["  grid:", "  sampling: { subset: 32 }\n  grid:"])],
    ["records", changed(["seeds: 3", "seeds: 3\n  record: 1"])],
    ["how much data", changed(["split: train, samples: 64", "split: train, samples: 65"])],
    ["how much test data", changed(["split: test, samples: 64", "split: test, samples: 65"])],
  ])("changes, and the network's with it, when another %s is asked for", async (_, study) => {
    const [known, other] = [await first(tiny), await first(study)];
    expect(other.key).not.toBe(known.key);
    expect(other.networkKey).not.toBe(known.networkKey);
  });

  test.each([
    ["data", contents({ data: "other" })],
    ["runtime", contents({ runtime: "1.1" })],
  ])("changes, and the network's with it, with the content of the %s", async (_, disk) => {
    const [known, other] = [await first(tiny), await first(tiny, disk)];
    expect(other.key).not.toBe(known.key);
    expect(other.networkKey).not.toBe(known.networkKey);
  });

  test("of a network stays when other things are measured of it: it is not trained again", async () => {
    const [known, other] = [await first(tiny), await first(changed(["squared-weight-norm", "hessian-trace"]))];
    expect(other.key).not.toBe(known.key);
    expect(other.networkKey).toBe(known.networkKey);
    expect(other.run).toBe(known.run);
  });
});

describe("existing models", () => {
  const study = (files: string) =>
    parsed(`name: mine
title: Mine
about: Models that are there.
make:
  kind: models
  files: ${files}
  data: { source: a.npz }
  test: { source: b.npz }
measure: { measures: [relative-flatness] }
`);
  const models = [
    { path: "/home/me/runs/a/model.onnx", sha256: "1" },
    { path: "/home/me/runs/b/model.onnx", sha256: "2" },
    { path: "/home/me/runs/c/model.onnx", sha256: "2" },
  ];
  const taken = async (files: string, disk = contents({ models })) =>
    (await expand(study(files), disk)).map(({ key, payload }) => ({ key, ...(payload as ModelTask) }));

  test("are named by where they differ, not by where they lie, and are runs of their own when equal", async () => {
    const tasks = await taken("[{ model: runs/*/model.onnx, settings: { optimizer: sgd } }]");
    expect(tasks.map(({ settings }) => settings)).toEqual(
      ["a", "b", "c"].map((name) => ({ model: `${name}/model.onnx`, optimizer: "sgd" })),
    );
    expect(tasks.map(({ model }) => model)).toEqual(models.map(({ path }) => path));
    expect(new Set(tasks.map((task) => task.run)).size).toBe(3);
    const moved = models.map(({ path, sha256 }) => ({ path: path.replace("/home/me", "/mnt"), sha256 }));
    const again = await taken(
      "[{ model: runs/*/model.onnx, settings: { optimizer: sgd } }]",
      contents({ models: moved }),
    );
    expect(again.map(({ key }) => key)).toEqual(tasks.map(({ key }) => key));
  });

  test("come once for each file of weights, and once when named twice", async () => {
    const [{ path, sha256 }] = models as [(typeof models)[0]];
    const disk = contents({ models: [{ path, sha256 }] });
    const sets = { ...disk, models: async (pattern: string) => (pattern === "m.onnx" ? [models[0]!] : models) };
    const tasks = await taken("[{ model: m.onnx, weights: epoch-*.pt }, { model: m.onnx, weights: epoch-*.pt }]", sets);
    expect(tasks.map(({ settings }) => settings)).toEqual(
      ["a", "b", "c"].map((name) => ({ model: "model.onnx", weights: `${name}/model.onnx` })),
    );
    expect(tasks.map(({ weights }) => weights)).toEqual(models.map((each) => each.path));
  });

  test("have other keys when a model's content is another", async () => {
    const files = "[{ model: runs/*/model.onnx }]";
    const other = models.map(({ path }, index) => ({ path, sha256: index === 0 ? "9" : "2" }));
    const [known, changedOnes] = [await taken(files), await taken(files, contents({ models: other }))];
    expect(known.map(({ key }, index) => key === changedOnes[index]!.key)).toEqual([false, true, true]);
  });
});

test("synthetic data sets come in batches of ten, repetitions at most as many as asked for", async () => {
  const study = parsed(`name: s
title: S
about: Synthetic.
make: { kind: synthetic, separations: [1, 2], repetitions: 25 }
`);
  const batches = async (limit?: number) =>
    (await expand(study, contents(), limit)).map(({ payload }) => {
      const { separation, first, count } = payload as SyntheticTask;
      return [separation, first, count];
    });
  expect(await batches()).toEqual([1, 2].flatMap((c) => [0, 10, 20].map((first) => [c, first, first === 20 ? 5 : 10])));
  expect(await batches(12)).toEqual([1, 2].flatMap((c) => [0, 10].map((first) => [c, first, first === 10 ? 2 : 10])));
});
