import { describe, expect, test } from "vitest";
import type { FeatureSamples } from "../../src/data/synthetic.ts";
import { syntheticProblem } from "../../src/data/synthetic/problem.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { density, fitted, labelConstancy, lossOf, representativeness, risk } from "../../src/studies/head-risk.ts";
import { runSyntheticTask } from "../../src/studies/synthetic-task.ts";
import type { SyntheticTask } from "../../src/studies/tasks.ts";
import { RadialKernel } from "../../src/theory/radial-kernel.ts";

/** Two features; scores of the head below: 1, −1, 3, 1. */
const samples: FeatureSamples = {
  n: 4,
  m: 2,
  features: Float64Array.of(1, 0, 0, 1, 2, -1, 1, 0),
  labels: Uint8Array.of(1, 0, 1, 0),
  flipped: new Uint8Array(4),
  clusters: new Uint8Array(4),
};
const head = { weights: Float64Array.of(1, -1), bias: 0 };
/** Sums of a few hundred float64 numbers. */
const DIGITS = 12;

describe("by hand", () => {
  test("losses of targets ±1", () => {
    expect([lossOf("ridge", 3, 1), lossOf("ridge", 3, 0)]).toEqual([4, 16]);
    expect(lossOf("logistic", 0.5, 1)).toBeCloseTo(Math.log(1 + Math.exp(-0.5)), DIGITS);
    expect(lossOf("logistic", 0.5, 0)).toBeCloseTo(Math.log(1 + Math.exp(0.5)), DIGITS);
    expect([lossOf("logistic", 800, 0), lossOf("logistic", 800, 1)]).toEqual([800, 0]);
  });

  test("mean loss, its standard error and accuracy", () => {
    // Losses 0, 0, 4, 4: mean 2, deviation 2·√(4/3), error that over √4.
    const found = risk("ridge", head, samples);
    expect([found.loss, found.accuracy]).toEqual([2, 0.75]);
    expect(found.error).toBeCloseTo((2 * Math.sqrt(4 / 3)) / 2, DIGITS);
  });

  test("density: one feature, two samples in each half", () => {
    // Which half is which is the stream’s: one of six.
    const line = { ...samples, m: 1, features: Float64Array.of(0, 2, 10, 14) };
    const seed = 3;
    const found = density(line, 1, new RandomStream(seed, "x"));
    const values = [0, 2, 10, 14];
    const candidates = values.flatMap((a, i) =>
      values.slice(i + 1).map((b) => {
        const others = values.filter((each) => each !== a && each !== b);
        const h = (Math.abs(a - b) / 2) * 2 ** (-1 / 5);
        const normal = (z: number) => Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
        const p = (z: number) => (normal((z - a) / h) + normal((z - b) / h)) / (2 * h);
        return others.reduce((sum, z) => sum - Math.log(p(z)), 0) / 2;
      }),
    );
    expect(Math.min(...candidates.map((each) => Math.abs(each - found)))).toBeLessThan(1e-9);
    expect(Math.max(...candidates) - Math.min(...candidates)).toBeGreaterThan(1);
  });
});

describe("labels and perturbations", () => {
  const problem = (separation: number) =>
    syntheticProblem({ distribution: { separation, seed: 1 }, samples: 100, testSamples: 50, seed: 1 });
  const perturbation = (m: number, delta: number) => ({
    kernel: new RadialKernel(m, 1),
    delta,
    draws: 10,
    stream: new RandomStream(1, "x"),
  });

  test("labels that no perturbation reaches change no loss; near labels do", () => {
    const [far, near] = [problem(20), problem(0.3)];
    const { m } = far.train;
    expect(labelConstancy("ridge", far.ridge, far.train, far.distribution, perturbation(m, 0.05))).toBe(0);
    expect(labelConstancy("ridge", near.ridge, near.train, near.distribution, perturbation(m, 0.6))).toBeGreaterThan(
      0.01,
    );
  });

  test("representativeness without perturbation is the risk on one half less that on the other, head by head", () => {
    const { train } = problem(1);
    // A head that is always the same: halves differ by chance alone, and twice the halves' mean is the whole.
    const fixed = fitted("ridge", train, 1);
    const splits = 200;
    const { value, error } = representativeness("ridge", train, () => fixed, splits, perturbation(train.m, 0));
    expect(Math.abs(value)).toBeLessThan(4 * error);
    // A refitted head does worse on what it did not see.
    const refitted = representativeness(
      "ridge",
      train,
      (part) => fitted("ridge", part, 1),
      splits,
      perturbation(train.m, 0),
    );
    expect(refitted.value).toBeGreaterThan(4 * refitted.error);
  });
});

describe("a synthetic task", () => {
  const { kind, ...make } = {
    kind: "synthetic" as const,
    samples: 60,
    testSamples: 80,
    informative: 3,
    redundant: 2,
    redundantNoise: 0,
    noise: 1,
    clustersPerClass: 2,
    clusters: "round" as const,
    labels: "likelier" as const,
    flip: 0,
    phi: [] as number[],
    head: "ridge" as const,
    draws: 2,
    splits: 2,
    seed: 5,
  };
  const task: SyntheticTask = { kind, make: { kind, ...make }, separation: 1, first: 3, count: 2 };

  test("is the same a second time, whatever batch a data set is in", async () => {
    const both = await runSyntheticTask(task, nodeRuntime);
    const second = await runSyntheticTask({ ...task, first: 4, count: 1 }, nodeRuntime);
    expect(second).toEqual([both[1]]);
    expect(both[0]!.values).not.toEqual(both[1]!.values);
  });

  test("has the κ of ridge regression, 2‖w‖² mean‖x‖², and the terms made of it", async () => {
    const [run] = await runSyntheticTask({ ...task, count: 1 }, nodeRuntime);
    const seed = 5_000_003;
    const { head: _, draws: __, splits: ___, seed: ____, samples: n, testSamples, phi, ...distribution } = make;
    const {
      ridge,
      train,
      test: unseen,
    } = syntheticProblem({
      distribution: { ...distribution, separation: 1, seed },
      phi,
      samples: n,
      testSamples,
      seed,
    });
    const squares = (values: Iterable<number>) => [...values].reduce((sum, each) => sum + each * each, 0);
    const kappa = (2 * squares(ridge.weights) * squares(train.features)) / train.n;
    const values = Object.fromEntries(run!.values.map((each) => [each.measure, each.value]));
    // κ is measured in float32.
    expect(values["relative-flatness"]! / kappa).toBeCloseTo(1, 5);
    const delta = n ** (-1 / (4 + train.m));
    const { secondMoment } = new RadialKernel(train.m, 1);
    expect(values["flatness-term"]! / ((delta ** 2 * secondMoment * kappa) / 2 / train.m)).toBeCloseTo(1, 5);
    expect(values["gap-estimate"]).toBeCloseTo(
      values["flatness-term"]! + values["representativeness-refitted"]!,
      DIGITS,
    );
    expect(run!.facts["generalization-gap"]).toBe(risk("ridge", ridge, unseen).loss - risk("ridge", ridge, train).loss);
    expect(run).toMatchObject({ run: "c1-003", epoch: null, settings: { separation: 1, repetition: 3 } });
  });
});
