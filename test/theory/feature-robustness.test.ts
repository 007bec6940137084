import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import {
  covarianceFamily,
  type FeatureFamily,
  kernelFamily,
  neuronFamily,
  orthogonalFamily,
} from "../../src/theory/feature-family.ts";
import { featureRobustness, type RobustnessTask } from "../../src/theory/feature-robustness.ts";
import { directionMatrix, givenMatrix } from "../../src/theory/feature-matrix.ts";
import { RadialKernel } from "../../src/theory/radial-kernel.ts";
import type { RobustnessRow } from "../../src/theory/result.ts";
import { averageTheory, taylorTheory, type Theory } from "../../src/theory/robustness-theory.ts";
import { goldenBatch, goldenModel, goldenPath } from "../golden-model.ts";
import { withLayer } from "./opened.ts";

/** Differences of float32 losses (each to 1e-7 of itself), summed in float64. */
const RELATIVE = 1e-4;
const ABSOLUTE = 1e-7;
/** Estimates lie within this many standard errors at fixed seeds. */
const STANDARD_ERRORS = 4;

interface Haar {
  readonly mean: number;
  readonly se: number;
  readonly mean_antithetic: number;
  readonly se_antithetic: number;
  readonly delta2_over_2m_kappa: number;
}

const twins = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
  feature_robustness_last_layer: {
    kappa: number;
    m: number;
    deltas: Record<string, Haar>;
    "all_projections_delta_0.1": number[];
    orthogonal4_npz: Record<string, number[]>;
    orthogonal4_derivatives: { first_order: number; quadratic: number }[];
  };
};
const truth = twins.feature_robustness_last_layer;
const model = goldenModel("digits-mlp-relu");
const data = goldenBatch("digits-mlp-relu");
const deltas = [0.01, 0.03, 0.1, 0.3];

async function rowsOf(
  family: FeatureFamily,
  task: Partial<RobustnessTask> = {},
  theory?: Theory,
  batch?: number,
): Promise<RobustnessRow[]> {
  const whole = { family, deltas, draws: 200, seed: 7, antithetic: false, ...task };
  return withLayer(
    model,
    data,
    "last",
    async (opened) => featureRobustness(opened, whole, theory ?? (await taylorTheory(opened, whole))),
    { batch },
  );
}

function expectClose(value: number, expected: number): void {
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(RELATIVE * Math.abs(expected) + ABSOLUTE);
}

describe("given matrices", () => {
  test("four orthogonal ones: E_F and its two derivatives are those of float64", async () => {
    const path = goldenPath("digits-mlp-relu", "orthogonal4.npz");
    const npz = parseNpz(readFileSync(path), path);
    const { data: all, dims } = npz.array(npz.names[0] as string);
    const m = dims.at(-1) as number;
    const members = await Promise.all(
      [0, 1, 2, 3].map((k) => givenMatrix(String(k), all.subarray(k * m * m, (k + 1) * m * m) as Float64Array, m)),
    );
    const rows = await rowsOf({ kind: "given", name: "matrix", members });
    expect(rows).toHaveLength(16);
    for (const { delta, matrix, measured, theory, standardError } of rows) {
      const k = Number(matrix);
      expectClose(measured, truth.orthogonal4_npz[String(delta)]![k]!);
      const { first_order, quadratic } = truth.orthogonal4_derivatives[k]!;
      const expected = delta * first_order + (delta ** 2 / 2) * quadratic;
      expect(Math.abs(theory! - expected)).toBeLessThanOrEqual(1e-5 * Math.abs(delta * first_order));
      expect(standardError).toBeNull();
    }
  });

  test("projections onto every neuron", async () => {
    const rows = await rowsOf(neuronFamily(truth.m), { deltas: [0.1] });
    expect(rows.map((row) => row.matrix)).toEqual(Array.from({ length: 32 }, (_, j) => `e_${j}`));
    rows.forEach(({ measured }, j) => expectClose(measured, truth["all_projections_delta_0.1"][j]!));
  });

  test("do not depend on the batch size", async () => {
    const [whole, parts] = await Promise.all([
      rowsOf(neuronFamily(truth.m), { deltas: [0.3] }),
      rowsOf(neuronFamily(truth.m), { deltas: [0.3] }, undefined, 24),
    ]);
    parts.forEach(({ measured, theory, dataError }, j) => {
      expectClose(measured, whole[j]!.measured);
      expectClose(theory!, whole[j]!.theory!);
      expectClose(dataError!, whole[j]!.dataError!);
    });
  });
});

