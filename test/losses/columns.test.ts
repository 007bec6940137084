import { describe, expect, test } from "vitest";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import type { Loss } from "../../src/losses/loss.ts";
import { squaredErrorMean, squaredErrorSum } from "../../src/losses/squared-error.ts";
import { maximumError, type Array64 } from "../float64-array.ts";
import { losses64, softmax } from "../float64-curvature.ts";
import { atScores, floats, integers, oneTermEach, termOf, termsOf } from "./at-scores.ts";
import { classScores, sixTokens, tokenLabels } from "./class-scores.ts";
import { termProducts, type Columns } from "./term-products.ts";

/** float32 columns against diag(p) − ppᵀ of float64, entry by entry, in units of the largest entry of a sample. */
const ROUNDING = 1e-6;
/** A sum of the same float32 products in parts. */
const SAME = 1e-6;

async function columnsOf(loss: Loss, scores: Array64, labels?: readonly number[]): Promise<Columns> {
  const dims: number[] = [];
  const [batch, terms] = scores.dims as [number, number];
  const { r } = await atScores(
    scores,
    ({ b, scores: f, labels: y }) => {
      const columns = loss.columns(b, f, y);
      dims.push(...b.dims(columns));
      return { r: columns };
    },
    labels ? { labels: integers([batch, terms], labels) } : {},
  );
  return { dims, data: r! };
}

const { hessian } = losses64[0]!;

describe("softmax cross-entropy", () => {
  test.each(Object.entries(classScores))(
    "R Rᵀ = diag(p) − p pᵀ with one column less than classes: %s",
    async (_, rows) => {
      const columns = await columnsOf(crossEntropy, oneTermEach(rows));
      const classes = rows[0]!.length;
      expect(columns.dims[0]).toBe(classes - 1);
      expect(crossEntropy.columnCount({ terms: 1, classes })).toBe(classes - 1);
      rows.forEach((row, sample) => {
        const truth = hessian(Float64Array.from(row));
        // Where float32 has no such number, 0 is right.
        const scale = Math.max(...truth.map(Math.abs)) < 1e-37 ? truth.map(() => 0) : truth;
        expect(maximumError(termProducts(columns, sample, 0), scale)).toBeLessThan(ROUNDING);
      });
    },
  );

  test("a confident sample keeps its digits, class by class", async () => {
    const rows = classScores["confident"]!;
    const columns = await columnsOf(crossEntropy, oneTermEach(rows));
    rows.forEach((row, sample) => {
      const truth = hessian(Float64Array.from(row));
      const got = termProducts(columns, sample, 0);
      for (let j = 0; j < 5; j++) {
        expect(maximumError(got.subarray(j * 6, j * 6 + 1), truth.subarray(j * 6, j * 6 + 1))).toBeLessThan(ROUNDING);
      }
    });
  });
});

describe("tokens", () => {
  const scores = termsOf(sixTokens, 3);

  test("each column lies within one term, and none in a term that does not count", async () => {
    const columns = await columnsOf(crossEntropy, scores, tokenLabels);
    const [count, batch, terms, classes] = columns.dims as [number, number, number, number];
    expect([count, batch, terms, classes]).toEqual([9, 2, 3, 4]);
    expect(crossEntropy.columnCount({ terms, classes })).toBe(count);
    for (let sample = 0; sample < batch; sample++) {
      for (let column = 0; column < count; column++) {
        const at = (column * batch + sample) * terms * classes;
        const touched = [0, 1, 2].filter((term) =>
          columns.data.subarray(at + term * classes, at + (term + 1) * classes).some((value) => value !== 0),
        );
        const term = Math.floor(column / (classes - 1));
        expect(touched).toEqual(tokenLabels[sample * terms + term]! < 0 ? [] : [term]);
      }
    }
  });

  test("R Rᵀ of each term is its own Hessian", async () => {
    const columns = await columnsOf(crossEntropy, scores, tokenLabels);
    sixTokens.forEach((_, index) => {
      const truth = hessian(termOf(scores, index)).map((entry) => (tokenLabels[index]! < 0 ? 0 : entry));
      const got = termProducts(columns, Math.floor(index / 3), index % 3);
      expect(maximumError(got, truth)).toBeLessThan(ROUNDING);
    });
  });
});

