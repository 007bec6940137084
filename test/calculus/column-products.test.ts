import { describe, expect, test } from "vitest";
import { columnProducts } from "../../src/calculus/column-products.ts";
import { columnsSideBySide, featuresAt } from "../../src/calculus/positions.ts";
import { attributes, Builder } from "../../src/graph/builder.ts";
import { findLayers, type Layer } from "../../src/graph/layers.ts";
import { matMul, swap } from "../../src/graph/operators.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { maximumError, product } from "../float64-array.ts";
import { float32Array, valuesOf } from "../run-graph.ts";
import { normals } from "../sketch.ts";

/** Products of the same numbers, added in another order. */
const ROUNDING = 2e-6;

interface Case {
  readonly x: number[];
  readonly w: number[];
  readonly given?: Record<string, number | number[]>;
}

async function products({ x, w, given = {} }: Case) {
  const [columns, batch] = [3, 2];
  const normal = normals(product(x) + product(w));
  const random = (dims: number[]) => ({ dims, data: Float64Array.from({ length: product(dims) }, normal) });
  const b = new Builder();
  b.input("x", "float32", [batch, ...x]);
  b.constant(Tensor.float32(w, random(w).data), "w");
  b.node({ op: "Conv", domain: "", name: "conv", inputs: ["x", "w"], outputs: ["z"], attributes: attributes(given) });
  const [layer] = findLayers(b) as [Layer];
  const rows = layer.d / layer.groups;
  const dims = [columns, batch, layer.groups, rows, layer.positions];
  const gamma = b.input("gamma", "float32", dims);
  const inner = (value: string) => matMul(b, value, swap(b, value));
  const before = b.nodes.length;
  const own = columnProducts(b, layer, gamma);
  const made = b.nodes.slice(before).map(({ op }) => op);
  const plain = matMul(b, columnsSideBySide(b, gamma), swap(b, featuresAt(b, layer)));
  const feeds = { x: float32Array(random([batch, ...x])), gamma: float32Array(random(dims)) };
  const got = await valuesOf(b, { own: inner(own), plain: inner(plain) }, feeds);
  return {
    made,
    dims: b.dims(own),
    wanted: [batch, layer.groups, rows * columns, w.slice(1).reduce((s, c) => s * c, 1)],
    got,
  };
}

describe("columns times features of a convolution, a row of the kernel at a time: the inner products of patches", () => {
  test.each<[string, Case]>([
    ["as large a kernel as fills strips", { x: [3, 9, 8], w: [4, 3, 5, 5] }],
    ["padding on each side of its own", { x: [3, 7, 8], w: [4, 3, 5, 5], given: { pads: [1, 2, 0, 3] } }],
    ["columns in strides", { x: [3, 9, 11], w: [4, 3, 5, 5], given: { strides: [1, 2] } }],
    ["rows and columns with holes", { x: [5, 11, 12], w: [4, 5, 3, 3], given: { dilations: [2, 3] } }],
    ["groups", { x: [6, 9, 8], w: [4, 3, 5, 5], given: { group: 2 } }],
  ])("%s", async (_, given) => {
    const { made, dims, wanted, got } = await products(given);
    expect(made.filter((op) => op === "MatMul")).toHaveLength(given.w[2]!);
    expect(dims).toEqual(wanted);
    expect(maximumError(got["own"]!, got["plain"]!)).toBeLessThan(ROUNDING);
  });

  test.each<[string, Case]>([
    ["rows in strides", { x: [3, 9, 8], w: [4, 3, 5, 5], given: { strides: [2, 1] } }],
    ["a row that would leave most of a strip empty", { x: [1, 9, 8], w: [4, 1, 5, 5] }],
    ["a wide row, beside which patches cost little", { x: [16, 9, 8], w: [4, 16, 3, 3] }],
    ["one axis", { x: [3, 9], w: [4, 3, 5] }],
  ])("not of %s", async (_, given) => {
    const { made, got } = await products(given);
    expect(made.filter((op) => op === "MatMul")).toHaveLength(1);
    expect(maximumError(got["own"]!, got["plain"]!)).toBe(0);
  });
});
