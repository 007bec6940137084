import { describe, expect, test } from "vitest";
import { gramOf, pivotedCholesky, unitFactor, weightFactor, type Factor } from "../../src/calculus/factor.ts";
import type { Layer } from "../../src/graph/layers.ts";
import { dot, maximumError } from "../float64-array.ts";
import { normals } from "../sketch.ts";

/** float64: a few units in the last place of sums of at most 40 products, in units of the largest entry. */
const EXACT = 1e-14;
/** A pivot that is rounding is dropped: what is left of the diagonal is at most 1e-14 of the largest, per row. */
const DROPPED = 1e-13;

/** A pivot of the size of float32's rounding, 6e-8, makes an error of it that is larger by its root: 6e-5 is the worst of 1 000. */
const FLOAT32_GRAM = 2e-4;

function random(size: number, seed: number): Float64Array {
  return Float64Array.from({ length: size }, normals(seed));
}

/** F Fᵀ of a block of rows. */
function outer(values: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const row = (index: number) => Array.from(values).slice(index * columns, (index + 1) * columns);
  return Float64Array.from({ length: rows ** 2 }, (_, place) => dot(row(Math.floor(place / rows)), row(place % rows)));
}

function layerOf(d: number, m: number, groups: number, values: Float64Array | Float32Array): Layer {
  return { d, m, groups, matrix: () => values } as Partial<Layer> as Layer;
}

describe("pivotedCholesky: L Lᵀ = G", () => {
  test.each([
    ["one row", 1, 1],
    ["full rank", 6, 9],
    ["full rank, square", 5, 5],
    ["rank 2 of 7", 7, 2],
    ["rank 1 of 5", 5, 1],
  ])("%s: as many columns as the rank", (_, rows, rank) => {
    const gram = gramOf(random(rows * rank, rows), rows, rank);
    const { columns, values } = pivotedCholesky(gram, rows);
    expect(columns).toBe(Math.min(rows, rank));
    expect(maximumError(outer(values, rows, columns), gram)).toBeLessThan(rank < rows ? DROPPED : EXACT);
  });

  test("by hand: the largest diagonal is the first pivot", () => {
    const { columns, values } = pivotedCholesky(Float64Array.of(4, 6, 6, 9), 2);
    expect(columns).toBe(1);
    expect([...values]).toEqual([2, 3]);
    const two = pivotedCholesky(Float64Array.of(1, 0, 0, 4), 2);
    expect([...two.values]).toEqual([0, 1, 2, 0]);
  });

  test("zero: one column of zeros", () => {
    expect(pivotedCholesky(new Float64Array(9), 3)).toEqual({ columns: 1, values: new Float64Array(3) });
  });

  test("rows of very different sizes, a row of zeros, and two equal rows", () => {
    const rows = random(5 * 4, 3);
    const block = Float64Array.from(rows, (value, index) => value * [1, 1e5, 0, 1e-3, 1][Math.floor(index / 4)]!);
    block.copyWithin(4 * 4, 0, 4);
    const gram = gramOf(block, 5, 4);
    const { columns, values } = pivotedCholesky(gram, 5);
    const back = outer(values, 5, columns);
    expect(maximumError(back, gram)).toBeLessThan(EXACT);
  });

  test("of a matrix that was rounded to float32 the last pivots are rounding, and their columns of no more use", () => {
    let worst = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const block = random(16 * 4, seed);
      block.copyWithin(4, 0, 4);
      const gram = gramOf(block, 16, 4).map(Math.fround);
      const { columns, values } = pivotedCholesky(gram, 16);
      worst = Math.max(worst, maximumError(outer(values, 16, columns), gram));
    }
    expect(worst).toBeLessThan(FLOAT32_GRAM);
  });
});

/** F Fᵀ against W Wᵀ within each group. */
function expectFactor({ rows, columns, values }: Factor, { d, m, groups, matrix }: Layer): void {
  expect(rows).toBe(d);
  const size = d / groups;
  for (let group = 0; group < groups; group++) {
    const block = matrix().slice(group * size * m, (group + 1) * size * m);
    const own = values.slice(group * size * columns, (group + 1) * size * columns);
    expect(maximumError(outer(own, size, columns), outer(block, size, m))).toBeLessThan(DROPPED);
  }
}

describe("weightFactor: F Fᵀ = W Wᵀ of each group", () => {
  test("no more columns than rows: W itself", () => {
    const values = random(6 * 3, 11);
    const factor = weightFactor(layerOf(6, 3, 1, values));
    expect(factor).toEqual({ rows: 6, columns: 3, values });
    expect(factor.values).not.toBe(values);
  });

  test.each([
    ["more columns than rows", 4, 10, 1],
    ["two groups", 6, 5, 2],
    ["two groups, W itself", 8, 3, 2],
    ["depthwise: one row a group", 5, 9, 5],
  ])("%s", (_, d, m, groups) => {
    const layer = layerOf(d, m, groups, Float32Array.from(random(d * m, d)));
    const factor = weightFactor(layer);
    expect(factor.columns).toBe(Math.min(m, d / groups));
    expectFactor(factor, layer);
  });

  test("groups of different rank share the columns of the larger, the rest zeros", () => {
    const values = random(6 * 5, 17);
    // The second group: three times the same row.
    for (const row of [4, 5]) values.copyWithin(row * 5, 3 * 5, 4 * 5);
    const layer = layerOf(6, 5, 2, values);
    const factor = weightFactor(layer);
    expect(factor.columns).toBe(3);
    expectFactor(factor, layer);
    for (const row of [3, 4, 5]) expect(Array.from(factor.values.subarray(row * 3 + 1, row * 3 + 3))).toEqual([0, 0]);
  });

  test("weights of zero", () => {
    const factor = weightFactor(layerOf(2, 3, 1, new Float32Array(6)));
    expect(factor).toEqual({ rows: 2, columns: 1, values: new Float64Array(2) });
  });
});

test.each([
  [3, 1],
  [6, 2],
  [4, 4],
])("unitFactor: the identity of each group, %d rows in %d groups", (d, groups) => {
  const factor = unitFactor(layerOf(d, 2, groups, new Float64Array(d * 2)));
  const size = d / groups;
  expect(factor.columns).toBe(size);
  for (let row = 0; row < d; row++) {
    for (let column = 0; column < size; column++) {
      expect(factor.values[row * size + column]).toBe(row % size === column ? 1 : 0);
    }
  }
});
