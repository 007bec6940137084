import { describe, expect, test } from "vitest";
import { unitRows } from "../../src/calculus/last-layer.ts";
import { DataError } from "../../src/errors.ts";
import { binaryCrossEntropy } from "../../src/losses/binary-cross-entropy.ts";
import { oneTerm } from "../../src/losses/labels.ts";
import type { Labels } from "../../src/losses/loss.ts";
import { maximumError } from "../float64-array.ts";
import { losses64 } from "../float64-curvature.ts";
import { atScores, floats, oneTermEach } from "./at-scores.ts";
import { sloped64 } from "./float64.ts";
import { termProducts } from "./term-products.ts";

/** float32 against float64, number by number: no difference of large numbers is taken in the tails. */
const ROUNDING = 1e-6;

const truth64 = losses64.find(({ name }) => name === "binary-cross-entropy")!;
const slope64 = sloped64.find(({ name }) => name === "binary-cross-entropy")!;

const rows = [
  [0, 0.5, -3],
  [80, -80, 15],
  [-15, 9, -0.001],
];
const targets = [
  [1, 0, 0.25],
  [1, 0, 1],
  [0, 1, 0],
];
const labels = floats([3, 1, 3], targets.flat());

test("values, and the share of outputs on the right side", async () => {
  const got = await atScores(
    oneTermEach(rows),
    ({ b, scores, labels: y }) => ({
      loss: binaryCrossEntropy.perSample(b, scores, y),
      correct: binaryCrossEntropy.correct!(b, scores, y),
    }),
    { labels },
  );
  const truth = rows.map((row, index) => truth64.value(Float64Array.from(row), Float64Array.from(targets[index]!)));
  expect(maximumError(got["loss"]!, truth)).toBeLessThan(ROUNDING);
  // A score of 0 counts as negative.
  [1 / 3, 1, 1].forEach((share, index) => expect(got["correct"]![index]).toBeCloseTo(share, 6));
});

test("every wrong sign at ±80 costs 80", async () => {
  const { loss } = await atScores(
    oneTermEach([
      [80, -80],
      [-80, 80],
    ]),
    ({ b, scores, labels: y }) => ({ loss: binaryCrossEntropy.perSample(b, scores, y) }),
    { labels: floats([2, 1, 2], [0, 1, 0, 1]) },
  );
  expect([...loss!]).toEqual([80, 0]);
});

test("slopes of each output, and columns whose squares are p(1 − p)/C: each with all its digits, at ±80 too", async () => {
  const scores = oneTermEach(rows);
  const units = floats(
    [3, 3, 1, 3],
    [0, 1, 2].flatMap((c) => [0, 1, 2].flatMap(() => [0, 1, 2].map((k) => Number(k === c)))),
  );
  const got = await atScores(
    scores,
    ({ b, scores: f, labels: y }) => ({
      slopes: binaryCrossEntropy.firstOrder(b, f, y, "units"),
      columns: binaryCrossEntropy.columns(b, f, y),
      trace: binaryCrossEntropy.quadraticForm(b, f, y, unitRows(3)),
    }),
    { labels, others: { units } },
  );
  rows.forEach((row, sample) => {
    const outputs = Float64Array.from(row);
    const slope = slope64.slope(outputs, Float64Array.from(targets[sample]!));
    const hessian = truth64.hessian(outputs);
    const products = termProducts({ dims: [3, 3, 1, 3], data: got["columns"]! }, sample, 0);
    for (let c = 0; c < 3; c++) {
      expect(maximumError([got["slopes"]![c * 3 + sample]!], [slope[c]!])).toBeLessThan(ROUNDING);
      expect(maximumError([products[c * 4]!], [hessian[c * 4]!])).toBeLessThan(ROUNDING);
    }
    expect(maximumError([got["trace"]![sample]!], [hessian[0]! + hessian[4]! + hessian[8]!])).toBeLessThan(ROUNDING);
  });
  expect(binaryCrossEntropy.columnCount({ terms: 1, classes: 3 })).toBe(3);
  expect(binaryCrossEntropy.estimatedCount({ terms: 1, classes: 3 })).toBe(3);
});

describe("targets", () => {
  const terms = oneTerm([2, 2]);
  const options = { ignoreIndex: -100, sample: (index: number) => 40 + index };
  const given = (values: Float64Array): Labels => ({ type: "float64", dims: [2, 2], data: values });

  test.each([
    [Float64Array.of(0, 1, 0.5, 1.25), "41 is 1.25"],
    [Float64Array.of(0, -1, 0.5, 1), "40 is -1"],
  ])("outside [0, 1] are refused: %#", (values, message) => {
    expect(() => binaryCrossEntropy.prepare(given(values), terms, options)).toThrow(
      new DataError(`targets: sample ${message}; binary-cross-entropy expects numbers from 0 to 1`),
    );
  });

  test("0 and 1 are the ends; what is no number is refused", () => {
    const whole = { type: "uint8", dims: [2, 2], data: Uint8Array.of(0, 1, 1, 0) } as const;
    expect(binaryCrossEntropy.prepare(whole, terms, options)).toEqual({
      type: "float32",
      dims: [2, 1, 2],
      data: Float32Array.of(0, 1, 1, 0),
    });
    expect(() => binaryCrossEntropy.prepare(given(Float64Array.of(0, 1, Number.NaN, 1)), terms, options)).toThrow(
      new DataError("targets: sample 41 is NaN; expected a finite number"),
    );
  });
});
