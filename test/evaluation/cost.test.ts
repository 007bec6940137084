import { describe, expect, test } from "vitest";
import { columnCost, partColumns, probeCost } from "../../src/evaluation/cost.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
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

  test("probes: two passes, ten times the share above, and few columns besides", () => {
    expect(probeCost(all, first, 0)).toBeCloseTo(2 + (10 * 20) / 26, 12);
    expect(probeCost(all, last, 0)).toBe(2);
    expect(probeCost(all, first, 10)).toBeCloseTo(2 + (10 * 20) / 26 + (10 * 26) / 26, 12);
  });

  test("the part's columns: few of one term, else all where these are few", () => {
    expect(partColumns(crossEntropy, { terms: 1, classes: 1000 })).toEqual({ count: 3, estimated: true });
    expect(partColumns(crossEntropy, { terms: 1, classes: 4 })).toEqual({ count: 3, estimated: false });
    expect(partColumns(crossEntropy, { terms: 5, classes: 3 })).toEqual({ count: 10, estimated: false });
    expect(partColumns(crossEntropy, { terms: 6, classes: 3 })).toBeUndefined();
  });
});
