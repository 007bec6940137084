import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../../src/data/array-dataset.ts";
import { syntheticDistribution } from "../../../src/data/synthetic.ts";
import { headRisk } from "../../../src/data/synthetic/linear-head.ts";
import { networkFor, syntheticProblem } from "../../../src/data/synthetic/problem.ts";
import { UsageError } from "../../../src/errors.ts";
import { measureModel } from "../../../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../../../src/evaluation/options.ts";
import type { Graph } from "../../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../../src/graph/onnx.ts";
import { nodeRuntime } from "../../../src/runtime/node.ts";

/** float32 scores of float64 heads, in losses of about 1. */
const FLOAT32 = 1e-5;
/** float32 sums of squares of distances, as logarithms of probabilities. */
const LOGARITHMS = 1e-4;

const problem = syntheticProblem({
  distribution: { flip: 0.05, clusters: "stretched", seed: 2 },
  phi: [32, 16],
  samples: 300,
  testSamples: 400,
});

async function measured(graph: Graph, samples = problem.test, options: MeasureOptions = {}) {
  const data = arrayDataset({ source: "synthetic", sha256: "" }, Object.values(problem.arrays(samples)));
  const indices = Int32Array.from({ length: data.n }, (_, index) => index);
  const subject = { graph: decodeModel(encodeModel(graph)), file: "model", sha256: "", opset: 18 };
  const sampled = { data, indices, description: "" };
  return (await measureModel(subject, sampled, { threads: 1, layers: "last", ...options }, nodeRuntime)).result;
}

describe("the models", () => {
  test("logistic: the runtime's risk on inputs is the head's on features", async () => {
    for (const samples of [problem.train, problem.test]) {
      const { loss } = await measured(problem.models.logistic, samples);
      const risk = headRisk(problem.logistic, samples);
      expect(Math.abs(loss.value - risk.crossEntropy)).toBeLessThan(FLOAT32);
      expect(loss.accuracy).toBeCloseTo(risk.accuracy, 10);
    }
  });

  test("ridge: the runtime's squared error to target is the head's", async () => {
    const { loss } = await measured(problem.models.ridge, problem.test, { labels: "target" });
    expect(Math.abs(loss.value - headRisk(problem.ridge, problem.test).squaredError)).toBeLessThan(FLOAT32);
  });

  test("κ of the logistic head is mean ‖z‖² p (1 − p) ‖w‖²", async () => {
    const { n, m, features } = problem.train;
    const { weights, bias } = problem.logistic;
    let expected = 0;
    for (let i = 0; i < n; i++) {
      const z = features.subarray(i * m, (i + 1) * m);
      const p = 1 / (1 + Math.exp(-z.reduce((sum, value, j) => sum + value * weights[j]!, bias)));
      expected += (z.reduce((sum, value) => sum + value ** 2, 0) * p * (1 - p)) / n;
    }
    expected *= weights.reduce((sum, w) => sum + w * w, 0);
    const { results } = await measured(problem.models.logistic, problem.train);
    const kappa = results.find(({ measure }) => measure === "relative-flatness")!;
    expect(kappa.layer).toBe("head");
    expect(Math.abs(kappa.value / expected - 1)).toBeLessThan(FLOAT32);
  });

  test("teacher: its softmax is P(class | z), its likeliest class y(z)", async () => {
    const { distribution, train, models } = problem;
    const session = await nodeRuntime.open(models.teacher, { provider: "cpu", threads: 1 });
    const features = Float32Array.from(train.features);
    const outputs = await session.run(
      new Map([["features", { type: "float32", dims: [train.n, train.m], data: features }]]),
    );
    await session.release();
    const logits = outputs.get("logits")!.data as Float32Array;
    const clean = syntheticDistribution({ ...distribution.options, labels: "cluster", flip: 0 });
    for (let i = 0; i < train.n; i++) {
      const z = train.features.subarray(i * train.m, (i + 1) * train.m);
      const probability = 1 / (1 + Math.exp(logits[2 * i]! - logits[2 * i + 1]!));
      expect(Math.abs(probability - clean.probability(z))).toBeLessThan(LOGARITHMS);
      if (Math.abs(probability - 0.5) > LOGARITHMS) expect(probability > 0.5 ? 1 : 0).toBe(distribution.label(z));
      // Exact in the informative features' density too, where these are all there are.
      const parts = distribution.mixture.logDensity(z);
      const total = Math.log(Math.exp(logits[2 * i]! - parts) + Math.exp(logits[2 * i + 1]! - parts));
      expect(Math.abs(total)).toBeLessThan(LOGARITHMS);
    }
  });

  test("without φ the inputs are the features", async () => {
    const plain = syntheticProblem({ samples: 50, testSamples: 5 });
    const arrays = plain.arrays(plain.train);
    expect(arrays["x"]!.data).toEqual(arrays["features"]!.data);
    expect(plain.models.phi).toBeUndefined();
    expect(plain.models.ridge.inputs).toEqual([{ name: "x", type: "float32", dims: ["batch", 10] }]);
  });

  test("a network that is there already serves other samples of as many features", () => {
    const network = networkFor(syntheticDistribution({ separation: 5 }), [16, 12]);
    const other = syntheticProblem({ distribution: { separation: 0.5 }, phi: network, samples: 40, testSamples: 5 });
    expect(other.network).toBe(network);
    expect(other.arrays(other.test)["x"]!.dims).toEqual([5, 16]);
    expect(() => syntheticProblem({ distribution: { noise: 4 }, phi: network })).toThrow(
      "synthetic: phi makes 10 features, the distribution has 11: expected as many.",
    );
  });
});

test("the test samples are others than the training samples, whatever the seed", () => {
  const at = (seed: number) => syntheticProblem({ samples: 30, testSamples: 30, seed });
  const [first, second] = [at(0), at(1)];
  expect(first.train.features).not.toEqual(first.test.features);
  expect(second.train.features).not.toEqual(first.train.features);
  expect(second.train.features).not.toEqual(first.test.features);
});

test.each([
  [{ samples: 0 }, "synthetic: samples: expected a whole number from 1, came 0."],
  [{ testSamples: 1.5 }, "synthetic: testSamples: expected a whole number from 1, came 1.5."],
  [{ samples: 1e9 }, "synthetic: 1000000000 + 2000 samples of 10 inputs: expected at most 26843545 in all."],
])("refuses %j", (options, message) => {
  expect(() => syntheticProblem(options)).toThrow(UsageError);
  expect(() => syntheticProblem(options)).toThrow(message);
});
