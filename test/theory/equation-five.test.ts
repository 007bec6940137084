import { beforeAll, describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { syntheticProblem } from "../../src/data/synthetic/problem.ts";
import type { FeatureSamples } from "../../src/data/synthetic.ts";
import { openLayer } from "../../src/evaluation/opened-layer.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { decomposition, type Decomposition } from "../../src/theory/decomposition.ts";
import { measureBound } from "../../src/theory/measure-bound.ts";
import type { BoundRow } from "../../src/theory/result.ts";

/** Both sides of equation 5 are estimates. */
const STANDARD_ERRORS = 4;
const DELTA = 0.4;

const distribution = { informative: 3, redundant: 0, noise: 2, separation: 1.2 };
const problem = syntheticProblem({ distribution, samples: 300, testSamples: 40_000, seed: 3 });
const dataOf = (samples: FeatureSamples, source: string) => {
  const { x, y } = problem.arrays(samples);
  const data = arrayDataset({ source, sha256: source }, [x!, y!]);
  return { data, indices: Int32Array.from({ length: data.n }, (_, index) => index), description: "" };
};
const [train, held] = [dataOf(problem.train, "train"), dataOf(problem.test, "test")];
const model = { graph: problem.models.logistic, file: "logistic.onnx", sha256: "", opset: 18 };
const { m } = problem.distribution;
const known = {
  m,
  kind: "known" as const,
  sample: (n: number, seed: number) => problem.distribution.sample(n, seed, "test").features,
  derivatives: (z: ArrayLike<number>) => problem.distribution.derivatives(z),
};
const options = { threads: 1, draws: 1_000, delta: DELTA, seed: 5 };

describe("equation 5 on a known distribution", () => {
  let rows: readonly BoundRow[];
  const row = (quantity: string) => rows.find((each) => each.quantity === quantity)!;
  beforeAll(async () => {
    const teacher = { graph: problem.models.teacher, file: "teacher.onnx" };
    ({ rows } = await measureBound(model, train, held, { ...options, teacher, density: known }, nodeRuntime));
  }, 240_000);

  test("the parts, each by a route of its own, make the gap", () => {
    const gap = row("gap");
    const parts = ["representativeness", "feature robustness", "label term"].map((name) => row(name));
    const sum = parts.reduce((total, part) => total + part.value!, 0);
    const { standardError, value } = row("sum");
    expect(sum).toBeCloseTo(value!, 10);
    expect(Math.abs(value! - gap.value!)).toBeLessThan(STANDARD_ERRORS * row("sum − gap").standardError!);
    expect(row("sum − gap").standardError!).toBeLessThan(0.1 * Math.abs(row("feature robustness").value!));
    expect(standardError!).toBeGreaterThan(gap.standardError!);
  });

  test("labels are not constant, and their term is below the constancy", () => {
    const [term, constancy] = [row("label term"), row("label constancy")];
    expect(constancy.value!).toBeGreaterThan(STANDARD_ERRORS * constancy.standardError!);
    expect(Math.abs(term.value!)).toBeLessThan(constancy.value!);
  });

  test("the risk is that of the distribution", () => {
    const { value, standardError } = row("E(f)");
    const other = problem.distribution.sample(40_000, 77, "test");
    const { weights, bias } = problem.logistic;
    let [sum, squares] = [0, 0];
    for (let index = 0; index < other.n; index++) {
      const z = other.features.subarray(index * m, (index + 1) * m);
      const score = z.reduce((total, each, j) => total + each * weights[j]!, bias);
      const loss = Math.log1p(Math.exp(-(2 * other.labels[index]! - 1) * score));
      [sum, squares] = [sum + loss / other.n, squares + loss ** 2 / other.n];
    }
    const error = Math.hypot(standardError!, Math.sqrt((squares - sum ** 2) / other.n));
    expect(Math.abs(value! - sum)).toBeLessThan(STANDARD_ERRORS * error);
  });

  test("Theorem 6 has constants, and says that they are of the known density", () => {
    const [rate, flat, c1, c2, total] = ["rate n^(−2/(4+m))", "κ/2m", "C1", "C2", "bound"].map(
      (name) => row(name).value!,
    );
    expect(rate).toBeCloseTo(300 ** (-2 / (4 + m)), 12);
    expect(total! / (rate! * (flat! + c1! + c2! / Math.sqrt(0.05)))).toBeCloseTo(1, 9);
    expect(row("C1").note).toContain("known density");
    for (const name of ["C1", "C2", "bound"]) expect(row(name).status).toBe("theoretical");
  });
});

describe("with the bandwidth of √‖φ‖", () => {
  let parts: Decomposition;
  beforeAll(async () => {
    const opened = await openLayer(model, train, "last", { threads: 1 }, nodeRuntime);
    try {
      let sum = 0;
      for await (const batch of opened.batches()) (await batch.losses()).forEach((loss) => (sum += loss));
      parts = await decomposition(opened, sum / opened.n, { mean: 1, drawError: null, dataError: 0 }, undefined, {
        ...options,
        sigma: 1,
        bandwidth: (length) => DELTA * Math.sqrt(length),
      });
    } finally {
      await opened.close();
    }
  }, 240_000);

  test("equation 5 fails", () => {
    const { value, error } = parts.residual;
    expect(Math.abs(value)).toBeGreaterThan(STANDARD_ERRORS * error);
  });
});

describe("is refused", () => {
  const bound = (given: object, test = held) => measureBound(model, train, test, { ...options, ...given }, nodeRuntime);

  test("on held-out data that is training data", async () => {
    await expect(bound({}, train)).rejects.toThrow(/300 of its 300 samples are in the training data/);
    const fold = { ...train, indices: train.indices.subarray(0, 100) };
    await expect(bound({}, fold)).rejects.toThrow(/never saw/);
  });

  test("with an empty class", async () => {
    const ones = Int32Array.from(held.indices).filter((index) => problem.test.labels[index] === 1);
    await expect(bound({}, { ...held, indices: ones })).rejects.toThrow(/class 0 is empty/);
  });

  test.each([
    [{ delta: 0 }, /delta 0: expected a number above 0/],
    [{ delta: -0.1 }, /delta -0.1/],
    [{ sigma: 0 }, /sigma 0/],
    [{ probability: 1 }, /probability 1/],
    [{ draws: 1 }, /draws 1/],
  ])("for %o", async (given, message) => {
    await expect(bound(given)).rejects.toThrow(message);
  });
});
