import { describe, expect, it, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import * as op from "../../src/graph/operators.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { numbersOf, runGraph } from "./running.ts";

// x is [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]].
const dims = [2, 2, 3];
const values = Tensor.float32(
  dims,
  Array.from({ length: 12 }, (_, index) => index),
);

function start(): { b: Builder; x: ValueId } {
  const b = new Builder();
  return { b, x: b.input("x", "float32", dims) };
}

async function run(make: (b: Builder, x: ValueId) => ValueId) {
  const { b, x } = start();
  const y = (await runGraph(b.graph(new Map([["y", make(b, x)]])), new Map([["x", values]]))).get("y");
  return y && { type: y.type, dims: y.dims, values: numbersOf(y) };
}

const made: readonly [string, (b: Builder, x: ValueId) => ValueId, number[], number[]][] = [
  ["swap exchanges the last two axes", op.swap, [2, 3, 2], [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]],
  ["sumBeyond sums each sample", (b, x) => op.sumBeyond(b, x, 1), [2], [15, 51]],
  ["sumBeyond of all axes kept is the value", (b, x) => op.sumBeyond(b, op.sumBeyond(b, x, 1), 1), [2], [15, 51]],
  ["squaredNorm sums squares of each sample", (b, x) => op.squaredNorm(b, x, 1), [2], [55, 451]],
  ["squaredNorm of numbers squares each", (b, x) => op.squaredNorm(b, op.sumBeyond(b, x, 1), 1), [2], [225, 2601]],
  ["sumOfSquares sums along axes", (b, x) => op.sumOfSquares(b, x, [0, 2]), [2], [154, 352]],
  ["reduceSum keeps axes when it is told", (b, x) => op.reduceSum(b, x, [1], true), [2, 1, 3], [3, 5, 7, 15, 17, 19]],
  [
    "foldLead makes one axis of the first two",
    (b, x) => op.foldLead(b, x),
    [4, 3],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ],
  [
    "foldPositions makes one axis of those between",
    (b, x) => op.foldPositions(b, op.reshape(b, x, [1, 2, 2, 3]), 1),
    [1, 4, 3],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ],
  [
    "foldPositions adds an axis where there is none",
    (b, x) => op.foldPositions(b, op.foldLead(b, x), 1),
    [4, 1, 3],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ],
  ["slice goes backwards too", (b, x) => op.slice(b, x, [2], [2], [-4], [-2]), [2, 2, 2], [2, 0, 5, 3, 8, 6, 11, 9]],
  ["slice has steps of 1", (b, x) => op.slice(b, x, [0, 2], [1, 1], [2, 3]), [1, 2, 2], [7, 8, 10, 11]],
  [
    "pad adds zeros before and after",
    (b, x) => op.pad(b, op.slice(b, x, [0, 1], [0, 0], [1, 1]), [0, 1, 0, 0, 0, 2]),
    [1, 2, 5],
    [0, 0, 0, 0, 0, 0, 1, 2, 0, 0],
  ],
  ["scale multiplies", (b, x) => op.scale(b, op.sumBeyond(b, x, 1), -2), [2], [-30, -102]],
  ["expand repeats", (b, x) => op.expand(b, op.reduceSum(b, x, [1, 2], true), [2, 2, 1]), [2, 2, 1], [15, 15, 51, 51]],
  ["concat joins", (b, x) => op.concat(b, [op.sumBeyond(b, x, 1), op.sumBeyond(b, x, 1)], 0), [4], [15, 51, 15, 51]],
  [
    "a reshape to no elements keeps its zero",
    (b, x) => op.reshape(b, op.slice(b, x, [0], [0], [0]), [3, 0]),
    [3, 0],
    [],
  ],
];

test.each(made)("%s", async (_, make, expectedDims, expected) => {
  expect(await run(make)).toEqual({ type: "float32", dims: expectedDims, values: expected });
});

it("arithmetic, and a cast to integers", async () => {
  // (x₀ + 5)² / 4 − √x₀ of the sums 15 and 51, in whole numbers.
  const y = await run((b, x) => {
    const sum = op.sumBeyond(b, x, 1);
    const quarter = op.div(b, op.square(b, op.add(b, sum, b.scalar(5))), b.scalar(4));
    return op.cast(b, op.sub(b, quarter, op.sqrt(b, sum)), "int64");
  });
  expect(y).toEqual({ type: "int64", dims: [2], values: [96, 776] });
});

it("matMul and mul", async () => {
  // Each sample times its transpose, and that times itself element by element.
  const y = await run((b, x) => {
    const gram = op.matMul(b, x, op.swap(b, x));
    return op.mul(b, gram, gram);
  });
  expect(y?.values.slice(0, 4)).toEqual([25, 196, 196, 2500]);
});

describe("nothing is emitted for", () => {
  const idle: readonly [string, (b: Builder, x: ValueId) => ValueId][] = [
    ["a reshape to the same dimensions", (b, x) => op.reshape(b, x, dims)],
    ["a transposition that moves nothing", (b, x) => op.transpose(b, x, [0, 1, 2])],
    ["an expansion to the same dimensions", (b, x) => op.expand(b, x, dims)],
    ["a concatenation of one", (b, x) => op.concat(b, [x], 0)],
    ["a factor of one", (b, x) => op.scale(b, x, 1)],
    ["a sum over no axes", (b, x) => op.reduceSum(b, x, [])],
    ["no padding", (b, x) => op.pad(b, x, [0, 0, 0, 0, 0, 0])],
    ["a cast to the same type", (b, x) => op.cast(b, x, "float32")],
  ];
  test.each(idle)("%s", (_, make) => {
    const { b, x } = start();
    expect(make(b, x)).toBe(x);
    expect(b.nodes).toEqual([]);
  });
});
