import { describe, expect, test } from "vitest";
import { initialized } from "../../src/training/initialization.ts";
import { count } from "../../src/graph/tensor.ts";
import type { Trainable } from "../../src/training/parameters.ts";
import type { Recipe } from "../../src/training/recipe.ts";

type Name = Recipe["initialization"]["name"];

/** A convolution of 40 kernels of 30×3×3 each, 10 800 weights. */
const kernels: Trainable = { name: "conv.weight", dims: [40, 30, 3, 3], kind: "weight", fanIn: 270, fanOut: 360 };
const bias: Trainable = { name: "conv.bias", dims: [40], kind: "bias", fanIn: 270, fanOut: 360 };
/** Of a standard error. */
const DEVIATIONS = 4;

function values(parameter: Trainable, name: Name, scale = 1, seed = 0): Float32Array {
  return initialized([parameter], { name, scale }, seed).get(parameter.name)!.data as Float32Array;
}

function moments(of: Float32Array) {
  const n = of.length;
  const mean = of.reduce((sum, value) => sum + value, 0) / n;
  const power = (k: number) => of.reduce((sum, value) => sum + (value - mean) ** k, 0) / n;
  return { n, mean, variance: power(2), kurtosis: power(4) / power(2) ** 2, largest: Math.max(...of.map(Math.abs)) };
}

describe("moments of initial weights", () => {
  const cases: readonly (readonly [Name, variance: number, kurtosis: number])[] = [
    ["torch", 1 / (3 * 270), 1.8],
    ["xavier-normal", 2 / 630, 3],
    ["xavier-uniform", 2 / 630, 1.8],
    ["kaiming-normal", 2 / 270, 3],
    ["kaiming-uniform", 2 / 270, 1.8],
  ];
  test.each(cases)("%s", (name, variance, kurtosis) => {
    const found = moments(values(kernels, name));
    expect(Math.abs(found.mean)).toBeLessThan(DEVIATIONS * Math.sqrt(variance / found.n));
    // The variance of a sample variance is (kurtosis − 1) σ⁴/n.
    const spread = Math.sqrt((kurtosis - 1) / found.n) * variance;
    expect(Math.abs(found.variance - variance)).toBeLessThan(DEVIATIONS * spread);
    expect(Math.abs(found.kurtosis - kurtosis)).toBeLessThan(0.3);
    if (kurtosis < 2) {
      expect(found.largest).toBeLessThanOrEqual(Math.fround(Math.sqrt(3 * variance)));
      expect(found.largest).toBeGreaterThan(0.99 * Math.sqrt(3 * variance));
    }
  });
});

describe("orthogonal", () => {
  const shapes: readonly (readonly number[])[] = [
    [5, 9],
    [9, 5],
    [7, 7],
    [4, 2, 3, 3],
    [20, 1, 3, 3],
  ];
  test.each(shapes.map((dims) => [dims]))("rows or columns of %j are orthonormal", (dims) => {
    const w = values({ ...kernels, dims }, "orthogonal", 2);
    const [rows, columns] = [dims[0]!, count(dims.slice(1))];
    const [vectors, length] = rows <= columns ? [rows, columns] : [columns, rows];
    const at = (vector: number, place: number) =>
      rows <= columns ? w[vector * columns + place]! : w[place * columns + vector]!;
    for (let i = 0; i < vectors; i++) {
      for (let j = 0; j <= i; j++) {
        let product = 0;
        for (let place = 0; place < length; place++) product += at(i, place) * at(j, place);
        // Scaled by 2.
        expect(product).toBeCloseTo(i === j ? 4 : 0, 5);
      }
    }
  });
});

test("biases are 0 but for torch's, which are uniform as its weights", () => {
  for (const name of ["xavier-normal", "kaiming-uniform", "orthogonal"] as const) {
    expect(values(bias, name).every((value) => value === 0)).toBe(true);
  }
  const drawn = values(bias, "torch");
  expect(moments(drawn).largest).toBeLessThanOrEqual(1 / Math.sqrt(270));
  expect(moments(drawn).largest).toBeGreaterThan(0.8 / Math.sqrt(270));
});

test("the scale multiplies weights and biases and leaves normalizations at 1 and 0", () => {
  for (const parameter of [kernels, bias]) {
    const [once, thrice] = [values(parameter, "torch"), values(parameter, "torch", 3)];
    thrice.forEach((value, index) => expect(value).toBeCloseTo(3 * once[index]!, 6));
  }
  const normalization: Trainable = { name: "bn.weight", dims: [4], kind: "scale", fanIn: 4, fanOut: 4 };
  expect([...values(normalization, "kaiming-normal", 3)]).toEqual([1, 1, 1, 1]);
  expect([...values({ ...normalization, kind: "shift" }, "torch", 3)]).toEqual([0, 0, 0, 0]);
});

test("the seed and the name draw the values", () => {
  expect(values(kernels, "torch")).toEqual(values(kernels, "torch"));
  expect(values(kernels, "torch", 1, 1)).not.toEqual(values(kernels, "torch"));
  expect(values({ ...kernels, name: "other" }, "torch")).not.toEqual(values(kernels, "torch"));
});
