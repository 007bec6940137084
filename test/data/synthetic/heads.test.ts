import { describe, expect, test } from "vitest";
import { type FeatureSamples, syntheticDistribution } from "../../../src/data/synthetic.ts";
import { headRisk, type LinearHead } from "../../../src/data/synthetic/linear-head.ts";
import { logisticHead } from "../../../src/data/synthetic/logistic.ts";
import { ridgeHead } from "../../../src/data/synthetic/ridge.ts";
import { DataError, UsageError } from "../../../src/errors.ts";

/** float64 solutions of well-conditioned systems. */
const SOLVED = 1e-9;
/** Central differences with steps of 1e-4 of smooth functions in float64, relative to their sums over samples. */
const DIFFERENCES = 1e-6;

function onLine(z: readonly number[], labels: readonly number[]): FeatureSamples {
  const none = new Uint8Array(z.length);
  const features = Float64Array.from(z);
  return { n: z.length, m: 1, features, labels: Uint8Array.from(labels), flipped: none, clusters: none };
}

/** The slopes of Σ loss + penalty(w) in w and b, by central differences of {@link headRisk}. */
function slopes(samples: FeatureSamples, head: LinearHead, loss: "squaredError" | "crossEntropy", penalty: number) {
  const at = ({ weights, bias }: LinearHead) =>
    headRisk({ weights, bias }, samples)[loss] * samples.n + penalty * weights.reduce((sum, w) => sum + w * w, 0);
  const h = 1e-4;
  const moved = (j: number, by: number): LinearHead => ({
    weights: head.weights.map((w, i) => (i === j ? w + by : w)),
    bias: head.bias + (j === head.weights.length ? by : 0),
  });
  return Array.from({ length: head.weights.length + 1 }, (_, j) => (at(moved(j, h)) - at(moved(j, -h))) / (2 * h));
}

const overlapping = syntheticDistribution({ separation: 0.8, redundantNoise: 0.3, flip: 0.05 }).sample(400, 1);

describe("ridge", () => {
  test("one feature by hand: w = Σ (z − z̄)(t − t̄) / (Σ (z − z̄)² + α)", () => {
    // z̄ = 2, t̄ = 0: Σ (z − 2) t = 2 + 1 + 0 + … of t = −, −, +, +.
    const samples = onLine([0, 1, 3, 4], [0, 0, 1, 1]);
    const { weights, bias } = ridgeHead(samples, 2);
    expect(weights[0]).toBeCloseTo(6 / 12, 12);
    expect(bias).toBeCloseTo(-2 * 0.5, 12);
  });

  test.each([0, 1, 30])("α = %d: the objective has no slope there", (penalty) => {
    for (const slope of slopes(overlapping, ridgeHead(overlapping, penalty), "squaredError", penalty)) {
      expect(Math.abs(slope) / overlapping.n).toBeLessThan(DIFFERENCES);
    }
  });

  test("dependent features have a solution with a penalty, and none without", () => {
    const dependent = syntheticDistribution().sample(400, 1);
    expect(ridgeHead(dependent, 1).weights.every(Number.isFinite)).toBe(true);
    expect(() => ridgeHead(dependent, 0)).toThrow(DataError);
    expect(() => ridgeHead(dependent, 0)).toThrow(
      "synthetic: ridge: the 10 features of 400 samples are linearly dependent",
    );
  });
});

describe("logistic", () => {
  test("one binary feature by hand: b = logit p₀, w = logit p₁ − logit p₀", () => {
    const samples = onLine([0, 0, 0, 0, 0, 1, 1, 1, 1], [1, 0, 0, 0, 0, 1, 1, 1, 0]);
    const { weights, bias } = logisticHead(samples, 0);
    expect(Math.abs(bias - Math.log(1 / 4))).toBeLessThan(SOLVED);
    expect(Math.abs(weights[0]! - (Math.log(3) - Math.log(1 / 4)))).toBeLessThan(SOLVED);
  });

  test.each([0, 0.01, 10])("α = %d: the objective has no slope there", (penalty) => {
    for (const slope of slopes(overlapping, logisticHead(overlapping, penalty), "crossEntropy", penalty / 2)) {
      expect(Math.abs(slope) / overlapping.n).toBeLessThan(DIFFERENCES);
    }
  });

  test("classes that a hyperplane separates, with a penalty: steep, and still at its minimum", () => {
    const apart = syntheticDistribution({ separation: 6, labels: "cluster" }).sample(300, 1);
    const head = logisticHead(apart, 1e-4);
    expect(headRisk(head, apart).accuracy).toBe(1);
    for (const slope of slopes(apart, head, "crossEntropy", 0.5e-4)) expect(Math.abs(slope)).toBeLessThan(DIFFERENCES);
  });

  test("without a penalty such classes have no minimum, and dependent features no single one", () => {
    const apart = syntheticDistribution({ separation: 6, redundant: 0 }).sample(300, 1);
    expect(() => logisticHead(apart, 0)).toThrow("a hyperplane separates the classes of all 300 samples");
    const dependent = syntheticDistribution({ flip: 0.2 }).sample(300, 1);
    expect(() => logisticHead(dependent, 0)).toThrow("the 10 features of 300 samples are linearly dependent");
  });
});

test("risks by hand: scores 1 and −3 of classes 1 and 1", () => {
  const risk = headRisk({ weights: Float64Array.of(2), bias: -1 }, onLine([1, -1], [1, 1]));
  expect(risk.squaredError).toBeCloseTo((0 + 16) / 2, 12);
  expect(risk.crossEntropy).toBeCloseTo((Math.log(1 + Math.exp(-1)) + Math.log(1 + Math.exp(3))) / 2, 12);
  expect(risk.accuracy).toBe(0.5);
});

test.each([ridgeHead, logisticHead])("one class alone, and penalties below 0, are refused", (fit) => {
  expect(() => fit(onLine([0, 1, 2], [1, 1, 1]), 1)).toThrow("synthetic: all 3 samples are of class 1: expected both");
  expect(() => fit(onLine([0, 1], [0, 1]), -1)).toThrow(UsageError);
  expect(() => fit(onLine([0, 1], [0, 1]), Number.NaN)).toThrow(UsageError);
});