describe("averages over orthogonal matrices", () => {
  const theory = averageTheory(1, truth.m, { value: truth.kappa, probeError: 0 });
  test("lie within joint standard errors of float64 averages over other draws", async () => {
    const rows = await rowsOf(orthogonalFamily(truth.m), { draws: 2_000, antithetic: true }, theory);
    for (const { delta, measured, standardError } of rows) {
      const { mean_antithetic: mean, se_antithetic: error } = truth.deltas[String(delta)]!;
      expect(Math.abs(measured - mean)).toBeLessThanOrEqual(STANDARD_ERRORS * Math.hypot(standardError!, error));
      expect(standardError! / (error * Math.sqrt(10))).toBeGreaterThan(0.9);
      expect(standardError! / (error * Math.sqrt(10))).toBeLessThan(1.1);
    }
  });

  test("of 20 000 pairs are the theory's within 1 % at δ = 0.03", async () => {
    const [row] = await rowsOf(orthogonalFamily(truth.m), { draws: 20_000, antithetic: true, deltas: [0.03] }, theory);
    expect(row!.theory).toBeCloseTo(truth.deltas["0.03"]!.delta2_over_2m_kappa, 9);
    expect(Math.abs(row!.measured / row!.theory! - 1)).toBeLessThanOrEqual(0.01);
  }, 240_000);

  test("without pairs are noisier by the odd orders, and as honest", async () => {
    const alone = await rowsOf(orthogonalFamily(truth.m), { draws: 2_000 }, theory);
    for (const { delta, measured, standardError } of alone) {
      const { mean_antithetic: mean, se } = truth.deltas[String(delta)]!;
      expect(Math.abs(measured - mean)).toBeLessThanOrEqual(STANDARD_ERRORS * standardError!);
      // A standard error from 2 000 draws is known to some 2 %, of a skewed law to some more.
      expect(standardError! / (se * Math.sqrt(10))).toBeGreaterThan(0.9);
      expect(standardError! / (se * Math.sqrt(10))).toBeLessThan(1.1);
    }
  });
});

test("standard errors over draws cover the mean as often as they say", async () => {
  const theory = averageTheory(1, truth.m, { value: truth.kappa, probeError: 0 });
  const { mean_antithetic: mean } = truth.deltas["0.1"]!;
  const repeats = 200;
  const family = orthogonalFamily(truth.m);
  const inside = await withLayer(model, data, "last", async (opened) => {
    let count = 0;
    for (let seed = 0; seed < repeats; seed++) {
      const task = { family, draws: 50, seed, deltas: [0.1], antithetic: false };
      const [row] = await featureRobustness(opened, task, theory);
      if (Math.abs(row!.measured - mean) <= 1.96 * row!.standardError!) count += 1;
    }
    return count;
  });
  // 95 % of 200, within four of the count's own standard deviations.
  expect(inside / repeats).toBeGreaterThan(0.95 - 4 * Math.sqrt((0.95 * 0.05) / repeats));
  expect(inside).toBeLessThan(repeats);
});

test("the kernel's rO has E[s²] of what O has, and σ narrows it", async () => {
  for (const sigma of [1, 0.1]) {
    const family = kernelFamily(truth.m, sigma);
    const { secondMoment } = new RadialKernel(truth.m, sigma);
    expect(family.shareOfFlatness).toBe(secondMoment);
    const theory = averageTheory(secondMoment, truth.m, { value: truth.kappa, probeError: 0 });
    const [row] = await rowsOf(family, { draws: 2_000, antithetic: true, deltas: [0.03] }, theory);
    // Beyond second order the average at δ = 0.03 is 0.1 % off.
    const bias = 2e-3 * row!.theory!;
    expect(Math.abs(row!.measured - row!.theory!)).toBeLessThanOrEqual(STANDARD_ERRORS * row!.standardError! + bias);
    expect(row!.standardError! / row!.theory!).toBeLessThan(0.02);
  }
});

