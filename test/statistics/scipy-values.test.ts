import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kendall, pearson, spearman } from "../../src/statistics/correlation.ts";
import { benjaminiHochberg } from "../../src/statistics/false-discovery.ts";
import { normalCdf, normalQuantile } from "../../src/statistics/normal.ts";
import { partialPearson, partialSpearman } from "../../src/statistics/partial-correlation.ts";
import { quantile } from "../../src/statistics/quantile.ts";
import { ranks } from "../../src/statistics/ranks.ts";
import { bootstrapInterval, permutationTest } from "../../src/statistics/resampling.ts";

/** Values of scipy, and their version: made by make.py beside it. */
const golden = JSON.parse(readFileSync(new URL("../golden/statistics/statistics.json", import.meta.url), "utf8"));

/** Two programs' float64 sums of up to 1 000 numbers. */
const ROUNDING = 1e-12;
/** Numbers of size 1e8 with a spread of 1 keep 8 of their 16 digits. */
const FAR_ROUNDING = 1e-7;
/** Least squares by two decompositions. */
const REGRESSION = 1e-10;
/**
 * Standard deviation of a quantile at 2.5 % of 20 000 replicates of spread 0.14: √(0.025·0.975/20000)/density(≈ 0.4) = 0.003; both
 * programs', four of them.
 */
const QUANTILE_NOISE = 0.016;
/** The same for a share p ≈ 0.02 of 20 000 permutations: √(p/20000) = 1e-3, both programs', four of them. */
const SHARE_NOISE = 6e-3;

const close = (value: number, expected: number, tolerance: number) =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(tolerance);

describe("correlations", () => {
  test.each(Object.keys(golden.cases))("%s", (name) => {
    const { x, y, ...expected } = golden.cases[name];
    expect([...ranks(x)]).toEqual(expected.ranks);
    close(pearson(x, y), expected.pearson, name === "far from zero" ? FAR_ROUNDING : ROUNDING);
    close(spearman(x, y), expected.spearman, ROUNDING);
    close(kendall(x, y), expected.kendall, ROUNDING);
  });

  test("partial", () => {
    const { x, y, z, w, group } = golden.partial;
    close(partialPearson(x, y, [z]), golden.partial["pearson given z"], REGRESSION);
    close(partialPearson(x, y, [z, w]), golden.partial["pearson given z, w"], REGRESSION);
    close(partialPearson(x, y, [z, group]), golden.partial["pearson given z, group"], REGRESSION);
    close(partialSpearman(x, y, [z]), golden.partial["spearman given z"], REGRESSION);
    close(partialSpearman(x, y, [z, w, group]), golden.partial["spearman given z, w, group"], REGRESSION);
  });
});

describe("resampling", () => {
  const { x, y } = golden.resampling as { x: number[]; y: number[] };
  const at = (list: number[], indices: Int32Array) => Array.from(indices, (index) => list[index]!);

  test("bootstrap interval, bias-corrected and accelerated", () => {
    const statistic = (indices: Int32Array) => pearson(at(x, indices), at(y, indices));
    const { low, high } = bootstrapInterval(x.length, statistic, { resamples: 20_000 });
    close(low, golden.resampling["pearson BCa"][0], QUANTILE_NOISE);
    close(high, golden.resampling["pearson BCa"][1], QUANTILE_NOISE);
  });

  test("permutation test", () => {
    const { pValue } = permutationTest(x.length, (order) => pearson(x, at(y, order)), { resamples: 20_000 });
    close(pValue, golden.resampling["pearson permutation p"], SHARE_NOISE);
  });
});

test("false discovery control", () => {
  const { p, adjusted } = golden.discovery;
  for (const [index, value] of benjaminiHochberg(p).entries()) close(value, adjusted[index], ROUNDING);
});

test("normal distribution", () => {
  const { z, cdf, p, quantile: expected } = golden.normal;
  for (const [index, each] of z.entries()) close(normalCdf(each) / cdf[index], 1, ROUNDING);
  for (const [index, each] of p.entries()) close(normalQuantile(each), expected[index], 1e-9);
});

test("quantiles", () => {
  const { values, p, quantile: expected } = golden.quantiles;
  for (const [index, each] of p.entries()) close(quantile(values, each), expected[index], ROUNDING);
});
