import { expect, test } from "vitest";
import { RandomStream } from "../../src/statistics/random.ts";
import { kdeRepresentativeness } from "../../src/theory/kde-representativeness.ts";

const ROUNDING = 1e-9;

function normals(n: number, m: number, seed: number): Float64Array {
  const stream = new RandomStream(seed, "features");
  return Float64Array.from({ length: n * m }, () => stream.normal());
}

test("four points in two pairs: by hand over the three ways to halve them", () => {
  // Standardized, pairs are at ±1 with no distance within. Halves of one point of each pair tell all of both: error 0. Halves that are
  // pairs are 2 apart: mean over A 0 beside exp(0), over B exp(−4/2h²), h² = 2^(−2/5).
  const h2 = 2 ** (-2 / 5);
  const apart = 2 / h2;
  const { value, error } = kdeRepresentativeness([0, 0, 7, 7], 1, 5, 600)!;
  // A third of the halves are pairs.
  expect(Math.abs(value - apart / 3)).toBeLessThan(4 * error);
  expect(error).toBeCloseTo((apart * Math.sqrt(2 / 9)) / Math.sqrt(600), 1.5);
});

test("is a difference of log densities, over all halves of four points", () => {
  const z = [0.3, -1.2, 2.5, 0.9];
  const mean = z.reduce((sum, value) => sum + value / 4, 0);
  const deviation = Math.sqrt(z.reduce((sum, value) => sum + (value - mean) ** 2 / 4, 0));
  const h = deviation * 2 ** (-1 / 5);
  const density = (centres: number[], at: number) =>
    centres.reduce((sum, c) => sum + Math.exp(-((at - c) ** 2) / (2 * h * h)) / (h * Math.sqrt(2 * Math.PI)) / 2, 0);
  const pairs = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].filter((b) => b > a).map((b) => [a, b] as const));
  const errors = pairs.map((pair) => {
    const own = pair.map((index) => z[index]!);
    const other = z.filter((_, index) => !pair.includes(index));
    const log = (points: number[]) => points.reduce((sum, at) => sum + Math.log(density(own, at)) / 2, 0);
    return log(own) - log(other);
  });
  const expected = errors.reduce((sum, each) => sum + each / pairs.length, 0);
  const { value, error } = kdeRepresentativeness(z, 1, 1, 4_000)!;
  expect(Math.abs(value - expected)).toBeLessThan(4 * error);
  expect(error).toBeLessThan(0.02 * expected);
});

test("does not change when features are scaled, each by a factor of its own, nor with features that do not vary", () => {
  const features = normals(60, 3, 1);
  const one = kdeRepresentativeness(features, 3, 2)!;
  const scales = [10, 0.01, 700];
  const scaled = features.map((value, index) => scales[index % 3]! * value + (index % 3));
  expect(Math.abs(kdeRepresentativeness(scaled, 3, 2)!.value - one.value)).toBeLessThan(ROUNDING);
  const dead = Float64Array.from({ length: 60 * 4 }, (_, index) =>
    index % 4 === 3 ? 5 : features[Math.floor(index / 4) * 3 + (index % 4)]!,
  );
  expect(kdeRepresentativeness(dead, 4, 2)!.value).toBe(one.value);
});

test("is small where samples are many for their dimensions, and large where they are few", () => {
  const many = kdeRepresentativeness(normals(2_000, 1, 3), 1, 4)!;
  const few = kdeRepresentativeness(normals(2_000, 10, 3), 10, 4)!;
  expect(many.value).toBeLessThan(0.1);
  expect(few.value).toBeGreaterThan(1);
});

test("cannot be had of three samples, nor of features that do not vary", () => {
  expect(kdeRepresentativeness([1, 2, 3], 1, 0)).toBeUndefined();
  expect(kdeRepresentativeness(new Float64Array(20).fill(2), 2, 0)).toBeUndefined();
});
