import { describe, expect, test } from "vitest";
import { granulatedKendall } from "../../src/statistics/granulated-kendall.ts";
import { robustSignError } from "../../src/statistics/sign-error.ts";

// A grid of two axes, two values each, without and with a second seed.
const settings = { rate: ["1", "1", "2", "2"], batch: ["a", "b", "a", "b"] };
const gap = [1, 2, 3, 4];

describe("granulated Kendall", () => {
  test("a measure that follows one axis alone is found out", () => {
    // Right along rate (1 < 3, 2 < 4), wrong along batch (1 < 2, 3 < 4).
    const found = granulatedKendall([11, 10, 21, 20], gap, settings);
    expect(found).toEqual({ axes: { rate: 1, batch: -1 }, mean: 0 });
  });

  test("an axis on which nothing differs alone has no value and does not count", () => {
    const found = granulatedKendall([1, 2, 3], [1, 2, 3], { rate: ["1", "1", "2"], batch: ["a", "b", "c"] });
    expect(found.axes.rate).toBeNaN();
    expect(found.axes.batch).toBe(1);
    expect(found.mean).toBe(1);
  });

  test("several seeds at a setting: τ_b of the line's samples, those of one setting ordered too", () => {
    // One line: 1, 2 at setting 1, and 3, 4 at setting 2, measured 2, 1, 3, 4: five pairs of six agree.
    const found = granulatedKendall([2, 1, 3, 4], gap, { rate: ["1", "1", "2", "2"] });
    expect(found.axes.rate).toBeCloseTo((5 - 1) / 6, 14);
  });
});

describe("robust sign-error", () => {
  test("mean, 90th percentile and worst of four environments", () => {
    const found = robustSignError([11, 10, 21, 20], gap, settings);
    expect(found.environments.map(({ name, signError }) => [name, signError])).toEqual([
      ["rate 1 → 2 at batch=a", 0],
      ["rate 1 → 2 at batch=b", 0],
      ["batch a → b at rate=1", 1],
      ["batch a → b at rate=2", 1],
    ]);
    expect(found).toMatchObject({ mean: 0.5, ninetieth: 1, worst: 1, worstEnvironment: "batch a → b at rate=1" });
  });

  test("a tie of the measure is half an error", () => {
    expect(robustSignError([1, 1, 2, 2], gap, settings).worst).toBe(0.5);
  });

  test("pairs within the noise of the gap do not count", () => {
    const found = robustSignError([11, 10, 21, 20], gap, settings, 1.5);
    expect(found.environments.map(({ name }) => name)).toEqual(["rate 1 → 2 at batch=a", "rate 1 → 2 at batch=b"]);
    expect(found.worst).toBe(0);
  });

  test("seeds on both sides make all pairs", () => {
    const found = robustSignError([2, 1, 3, 0], [1, 2, 3, 4], { rate: ["1", "1", "2", "2"] });
    // 2→3 right, 2→0 wrong, 1→3 right, 1→0 wrong.
    expect(found.environments).toEqual([{ name: "rate 1 → 2", pairs: 4, signError: 0.5 }]);
  });

  test("no environment, no value", () => {
    const found = robustSignError([1, 2], [1, 2], { rate: ["1", "2"], batch: ["a", "b"] });
    expect(found.worst).toBeNaN();
    expect(found.environments).toEqual([]);
  });
});