describe("robust for all α up to δ", () => {
  test("is decided where |E_F| is largest, which may be below δ", async () => {
    // The identity: E_F falls to −1.2e-3 at α = 0.1 and is +2.1e-3 at 0.3.
    const identity = await givenMatrix(
      "identity",
      Float64Array.from({ length: 1024 }, (_, k) => Number(k % 33 === 0)),
      32,
    );
    const rows = await rowsOf(
      { kind: "given", name: "matrix", members: [identity] },
      { deltas: [0.01, 0.2], epsilon: 5e-4 },
    );
    expect(rows.map((row) => row.holds)).toEqual([true, false]);
    const { worst, measured } = rows[1]!;
    expect(worst!.alpha).toBeLessThan(0.2);
    expect(Math.abs(worst!.measured)).toBeGreaterThan(Math.abs(measured));
    expect(rows[0]!.worst!.alpha).toBe(0.01);
  });
});

describe("the last layer by hand, in float64", () => {
  const m = truth.m;
  const next = new RandomStream(3, "by hand");
  const gaussian = (length: number) => Float64Array.from({ length }, () => next.normal());

  /** W, and features and logits of each sample. */
  async function samples() {
    const path = goldenPath("digits-mlp-relu", "batch.npz");
    const npz = parseNpz(readFileSync(path), path);
    const [logits, y] = [npz.array("logits_f64").data as Float64Array, npz.array("y").data as BigInt64Array];
    const { matrix, features } = await withLayer(model, data, "last", async (opened) => {
      const all = new Float64Array(opened.n * m);
      for await (const batch of opened.batches()) all.set(await batch.features(), batch.start * m);
      return { matrix: opened.matrix, features: all };
    });
    const d = matrix.length / m;
    return Array.from({ length: y.length }, (_, i) => ({
      logits: logits.subarray(i * d, (i + 1) * d),
      features: features.subarray(i * m, (i + 1) * m),
      label: Number(y[i]),
      matrix,
      d,
    }));
  }

  const inner = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, index) => sum + value * b[index]!, 0);
  const rowOf = (matrix: Float64Array, k: number) => matrix.subarray(k * m, (k + 1) * m);
  const crossEntropy = (logits: number[], label: number) => {
    const largest = Math.max(...logits);
    return largest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - largest), 0)) - logits[label]!;
  };
  const softmax = (logits: ArrayLike<number>) => {
    const powers = Array.from(logits, (value) => Math.exp(value - Math.max(...Array.from(logits))));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  };

  test("directions v vᵀ: logits + δ ⟨v, φ⟩ W v", async () => {
    const all = await samples();
    const directions = [0.3, 1].map((length) => {
      const v = gaussian(m);
      const size = Math.sqrt(inner(v, v));
      return v.map((value) => (length * value) / size);
    });
    const members = directions.map((v, index) => directionMatrix(`${index}`, v));
    const rows = await rowsOf({ kind: "given", name: "directions", members }, { deltas: [0.1, 0.3] });
    for (const { matrix: name, delta, measured, theory } of rows) {
      const v = directions[Number(name)]!;
      let [sum, first, second] = [0, 0, 0];
      for (const { logits, features, label, matrix, d } of all) {
        const along = inner(v, features);
        const push = Array.from({ length: d }, (_, k) => along * inner(rowOf(matrix, k), v));
        const moved = push.map((value, k) => logits[k]! + delta * value);
        sum += (crossEntropy(moved, label) - crossEntropy([...logits], label)) / all.length;
        const p = softmax(logits);
        const mean = inner(p, push);
        first += (mean - push[label]!) / all.length;
        const squares = push.map((value) => (value - mean) ** 2);
        second += inner(p, squares) / all.length;
      }
      expectClose(measured, sum);
      const expected = delta * first + (delta ** 2 / 2) * second;
      expect(Math.abs(theory! - expected)).toBeLessThan(1e-5 * Math.abs(delta * first) + 1e-5 * delta ** 2 * second);
    }
  });

  test("a covariance C: δ²/2m · mean ‖φ‖² (Σ p_s w_s C w_sᵀ − Σ p_s p_s' w_s C w_s'ᵀ), in measurement and theory", async () => {
    const all = await samples();
    // B Bᵀ for a random B, scaled to an eigenvalue of at most 1 by its trace.
    const b = gaussian(m * m);
    const product = Float64Array.from({ length: m * m }, (_, index) =>
      inner(rowOf(b, Math.floor(index / m)), rowOf(b, index % m)),
    );
    const largest = 4.2 * m;
    const covariance = product.map((value) => value / largest);
    const after = (row: Float64Array) => Array.from({ length: m }, (_, j) => inner(row, rowOf(covariance, j)));
    let shape = 0;
    for (const { logits, features, matrix, d } of all) {
      const p = softmax(logits);
      const changed = Array.from({ length: d }, (_, k) => after(rowOf(matrix, k)));
      const mixed = Array.from({ length: m }, (_, j) => p.reduce((sum, each, k) => sum + each * matrix[k * m + j]!, 0));
      const own = p.reduce((sum, each, k) => sum + each * inner(rowOf(matrix, k), changed[k]!), 0);
      shape += (inner(features, features) * (own - inner(mixed, after(Float64Array.from(mixed))))) / all.length;
    }
    const delta = 0.03;
    const expected = (delta ** 2 * shape) / (2 * m);
    const family = await covarianceFamily("C", covariance, m);
    const [row] = await rowsOf(family, { draws: 1_000, antithetic: true, deltas: [delta] });
    // Beyond second order the average at δ = 0.03 is 0.1 % off.
    const bias = 2e-3 * expected;
    expect(Math.abs(row!.theory! - expected)).toBeLessThan(STANDARD_ERRORS * row!.theoryError!);
    expect(Math.abs(row!.measured - expected)).toBeLessThan(STANDARD_ERRORS * row!.standardError! + bias);
    expect(row!.standardError!).toBeLessThan(0.03 * expected);
    // κ itself, of the same trace, is another number.
    const trace = covariance.reduce((sum, value, index) => (index % (m + 1) === 0 ? sum + value / m : sum), 0);
    const round = (delta ** 2 * truth.kappa * trace) / (2 * m);
    expect(Math.abs(round - expected)).toBeGreaterThan(STANDARD_ERRORS * row!.standardError!);
  });
});

describe("is refused", () => {
  test("where losses overflow", async () => {
    await expect(rowsOf(orthogonalFamily(truth.m), { deltas: [0.1, 1e38], draws: 2 })).rejects.toThrow(
      /layer 4: the loss is no finite number where its features move by δ = 1e\+38; expected a smaller delta/,
    );
  });

  test("for a matrix that is longer than 1, or no matrix", async () => {
    const ones = new Float64Array(4).fill(1);
    await expect(givenMatrix("0", ones, 2)).rejects.toThrow(/spectral norm of at most 1, it has 2\.000/);
    await expect(givenMatrix("0", [1, 0, Number.NaN, 0], 2, "A.npy")).rejects.toThrow(
      /^A\.npy: element \[1, 0\] is NaN/,
    );
    await expect(covarianceFamily("C.npy", [1, 0, 0, Number.NaN], 2)).rejects.toThrow(
      /C\.npy: element \[1, 1\] is NaN/,
    );
    await expect(covarianceFamily("C.npy", [0.5, 0.6, 0.6, 0.5], 2)).rejects.toThrow(/expected no negative eigenvalue/);
    expect(() => directionMatrix("0", [1, 1])).toThrow(/length of at most 1, it has 1\.414/);
  });
});
