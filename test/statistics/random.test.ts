import { describe, expect, test } from "vitest";
import { RandomStream } from "../../src/statistics/random.ts";

/** Averages of fair signs at fixed seeds lie within this many standard errors of 0. */
const STANDARD_ERRORS = 4;

const COUNT = 20_000;

function signs(seed: number, name: string, count = COUNT): Float32Array {
  const list = new Float32Array(count);
  new RandomStream(seed, name).fillSigns(list, 0, count);
  return list;
}

const average = (list: ArrayLike<number>) => Array.from(list).reduce((sum, value) => sum + value, 0) / list.length;
const correlation = (x: Float32Array, y: Float32Array) => average(x.map((value, index) => value * y[index]!));
const bound = (count = COUNT) => STANDARD_ERRORS / Math.sqrt(count);

const seeds = [0, 1, 2, 3, 41, 2 ** 31, -1];

describe("signs", () => {
  test.each(seeds)("seed %d: are ±1, balanced, and do not follow one another", (seed) => {
    const list = signs(seed, "columns");
    expect(list.every((value) => value === 1 || value === -1)).toBe(true);
    expect(Math.abs(average(list))).toBeLessThan(bound());
    // The bits of one word, and whole words.
    for (const lag of [1, 2, 3, 7, 31, 32, 33, 64]) {
      expect(Math.abs(correlation(list.subarray(lag), list.subarray(0, -lag)))).toBeLessThan(bound(COUNT - lag));
    }
  });

  test("every bit of a word is balanced", () => {
    const list = signs(5, "columns", 32 * 4000);
    for (let bit = 0; bit < 32; bit++) {
      expect(Math.abs(average(list.filter((_, index) => index % 32 === bit)))).toBeLessThan(bound(4000));
    }
  });
});

describe("streams", () => {
  test("the same seed and name give the same signs, drawn in whatever parts", () => {
    const whole = signs(3, "columns", 100);
    const parts = new Float32Array(100);
    const stream = new RandomStream(3, "columns");
    stream.fillSigns(parts, 0, 7);
    for (let index = 7; index < 50; index++) parts[index] = stream.sign();
    stream.fillSigns(parts, 50, 100);
    expect(parts).toEqual(whole);
  });

  test("differ by name and by seed, and are not correlated", () => {
    const names = ["columns", "columns, second draw", "a", "b"];
    const streams = seeds.flatMap((seed) => names.map((name) => signs(seed, name)));
    for (const [index, one] of streams.entries()) {
      for (const other of streams.slice(index + 1)) expect(Math.abs(correlation(one, other))).toBeLessThan(bound());
    }
  });

  test("a name that ends in what looks like a seed is another stream", () => {
    expect(signs(1, "1/a", 64)).not.toEqual(signs(11, "a", 64));
    expect(signs(1, "/a", 64)).not.toEqual(signs(1, "a", 64));
  });

  test("only the range that is asked for is filled", () => {
    const list = new Float32Array(10);
    new RandomStream(1, "x").fillSigns(list, 3, 6);
    expect(Array.from(list, Math.abs)).toEqual([0, 0, 0, 1, 1, 1, 0, 0, 0, 0]);
  });
});
