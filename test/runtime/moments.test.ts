import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Moments } from "../../src/runtime/moments.ts";

/** float64 sums in two orders, of at most 60 terms. */
const FORMULA = 1e-12;
/** What is left of 16 digits when an offset of 10⁸ is taken off a spread of 1: eight. */
const OFFSET = 1e-7;

const RUNS = { seed: 4101 };

function of(values: Iterable<number>): Moments {
  const moments = new Moments();
  for (const value of values) moments.add(value);
  return moments;
}

test("1, 2, 3, 6 by hand", () => {
  const moments = of([1, 2, 3, 6]);
  expect(moments.n).toBe(4);
  expect(moments.mean).toBe(3);
  expect(moments.variance).toBeCloseTo(14 / 3, 14);
  expect(moments.standardError).toBeCloseTo(Math.sqrt(14 / 12), 14);
});

test("what is not known is NaN", () => {
  expect(new Moments().mean).toBeNaN();
  expect(of([5]).mean).toBe(5);
  expect(of([5]).variance).toBeNaN();
  expect(of([5]).standardError).toBeNaN();
  expect(of([1, Number.NaN, 2]).mean).toBeNaN();
});

test("equal values have no variance at all", () => {
  expect(of(Array.from({ length: 1000 }, () => 0.1)).variance).toBe(0);
});

describe("a large offset", () => {
  test.each([1e8, -1e8, 1e12])("of %d leaves the variance of 0 … 9", (offset) => {
    const moments = of(Array.from({ length: 10 }, (_, index) => offset + index));
    expect(moments.mean).toBe(offset + 4.5);
    expect(moments.variance).toBeCloseTo(55 / 6, 12);
  });

  test("the first value far from the others costs digits, but not the answer", () => {
    const values = [1e8, ...Array.from({ length: 999 }, (_, index) => index % 2)];
    const moments = of(values);
    const mean = values.reduce((sum, value) => sum + value, 0) / 1000;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 999;
    expect(Math.abs(moments.variance / variance - 1)).toBeLessThan(OFFSET);
  });
});

describe("shards", () => {
  const list = fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { maxLength: 20 });

  test("merged in any split are one pass", () => {
    fc.assert(
      fc.property(fc.array(list, { minLength: 1, maxLength: 3 }), fc.constantFrom(0, 1e6), (shards, offset) => {
        const moved = shards.map((shard) => shard.map((value) => value + offset));
        const merged = new Moments();
        for (const shard of moved) merged.merge(of(shard));
        const whole = of(moved.flat());
        expect(merged.n).toBe(whole.n);
        if (whole.n === 0) return;
        expect(Math.abs(merged.mean - whole.mean)).toBeLessThanOrEqual(FORMULA * (1e3 + offset));
        if (whole.n < 2) return;
        expect(Math.abs(merged.variance - whole.variance)).toBeLessThanOrEqual(FORMULA * 1e6 * 20);
      }),
      RUNS,
    );
  });

  test("nothing merged changes nothing", () => {
    const moments = of([1, 2, 4]);
    const { mean, variance } = moments;
    moments.merge(new Moments());
    expect([moments.n, moments.mean, moments.variance]).toEqual([3, mean, variance]);
  });
});
