import { describe, expect, it, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import type { Node } from "../../src/graph/graph.ts";
import { producers } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { afterMove, transposed, weightOf } from "../../src/graph/weights.ts";
import { numbersOf, runGraph, tensor } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** 24 different numbers. */
const numbers = Float32Array.from({ length: 24 }, (_, index) => index + 0.5);

/** The weight that `y` is, behind these nodes of a constant w. */
function weightBehind(w: Tensor, nodes: readonly Node[], more: Readonly<Record<string, Tensor>> = {}) {
  const b = new Builder();
  for (const [name, constant] of Object.entries({ w, ...more })) b.constant(constant, name);
  for (const one of nodes) b.node(one);
  return weightOf(b, producers(b.nodes), "y");
}

const shape = (...sizes: number[]) => Tensor.int64(sizes);
const w = Tensor.float32([2, 3, 4], numbers);

const seen: readonly [string, readonly Node[], Readonly<Record<string, Tensor>>][] = [
  ["Identity", [node("Identity", ["w"], "y")], {}],
  ["Transpose, which turns all axes round", [node("Transpose", ["w"], "y")], {}],
  ["Transpose of some axes", [node("Transpose", ["w"], "y", { perm: [1, 2, 0] })], {}],
  ["Cast", [node("Cast", ["w"], "y", { to: 11 })], {}],
  ["Dropout", [node("Dropout", ["w"], "y")], {}],
  ["Reshape", [node("Reshape", ["w", "s"], "y")], { s: shape(6, -1) }],
  ["Flatten", [node("Flatten", ["w"], "y", { axis: 2 })], {}],
  ["Unsqueeze and Squeeze", [node("Unsqueeze", ["w", "a"], "u"), node("Squeeze", ["u", "a"], "y")], { a: shape(1) }],
  [
    "Transpose, Reshape and Transpose",
    [
      node("Transpose", ["w"], "t", { perm: [2, 0, 1] }),
      node("Reshape", ["t", "s"], "r"),
      node("Transpose", ["r"], "y"),
    ],
    { s: shape(8, 3) },
  ],
];

describe("a weight is seen through", () => {
  test.each(seen)("%s", async (_, nodes, more) => {
    const weight = weightBehind(w, nodes, more);
    const graph = graphOf({}, nodes, { w, ...more });
    const [expected] = [...(await runGraph(graph, new Map())).values()];
    expect(weight?.initializer).toBe("w");
    expect(weight?.dims).toEqual(expected?.dims);
    expect(Array.from(weight?.values() ?? [])).toEqual(numbersOf(expected as { data: Float32Array }));
  });

  it("half precision, widened", () => {
    const half = Tensor.of(
      "float16",
      [3, 3],
      Uint16Array.of(0x3c00, 0x4000, 0xc200, 0, 1, 0x7c00, 0x3555, 0x3e00, 0x8000),
    );
    const weight = weightBehind(half, [node("Transpose", ["w"], "y")]);
    // 1, 2, −3; 0, 2⁻²⁴, ∞; 0.333251953125, 1.5, −0, and rows become columns.
    expect([...(weight?.values() ?? [])]).toEqual([1, 0, 0.333251953125, 2, 2 ** -24, 1.5, -3, Infinity, -0]);
  });

  it("double precision, as it is", () => {
    expect(weightBehind(tensor("float64", [1, 1], [0.1]), [node("Identity", ["w"], "y")])?.values()).toEqual(
      Float64Array.of(0.1),
    );
  });
});

describe("no weight is", () => {
  test.each([
    ["a constant of integers", tensor("int64", [2, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), "Identity"],
    ["a function of a constant", w, "Neg"],
  ])("%s", (_, constant, op) => {
    expect(weightBehind(constant, [node(op, ["w"], "y")])).toBeUndefined();
  });

  it("what an operator of another domain makes", () => {
    expect(weightBehind(w, [node("Identity", ["w"], "y", {}, { domain: "com.example" })])).toBeUndefined();
  });
});

it("a permutation of axes, by hand", () => {
  // [[1, 2, 3], [4, 5, 6]] with rows and columns exchanged.
  expect(transposed(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], [1, 0])).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
  expect(transposed(new Float32Array(), [0, 3], [1, 0])).toEqual(new Float32Array());
});

describe("moves of elements", () => {
  const swapped = afterMove([], [2, 3], [1, 0]);

  it("that take each other back are none", () => {
    expect(afterMove(swapped, [3, 2], [1, 0])).toEqual([]);
    expect(afterMove([], [2, 3], [0, 1])).toEqual([]);
    const round = afterMove(afterMove([], [2, 3, 4], [1, 2, 0]), [3, 4, 2], [1, 2, 0]);
    expect(afterMove(round, [4, 2, 3], [1, 2, 0])).toEqual([]);
  });

  it("that follow each other are one", () => {
    const twice = afterMove(afterMove([], [2, 3, 4], [1, 2, 0]), [3, 4, 2], [1, 2, 0]);
    expect(twice).toEqual(afterMove([], [2, 3, 4], [2, 0, 1]));
  });

  it("of axes of one element are none", () => {
    expect(afterMove([], [5, 1], [1, 0])).toEqual([]);
    expect(afterMove([], [2, 1, 3], [2, 1, 0])).toEqual(swapped);
  });

  it("with a reshape between them are two", () => {
    expect(afterMove(swapped, [2, 3], [1, 0])).toEqual([...swapped, ...swapped]);
  });
});
