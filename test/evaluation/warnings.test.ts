import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { syntheticProblem } from "../../src/data/synthetic/problem.ts";
import { measureWithTwins } from "../../src/evaluation/invariance.ts";
import type { Warning, WarningCode } from "../../src/evaluation/result.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { measureBound } from "../../src/theory/measure-bound.ts";
import { goldenBatch, goldenModel, goldenTruth, measureAll, rowOf } from "../golden-model.ts";
import { datasetOf, measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

// What brings each warning up, and what does not. Those that are observed in the pass have files of their own.

const of = (warnings: readonly Warning[], code: WarningCode) => warnings.filter((warning) => warning.code === code);

function linear(n: number, d = 3): Sketched {
  const s = new Sketch(971, [4]);
  return s.done(s.op("Gemm", ["x", s.rows("a", [d, 4])], { transB: 1 }), n);
}

test("few-samples: below 30", async () => {
  const warnings = async (n: number) =>
    of((await measureSketch(linear(n), "cross-entropy")).result.warnings, "few-samples");
  expect(await warnings(30)).toEqual([]);
  expect(await warnings(29)).toEqual([
    { code: "few-samples", text: "29 samples: a standard error from fewer than 30 is itself uncertain" },
  ]);
});

test.each([
  ["squared-error-mean", 1],
  ["squared-error-sum", 1],
  ["cross-entropy", 0],
  ["binary-cross-entropy", 0],
])("regression-labels: under %s %d", async (loss, count) => {
  const { warnings } = (await measureSketch(linear(4), loss)).result;
  expect(of(warnings, "regression-labels")).toHaveLength(count);
});

test("gauss-newton-differs: at the layers where the truth of the two differs by 5 % of κ, and nowhere else", async () => {
  for (const folder of ["digits-mlp-tanh", "regression-mlp-1", "digits-mlp-relu"]) {
    const measured = await measureAll(goldenModel(folder), goldenBatch(folder), { measures: ["relative-flatness"] });
    const apart = goldenTruth(folder).layers.filter(
      ({ kappa_hessian: own, kappa_ggn: other }) => Math.abs(own - other) >= 0.05 * Math.abs(own),
    );
    const nodes = new Map(measured.result.layers.map(({ name, node }) => [name, node]));
    const warned = of(measured.result.warnings, "gauss-newton-differs").map(({ layer }) => nodes.get(layer!));
    expect(warned).toEqual(apart.map(({ node_name }) => node_name));
    if (folder !== "digits-mlp-tanh") continue;
    expect(warned.length).toBeGreaterThan(0);
    const [{ text, layer }] = of(measured.result.warnings, "gauss-newton-differs") as [Warning];
    const { value, gaussNewton } = rowOf(measured, layer!, "relative-flatness");
    expect(text).toContain(
      `Gauss-Newton value is ${gaussNewton!.value.toPrecision(4)}, the Hessian's ${value.toPrecision(4)}`,
    );
  }
});

test("iteration-not-converged: six hundred eigenvalues with nothing between them", async () => {
  const size = 600;
  const s = new Sketch(972, [size]);
  // Sample i has one feature, √i: H is diagonal with 2i/n², evenly spaced.
  const x = Float32Array.from({ length: size * size }, (_, place) =>
    place % (size + 1) === 0 ? Math.sqrt(place / (size + 1)) : 0,
  );
  const net = s.done(s.op("Gemm", ["x", s.rows("a", [1, size])], { transB: 1 }), size, x);
  const { warnings } = (await measureSketch(net, "squared-error-mean", { measures: ["max-eigenvalue"], layers: ["a"] }))
    .result;
  const found = of(warnings, "iteration-not-converged");
  expect(found.map(({ layer }) => layer)).toContain("a");
  expect(found[0]!.text).toMatch(/^max-eigenvalue: 60 products leave an error bound of \d/);
});

describe("twin-differs", () => {
  /** Two neurons of about `size` that cancel: float32 has 6e-8 of it. */
  const cancelling = (size: number) => {
    const s = new Sketch(973, [2]);
    const first = s.op("Relu", [
      s.op("Gemm", ["x", s.rows("a", [2, 2], 1, [1, 0, 0, 1]), s.constant("a.bias", [2], [size, size])], { transB: 1 }),
    ]);
    return s.done(s.op("Gemm", [first, s.rows("b", [2, 2], 1, [1, -1, -1, 1])], { transB: 1 }), 30);
  };
  const warnings = async (size: number) => {
    const net = cancelling(size);
    const data = datasetOf(net, "cross-entropy");
    const sampled = { data, indices: Int32Array.from({ length: data.n }, (_, index) => index), description: "" };
    const { result } = await measureWithTwins(modelOf(net.graph), sampled, { threads: 1 }, 1, nodeRuntime);
    return of(result.warnings, "twin-differs");
  };

  test("where float32 loses the difference of large numbers", async () => {
    const found = await warnings(1e6);
    expect(found.length).toBeGreaterThan(0);
    expect(found[0]!.text).toMatch(/^the loss of a \S+ twin differs by \d\S* of its value: float32 has no digits/);
  });

  test("and not where it has the digits", async () => {
    expect(await warnings(1)).toEqual([]);
  });
});

describe("of the bound", () => {
  const distribution = { informative: 2, redundant: 0, noise: 0, separation: 1 };
  const problem = syntheticProblem({ distribution, samples: 60, testSamples: 100, seed: 5 });
  const dataOf = (samples: typeof problem.train, source: string) => {
    const { x, y } = problem.arrays(samples);
    return arrayDataset({ source, sha256: source }, [x!, y!]);
  };
  const all = (n: number) => Int32Array.from({ length: n }, (_, index) => index);
  const sampled = (data: ReturnType<typeof dataOf>) => ({ data, indices: all(data.n), description: "" });
  const model = { graph: problem.models.logistic, file: "logistic.onnx", sha256: "", opset: 18 };
  const teacher = { graph: problem.models.teacher, file: "teacher.onnx" };
  const [train, held] = [sampled(dataOf(problem.train, "train")), sampled(dataOf(problem.test, "test"))];
  const warnings = async (test: typeof held, given: object) =>
    (await measureBound(model, train, test, { threads: 1, draws: 4, delta: 0.1, ...given }, nodeRuntime)).warnings;

  test("held-out-seen: how many samples are in both", async () => {
    const both = {
      ...problem.test,
      n: 107,
      features: Float64Array.of(...problem.test.features, ...problem.train.features.slice(0, 2 * 7)),
      labels: Uint8Array.of(...problem.test.labels, ...problem.train.labels.slice(0, 7)),
    };
    const found = of(await warnings(sampled(dataOf(both, "both")), { teacher }), "held-out-seen");
    expect(found.map(({ text }) => text)).toEqual([
      "7 of the 107 held-out samples are in the training data: E(f) is estimated too low",
    ]);
    expect(of(await warnings(held, { teacher }), "held-out-seen")).toEqual([]);
  });

  test("labels-unknown: without a teacher", async () => {
    expect(of(await warnings(held, {}), "labels-unknown")).toHaveLength(1);
    expect(of(await warnings(held, { teacher }), "labels-unknown")).toEqual([]);
  });
});