describe("columns in chunks, the last one padded with weight 0, add up to the same", () => {
  test.each([
    ["one term", oneTermEach(classScores["ordinary"]!), undefined, 4],
    ["three terms", termsOf(sixTokens, 3), tokenLabels, 4],
    ["one column at a time", termsOf(sixTokens, 3), tokenLabels, 1],
    ["more than there are", termsOf(sixTokens, 2), [3, -1, 1, 0, -1, 2], 9],
  ] as const)("%s", async (_, scores, labels, size) => {
    const [batch, terms, classes] = scores.dims as [number, number, number];
    const whole = await columnsOf(crossEntropy, scores, labels);
    const total = crossEntropy.columnCount({ terms, classes });
    const parts: number[] = [];
    for (let first = 0; first < total; first += size) {
      const numbers = Array.from({ length: size }, (__, slot) => Math.min(first + slot, total - 1));
      const weights = Float64Array.from({ length: size }, (__, slot) => Number(first + slot < total));
      const { r } = await atScores(
        scores,
        ({ b, scores: f, labels: y }) => ({
          r: crossEntropy.columns(b, f, y, { size, terms: "terms", slots: "slots", weights: "weights" }),
        }),
        {
          ...(labels && { labels: integers([batch, terms], labels) }),
          others: {
            terms: integers(
              [size],
              numbers.map((column) => Math.floor(column / (classes - 1))),
            ),
            slots: integers(
              [size],
              numbers.map((column) => column % (classes - 1)),
            ),
            weights: floats([size], weights),
          },
        },
      );
      parts.push(...r!);
    }
    const count = Math.ceil(total / size) * size;
    const columns = { dims: [count, batch, terms, classes], data: Float64Array.from(parts) };
    for (let index = 0; index < batch * terms; index++) {
      const [sample, term] = [Math.floor(index / terms), index % terms];
      expect(maximumError(termProducts(columns, sample, term), termProducts(whole, sample, term))).toBeLessThan(SAME);
    }
  });

  test("a weight multiplies its column", async () => {
    const scores = oneTermEach(classScores["ordinary"]!);
    const whole = await columnsOf(squaredErrorSum, scores);
    const { r } = await atScores(
      scores,
      ({ b, scores: f, labels: y }) => ({
        r: squaredErrorSum.columns(b, f, y, { size: 2, terms: "terms", slots: "slots", weights: "weights" }),
      }),
      { others: { terms: integers([2], [0, 0]), slots: integers([2], [7, 0]), weights: floats([2], [0.5, 0]) } },
    );
    const size = whole.data.length / whole.dims[0]!;
    const seventh = whole.data.subarray(7 * size, 8 * size).map((value) => value / 2);
    expect(maximumError(r!, [...seventh, ...new Float64Array(size)])).toBeLessThan(SAME);
  });
});

describe("squared error", () => {
  test.each([
    [squaredErrorSum, 3, 2],
    [squaredErrorMean, 3, 2 / 3],
    [squaredErrorSum, 1, 2],
    [squaredErrorMean, 1, 2],
  ])("R Rᵀ = 2·weight·I: %#", async (loss, outputs, diagonal) => {
    const rows = Array.from({ length: 2 }, () => Array.from({ length: outputs }, () => 1));
    const columns = await columnsOf(loss, oneTermEach(rows));
    expect(columns.dims[0]).toBe(outputs);
    expect(loss.columnCount({ terms: 1, classes: outputs })).toBe(outputs);
    const truth = Array.from({ length: outputs ** 2 }, (_, index) => (index % (outputs + 1) === 0 ? diagonal : 0));
    for (const sample of [0, 1]) {
      expect(maximumError(termProducts(columns, sample, 0), truth)).toBeLessThan(ROUNDING);
    }
  });
});

test("softmax of the reference sums to one", () => {
  expect(softmax([80, -80, 0, 10]).reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
});
