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

describe("a ratio: sums over terms, and how many terms there are", () => {
  type Sample = readonly [value: number, terms: number];

  function ofTerms(samples: Iterable<Sample>): Moments {
    const moments = new Moments();
    for (const [value, terms] of samples) moments.add(value, terms);
    return moments;
  }

  /** Σ x / Σ T, and the variance of x_i − R T_i over mean(T)². */
  function plainly(samples: readonly Sample[]) {
    const n = samples.length;
    const terms = samples.reduce((sum, [, t]) => sum + t, 0);
    const mean = samples.reduce((sum, [x]) => sum + x, 0) / terms;
    const rest = samples.map(([x, t]) => x - mean * t);
    const variance = rest.reduce((sum, value) => sum + value * value, 0) / (n - 1) / (terms / n) ** 2;
    return { mean, variance };
  }

  test("by hand", () => {
    // R = 12 / 6; x − R T is 1, −2, 1; mean T is 2.
    const moments = ofTerms([
      [3, 1],
      [2, 2],
      [7, 3],
    ]);
    expect([moments.mean, moments.meanTerms]).toEqual([2, 2]);
    expect(moments.variance).toBeCloseTo(6 / 2 / 4, 14);
    expect(moments.standardError).toBeCloseTo(Math.sqrt(6 / 2 / 4 / 3), 14);
  });

  test("the same number of terms each: the plain mean of shares", () => {
    const [shares, sums] = [
      of([1, 2, 3, 6]),
      ofTerms([
        [5, 5],
        [10, 5],
        [15, 5],
        [30, 5],
      ]),
    ];
    expect(sums.mean).toBeCloseTo(shares.mean, 14);
    expect(sums.variance).toBeCloseTo(shares.variance, 14);
  });

  test("values in proportion to their terms have no spread", () => {
    const moments = ofTerms([1, 2, 5, 9].map((t) => [0.3 * t, t]));
    expect(moments.mean).toBeCloseTo(0.3, 14);
    expect(moments.standardError).toBeLessThan(1e-8);
  });

  test("samples without a term count as samples; without any term there is no ratio", () => {
    const samples: Sample[] = [
      [0, 0],
      [4, 2],
      [1, 1],
    ];
    const { mean, variance } = plainly(samples);
    expect(ofTerms(samples).mean).toBeCloseTo(mean, 14);
    expect(ofTerms(samples).variance).toBeCloseTo(variance, 14);
    expect(ofTerms([[0, 0]]).mean).toBeNaN();
  });

  const sample = fc.tuple(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.integer({ min: 1, max: 50 }));
  const list = fc.array(sample, { maxLength: 20 });

  test("the plain formulas, in one pass and merged in any split", () => {
    fc.assert(
      fc.property(fc.array(list, { minLength: 1, maxLength: 3 }), (shards) => {
        const merged = new Moments();
        for (const shard of shards) merged.merge(ofTerms(shard));
        const samples = shards.flat();
        expect(merged.n).toBe(samples.length);
        if (samples.length < 2) return;
        const { mean, variance } = plainly(samples);
        for (const moments of [merged, ofTerms(samples)]) {
          expect(Math.abs(moments.mean - mean)).toBeLessThanOrEqual(FORMULA * 1e3);
          // R T may be fifty times the values, and squares are subtracted from squares.
          expect(Math.abs(moments.variance - variance)).toBeLessThanOrEqual(FORMULA * (1e3 * 50) ** 2 * 20);
        }
      }),
      RUNS,
    );
  });
});
