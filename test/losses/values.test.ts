import { expect, test } from "vitest";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import { squaredErrorMean, squaredErrorSum } from "../../src/losses/squared-error.ts";
import { maximumError } from "../float64-array.ts";
import { losses64 } from "../float64-curvature.ts";
import { atScores, floats, integers, oneTermEach, termOf, termsOf } from "./at-scores.ts";
import { classScores, sixTokens, tokenLabels } from "./class-scores.ts";

/** float32 against float64. */
const ROUNDING = 1e-6;

test.each(Object.entries(classScores))(
  "cross-entropy of every label, and whether it is the likeliest: %s",
  async (_, rows) => {
    const [samples, classes] = [rows.length, rows[0]!.length];
    for (let label = 0; label < classes; label++) {
      const got = await atScores(
        oneTermEach(rows),
        ({ b, scores, labels }) => ({
          loss: crossEntropy.perSample(b, scores, labels),
          correct: crossEntropy.correct!(b, scores, labels),
        }),
        { labels: integers([samples, 1], new Array<number>(samples).fill(label)) },
      );
      const truth = rows.map((row) => losses64[0]!.value(Float64Array.from(row), Float64Array.of(label)));
      expect(maximumError(got["loss"]!, truth)).toBeLessThan(ROUNDING);
      // Of equal scores the first counts as the likeliest.
      expect([...got["correct"]!]).toEqual(rows.map((row) => Number(row.indexOf(Math.max(...row)) === label)));
    }
  },
);

test("tokens: the sum over those that count, how many do, and how many are right", async () => {
  const scores = termsOf(sixTokens, 3);
  const got = await atScores(
    scores,
    ({ b, scores: f, labels: y }) => ({
      loss: crossEntropy.perSample(b, f, y),
      counted: crossEntropy.counted!(b, f, y)!,
      correct: crossEntropy.correct!(b, f, y),
    }),
    { labels: integers([2, 3], tokenLabels) },
  );
  const [losses, counted, correct] = [
    [0, 0],
    [0, 0],
    [0, 0],
  ] as [number[], number[], number[]];
  tokenLabels.forEach((label, index) => {
    if (label < 0) return;
    const sample = Math.floor(index / 3);
    const row = termOf(scores, index);
    losses[sample]! += losses64[0]!.value(row, Float64Array.of(label));
    counted[sample]! += 1;
    correct[sample]! += Number(row.indexOf(Math.max(...row)) === label);
  });
  expect(maximumError(got["loss"]!, losses)).toBeLessThan(ROUNDING);
  expect([...got["counted"]!]).toEqual(counted);
  expect([...got["correct"]!]).toEqual(correct);
});

test("a sample none of whose terms counts has loss 0, of 0 terms", async () => {
  const got = await atScores(
    termsOf(sixTokens, 3),
    ({ b, scores, labels }) => ({
      loss: crossEntropy.perSample(b, scores, labels),
      counted: crossEntropy.counted!(b, scores, labels)!,
      correct: crossEntropy.correct!(b, scores, labels),
    }),
    { labels: integers([2, 3], [-1, -1, -1, 0, 0, 0]) },
  );
  expect([got["loss"]![0], got["counted"]![0], got["correct"]![0]]).toEqual([0, 0, 0]);
  expect(got["counted"]![1]).toBe(3);
});

test("squared errors by hand", async () => {
  const got = await atScores(
    oneTermEach([
      [1, 2, 3],
      [0, 0, 0.5],
    ]),
    ({ b, scores, labels }) => ({
      sum: squaredErrorSum.perSample(b, scores, labels),
      mean: squaredErrorMean.perSample(b, scores, labels),
    }),
    { labels: floats([2, 1, 3], [0, 4, 3, 0, 1, 0]) },
  );
  expect([...got["sum"]!]).toEqual([5, 1.25]);
  expect(maximumError(got["mean"]!, [5 / 3, 1.25 / 3])).toBeLessThan(ROUNDING);
  expect(squaredErrorSum.correct).toBeUndefined();
});
