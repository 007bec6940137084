import { beforeAll, describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { syntheticProblem } from "../../src/data/synthetic/problem.ts";
import type { FeatureSamples } from "../../src/data/synthetic.ts";
import { openLayer } from "../../src/evaluation/opened-layer.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { decomposition, type Decomposition } from "../../src/theory/decomposition.ts";
import { kdeRepresentativeness } from "../../src/theory/kde-representativeness.ts";
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

  test("robustness, label term and label constancy are those of float64 and other vectors", () => {
    const names = ["feature robustness", "label term", "label constancy"];
    for (const [index, { value, error }] of partsByHand(200).entries()) {
      const found = row(names[index]!);
      const joint = Math.hypot(error, found.standardError!);
      expect(Math.abs(found.value! - value), names[index]).toBeLessThan(STANDARD_ERRORS * joint);
      expect(joint, names[index]).toBeLessThan(0.1 * Math.abs(value));
    }
  });

  test("the error of a density estimate stands beside them", () => {
    const { value, standardError, status, note } = row("kde-representativeness");
    const features = problem.train.features.map(Math.fround);
    expect(value).toBeCloseTo(kdeRepresentativeness(features, m, options.seed)!.value, 4);
    expect(standardError).toBeGreaterThan(0);
    expect([status, note]).toEqual(["estimated", expect.stringContaining("random splits")]);
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

/** The parts in float64, with vectors of their own: the kernel by rejection, the head's scores, the distribution's labels. */
function partsByHand(draws: number) {
  const { weights, bias } = problem.logistic;
  const { n, features, labels } = problem.train;
  const random = new RandomStream(99, "by hand");
  const loss = (z: ArrayLike<number>, label: number) => {
    const score = weights.reduce((sum, weight, j) => sum + weight * z[j]!, bias);
    return Math.log1p(Math.exp(label === 1 ? -score : score));
  };
  const point = () => {
    for (;;) {
      const candidate = Array.from({ length: m }, () => 2 * random.uniform() - 1);
      const squared = candidate.reduce((sum, value) => sum + value * value, 0);
      // σ = 1.
      if (squared < 1 && random.uniform() < Math.exp(-squared / 2)) return candidate;
    }
  };
  const sums = Array.from({ length: draws }, () => {
    let [kept, moved, constancy] = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      const z = features.subarray(i * m, (i + 1) * m);
      const length = Math.hypot(...z);
      const xi = point();
      const there = Array.from(z, (value, j) => value + DELTA * length * xi[j]!);
      const [constant, truly] = [loss(there, labels[i]!), loss(there, problem.distribution.label(there))];
      kept += (constant - loss(z, labels[i]!)) / n;
      moved += (truly - constant) / n;
      constancy += Math.abs(truly - constant) / n;
    }
    return [kept, moved, constancy];
  });
  return [0, 1, 2].map((part) => {
    const value = sums.reduce((sum, each) => sum + each[part]! / draws, 0);
    const squares = sums.reduce((sum, each) => sum + (each[part]! - value) ** 2, 0);
    return { value, error: Math.sqrt(squares / draws / (draws - 1)) };
  });
}

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
    // A model fitted to a whole source of which a few samples are given as training data.
    const few = { ...train, indices: train.indices.subarray(0, 100) };
    await expect(measureBound(model, few, train, options, nodeRuntime)).rejects.toThrow(
      /it is what the training data are taken from, 100 of its 300 samples are among these/,
    );
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
