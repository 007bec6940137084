import { describe, expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import type { Loss } from "../../src/losses/loss.ts";
import { squaredErrorMean, squaredErrorSum } from "../../src/losses/squared-error.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { maximumError } from "../float64-array.ts";
import { losses64, softmax } from "../float64-curvature.ts";
import { valuesOf } from "../run-graph.ts";
import { classScores } from "./class-scores.ts";

/** float32 columns against diag(p) − ppᵀ of float64, entry by entry, in units of the largest entry of a sample. */
const ROUNDING = 1e-6;
/** A sum of the same float32 products in parts. */
const SAME = 1e-6;
/** An average over independent draws lies this many of its standard errors from the truth at most, at a fixed seed. */
const STANDARD_ERRORS = 4;

interface Columns {
  readonly count: number;
  readonly data: Float64Array;
}

async function columnsOf(loss: Loss, scores: readonly (readonly number[])[]): Promise<Columns> {
  const b = new Builder();
  const outputs = b.input("f", "float32", [scores.length, scores[0]!.length]);
  const columns = loss.columns(b, outputs);
  const { r } = await valuesOf(b, { r: columns }, { f: scoresArray(scores) });
  return { count: b.dims(columns)[0]!, data: r! };
}

function scoresArray(scores: readonly (readonly number[])[]) {
  return { type: "float32" as const, dims: [scores.length, scores[0]!.length], data: Float32Array.from(scores.flat()) };
}

/** Σ_c r_c r_cᵀ of one sample from columns [K, B, C]. */
function outerProducts({ count, data }: Columns, sample: number, samples: number, classes: number): Float64Array {
  const total = new Float64Array(classes ** 2);
  for (let column = 0; column < count; column++) {
    const r = data.subarray((column * samples + sample) * classes, (column * samples + sample + 1) * classes);
    for (let j = 0; j < classes; j++) for (let k = 0; k < classes; k++) total[j * classes + k]! += r[j]! * r[k]!;
  }
  return total;
}

describe("softmax cross-entropy", () => {
  const hessian = losses64[0]!.hessian;

  test.each(Object.entries(classScores))(
    "R Rᵀ = diag(p) − p pᵀ with one column less than classes: %s",
    async (_, scores) => {
      const columns = await columnsOf(crossEntropy, scores);
      const classes = scores[0]!.length;
      expect(columns.count).toBe(classes - 1);
      expect(crossEntropy.columnCount(classes)).toBe(classes - 1);
      scores.forEach((row, sample) => {
        const truth = hessian(Float64Array.from(row));
        // Where float32 has no such number, 0 is right.
        const scale = Math.max(...truth.map(Math.abs)) < 1e-37 ? truth.map(() => 0) : truth;
        expect(maximumError(outerProducts(columns, sample, scores.length, classes), scale)).toBeLessThan(ROUNDING);
      });
    },
  );

  test("a confident sample keeps its digits, class by class", async () => {
    const scores = classScores["confident"]!;
    const columns = await columnsOf(crossEntropy, scores);
    scores.forEach((row, sample) => {
      const truth = hessian(Float64Array.from(row));
      const got = outerProducts(columns, sample, scores.length, 5);
      for (let j = 0; j < 5; j++) {
        expect(maximumError(got.subarray(j * 6, j * 6 + 1), truth.subarray(j * 6, j * 6 + 1))).toBeLessThan(ROUNDING);
      }
    });
  });

  test("columns in chunks, the last one padded with weight 0, add up to the same", async () => {
    const scores = classScores["ordinary"]!;
    const [samples, classes] = [scores.length, scores[0]!.length];
    const whole = await columnsOf(crossEntropy, scores);
    const size = 4;
    const b = new Builder();
    const outputs = b.input("f", "float32", [samples, classes]);
    const chunk = { numbers: b.input("n", "int64", [size]), weights: b.input("w", "float32", [size]), size };
    const r = crossEntropy.columns(b, outputs, chunk);
    const parts: number[] = [];
    for (let first = 0; first < classes - 1; first += size) {
      const numbers = Array.from({ length: size }, (_, slot) => Math.min(first + slot, classes - 2));
      const weights = Float32Array.from({ length: size }, (_, slot) => Number(first + slot < classes - 1));
      const feeds = {
        f: scoresArray(scores),
        n: { type: "int64" as const, dims: [size], data: BigInt64Array.from(numbers, BigInt) },
        w: { type: "float32" as const, dims: [size], data: weights },
      };
      parts.push(...(await valuesOf(b, { r }, feeds))["r"]!);
    }
    const columns = { count: parts.length / (samples * classes), data: Float64Array.from(parts) };
    expect(columns.count).toBe(12);
    for (let sample = 0; sample < samples; sample++) {
      const together = outerProducts(columns, sample, samples, classes);
      expect(maximumError(together, outerProducts(whole, sample, samples, classes))).toBeLessThan(SAME);
    }
  });
});

describe("estimated columns", () => {
  const draws = 2000;

  test.each([5, 10])("%d classes: R Rᵀ averages to the Hessian over random signs", async (classes) => {
    const scores = classScores["ordinary"]!.map((row) => row.slice(0, classes));
    const samples = scores.length;
    const b = new Builder();
    // All draws at once: a draw is a batch of the same samples with other signs.
    const batch = samples * draws;
    const outputs = b.input("f", "float32", [batch, classes]);
    const r = crossEntropy.estimatedColumns!(b, outputs, b.input("e", "float32", [batch, classes]));
    expect(b.dims(r)).toEqual([crossEntropy.estimatedCount(classes), batch, classes]);
    const signs = new Float32Array(batch * classes);
    new RandomStream(7, "columns").fillSigns(signs, 0, signs.length);
    const repeated = Array.from({ length: draws }, () => scores).flat();
    const got = await valuesOf(
      b,
      { r },
      { f: scoresArray(repeated), e: { type: "float32", dims: [batch, classes], data: signs } },
    );
    const columns = { count: 3, data: got["r"]! };
    for (let sample = 0; sample < samples; sample++) {
      const products = Array.from({ length: draws }, (_, draw) =>
        outerProducts(columns, draw * samples + sample, batch, classes),
      );
      const truth = losses64[0]!.hessian(Float64Array.from(scores[sample]!));
      for (let entry = 0; entry < classes ** 2; entry++) {
        const mean = products.reduce((sum, each) => sum + each[entry]!, 0) / draws;
        const variance = products.reduce((sum, each) => sum + (each[entry]! - mean) ** 2, 0) / (draws - 1);
        const tolerance = STANDARD_ERRORS * Math.sqrt(variance / draws) + ROUNDING;
        expect(Math.abs(mean - truth[entry]!)).toBeLessThan(tolerance);
      }
    }
  });

  test("the two largest classes after the likeliest are exact: their share has no spread", async () => {
    // With three classes that have all the mass, one draw is the Hessian.
    const scores = [[9, 8.5, 8, -90, -90]];
    const b = new Builder();
    const r = crossEntropy.estimatedColumns!(b, b.input("f", "float32", [1, 5]), b.input("e", "float32", [1, 5]));
    const got = await valuesOf(
      b,
      { r },
      { f: scoresArray(scores), e: { type: "float32", dims: [1, 5], data: Float32Array.of(1, -1, 1, -1, 1) } },
    );
    const truth = losses64[0]!.hessian(Float64Array.from(scores[0]!));
    expect(maximumError(outerProducts({ count: 3, data: got["r"]! }, 0, 1, 5), truth)).toBeLessThan(ROUNDING);
  });

  test("nothing is estimated where exact columns are as few", () => {
    expect([2, 3, 4, 5].map((classes) => crossEntropy.estimatedCount(classes))).toEqual([1, 2, 3, 3]);
    expect([2, 3, 4, 5].map((classes) => crossEntropy.columnCount(classes))).toEqual([1, 2, 3, 4]);
    expect(squaredErrorSum.estimatedCount(7)).toBe(squaredErrorSum.columnCount(7));
  });
});

describe("squared error", () => {
  test.each([
    [squaredErrorSum, 3, 2],
    [squaredErrorMean, 3, 2 / 3],
    [squaredErrorSum, 1, 2],
    [squaredErrorMean, 1, 2],
  ])("R Rᵀ = 2·weight·I: %#", async (loss, outputs, diagonal) => {
    const scores = Array.from({ length: 2 }, () => Array.from({ length: outputs }, () => 1));
    const columns = await columnsOf(loss, scores);
    expect(columns.count).toBe(outputs);
    const truth = Array.from({ length: outputs ** 2 }, (_, index) => (index % (outputs + 1) === 0 ? diagonal : 0));
    for (const sample of [0, 1]) {
      expect(maximumError(outerProducts(columns, sample, 2, outputs), truth)).toBeLessThan(ROUNDING);
    }
  });
});

test("softmax of the reference sums to one", () => {
  expect(softmax([80, -80, 0, 10]).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
});
