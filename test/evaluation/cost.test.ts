import { describe, expect, test } from "vitest";
import {
  columnCost,
  forwardBatch,
  gradientBatch,
  hasExactPart,
  probeCost,
  productBatch,
  sweepCost,
} from "../../src/evaluation/cost.ts";
import type { Layer } from "../../src/graph/layers.ts";

/** Dense layers of 2·3, 3·4 and 4·2 weights at one position: 6, 12 and 8 multiplications, 26 in all. */
const all = [
  [3, 2],
  [4, 3],
  [2, 4],
].map(([d, m]) => ({ d, m, groups: 1, positions: 1 }) as Partial<Layer> as Layer);
const [first, , last] = all as [Layer, Layer, Layer];

describe("predicted cost in forward passes, by hand", () => {
  test("columns: a pass, and each pulled back through what is above and multiplied with the features", () => {
    expect(columnCost(all, [first], 5)).toBeCloseTo(1 + (5 * (12 + 8 + 6)) / 26, 12);
    expect(columnCost(all, [last], 5)).toBeCloseTo(1 + (5 * 8) / 26, 12);
  });

  test("probes: two passes, two and a half a probe for all that is above, and few columns besides where these cost no more", () => {
    expect(probeCost(all, first, 99)).toBeCloseTo(2 + (10 * 20) / 26, 12);
    expect(probeCost(all, last, 99)).toBe(2);
    expect(probeCost(all, first, 4)).toBeCloseTo(2 + (10 * 20) / 26 + (2 * 4 * 26) / 26, 12);
    expect(probeCost(all, first, 5)).toBeCloseTo(2 + (10 * 20) / 26, 12);
    expect(probeCost(all, first, 5, 8)).toBeCloseTo(2 + (20 * 20) / 26 + (2 * 5 * 26) / 26, 12);
  });

  test("a sweep: each direction through what is above, and a tenth of a pass", () => {
    expect(sweepCost(all, first, 4)).toBeCloseTo(3 + 4 * (20 / 26 + 0.1), 12);
    expect(sweepCost(all, last, 3)).toBeCloseTo(3.3, 12);
  });

  test("more columns than ten serve nothing", () => {
    const few = { probes: 4, samples: 20 };
    expect([10, 11].map((columns) => hasExactPart(all, first, columns, few))).toEqual([true, false]);
    expect(hasExactPart(all, first, 10, { probes: 4, samples: 2000 })).toBe(false);
  });
});

test("samples at once, by hand: as fast as can be, and no more than memory bears", () => {
  expect([1000, 125_000, 4_000_001].map(forwardBatch)).toEqual([32, 32, 1]);
  expect([1000, 50_000, 400_001].map(gradientBatch)).toEqual([48, 8, 1]);
  expect([1000, 100_000, 4_000_001].map(productBatch)).toEqual([64, 40, 1]);
});
