import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ANY, ONE, ScaleClasses } from "../../../src/graph/reparameterization/scale-classes.ts";
import {
  along,
  collapsed,
  compressed,
  concatenated,
  merged,
  permuted,
  places,
  reshaped,
  taken,
  type ScaleMap,
} from "../../../src/graph/reparameterization/scale-map.ts";
import { count } from "../../../src/graph/tensor.ts";

/** The scale of every element, in C order. */
function elements({ dims, scales }: ScaleMap, full: readonly number[]): number[] {
  return Array.from(places(dims, full), (place) => scales[place]!);
}

const size = fc.integer({ min: 1, max: 4 });
/** A value's dims, and a map that is spread over some of its axes. */
const spread = fc.array(fc.tuple(size, fc.boolean()), { minLength: 1, maxLength: 4 }).map((axes) => {
  const full = axes.map(([length]) => length);
  const dims = axes.map(([length, varies]) => (varies ? length : 1));
  return { full, map: { dims, scales: Int32Array.from({ length: count(dims) }, (_, index) => index + 1) } };
});
const RUNS = { numRuns: 300, seed: 41 };

/** Dims of the same number of elements: prime factors put together in another way. */
function regrouped(full: readonly number[], cuts: readonly boolean[]): number[] {
  const factors = full.flatMap((length) => (length === 4 ? [2, 2] : [length]));
  return factors.reduce<number[]>(
    (dims, factor, index) =>
      cuts[index % cuts.length] || dims.length === 0 ? [...dims, factor] : dims.with(-1, dims.at(-1)! * factor),
    [],
  );
}

describe("every element keeps its scale", () => {
  test("when reshaped: C order stays", () => {
    const cuts = fc.array(fc.boolean(), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(spread, cuts, ({ full, map }, cut) => {
        const to = regrouped(full, cut);
        expect(elements(reshaped(map, full, to), to)).toEqual(elements(map, full));
      }),
      RUNS,
    );
  });

  test("when axes that do not matter are left out", () => {
    fc.assert(
      fc.property(spread, ({ full, map }) => {
        const whole = { dims: full, scales: Int32Array.from(elements(map, full)) };
        expect(elements(compressed(whole), full)).toEqual(elements(map, full));
        // As small as it gets.
        expect(compressed(whole).scales.length).toBeLessThanOrEqual(map.scales.length);
      }),
      RUNS,
    );
  });
});

test("taken at places along an axis, and zero outside", () => {
  const map = { dims: [2, 3], scales: Int32Array.of(1, 2, 3, 4, 5, 6) };
  expect(elements(taken(map, 1, [2, -1, 0, 0]), [2, 4])).toEqual([3, ANY, 1, 1, 6, ANY, 4, 4]);
  expect(elements(taken(map, 0, [1]), [1, 3])).toEqual([4, 5, 6]);
});

test("permuted and concatenated, where one of two is the same all along", () => {
  const map = { dims: [2, 3], scales: Int32Array.of(1, 2, 3, 4, 5, 6) };
  expect(elements(permuted(map, [1, 0]), [3, 2])).toEqual([1, 4, 2, 5, 3, 6]);
  const one = { dims: [1, 1], scales: Int32Array.of(9) };
  expect(elements(concatenated([map, one], [3, 2], 1), [2, 5])).toEqual([1, 2, 3, 9, 9, 4, 5, 6, 9, 9]);
});

test("merged and collapsed, scales become equal; zeros bind nothing", () => {
  const classes = new ScaleClasses();
  const [a, b, c, d] = classes.several(4) as unknown as [number, number, number, number];
  const sum = merged([along(2, 1, Int32Array.of(a, b, ANY)), along(1, 0, Int32Array.of(ANY, c, d))], classes, "node +");
  expect(elements(sum, [1, 3])).toEqual([a, b, d]);
  expect([classes.find(b) === classes.find(c), classes.find(a) === classes.find(b)]).toEqual([true, false]);
  const mixed = collapsed({ dims: [1, 3], scales: Int32Array.of(ANY, a, d) }, [1], classes, "node mean");
  expect(elements(mixed, [1, 1])).toEqual([a]);
  expect([classes.find(a) === classes.find(d), classes.whoJoined(a, d), classes.whoJoined(b, c)]).toEqual([
    true,
    "node mean",
    "node +",
  ]);
  expect(classes.whoJoined(a, c)).toBeUndefined();
});

test("what is joined with one that is fixed is fixed, for the first reason", () => {
  const classes = new ScaleClasses();
  const [a, b, c] = classes.several(3) as unknown as [number, number, number];
  classes.join(a, b, "node +");
  expect(classes.isFixed(a)).toBe(false);
  classes.fix(b, "node tanh is smooth");
  classes.join(c, ONE, "node −");
  classes.fix(c, "later");
  expect([classes.whyFixed(a), classes.whyFixed(c)]).toEqual([
    "node tanh is smooth",
    "node − joins it with what is not scaled",
  ]);
  expect([classes.isFixed(ANY), classes.isFixed(ONE)]).toEqual([true, true]);
});
