import { expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import { squaredErrorMean, squaredErrorSum } from "../../src/losses/squared-error.ts";
import { maximumError } from "../float64-array.ts";
import { losses64 } from "../float64-curvature.ts";
import { valuesOf } from "../run-graph.ts";
import { classScores } from "./class-scores.ts";

/** float32 against float64. */
const ROUNDING = 1e-6;

test.each(Object.entries(classScores))(
  "cross-entropy of every label, and whether it is the likeliest: %s",
  async (_, scores) => {
    const [samples, classes] = [scores.length, scores[0]!.length];
    const b = new Builder();
    const dims = [samples, classes];
    const f = b.input("f", "float32", dims);
    const y = b.input("y", "int64", [samples]);
    const values = { loss: crossEntropy.perSample(b, f, y), correct: crossEntropy.correct!(b, f, y) };
    for (let label = 0; label < classes; label++) {
      const got = await valuesOf(b, values, {
        f: { type: "float32", dims, data: Float32Array.from(scores.flat()) },
        y: { type: "int64", dims: [samples], data: new BigInt64Array(samples).fill(BigInt(label)) },
      });
      const truth = scores.map((row) => losses64[0]!.value(Float64Array.from(row), Float64Array.of(label)));
      expect(maximumError(got["loss"]!, truth)).toBeLessThan(ROUNDING);
      // Of equal scores the first counts as the likeliest.
      expect([...got["correct"]!]).toEqual(scores.map((row) => Number(row.indexOf(Math.max(...row)) === label)));
    }
  },
);

test("squared errors by hand", async () => {
  const b = new Builder();
  const f = b.input("f", "float32", [2, 3]);
  const y = b.input("y", "float32", [2, 3]);
  const values = { sum: squaredErrorSum.perSample(b, f, y), mean: squaredErrorMean.perSample(b, f, y) };
  const got = await valuesOf(b, values, {
    f: { type: "float32", dims: [2, 3], data: Float32Array.of(1, 2, 3, 0, 0, 0.5) },
    y: { type: "float32", dims: [2, 3], data: Float32Array.of(0, 4, 3, 0, 1, 0) },
  });
  expect([...got["sum"]!]).toEqual([5, 1.25]);
  expect(maximumError(got["mean"]!, [5 / 3, 1.25 / 3])).toBeLessThan(ROUNDING);
  expect(squaredErrorSum.correct).toBeUndefined();
});
