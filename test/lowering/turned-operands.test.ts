import { expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { swap, transpose } from "../../src/graph/operators.ts";
import { readTurned } from "../../src/lowering/turned-operands.ts";
import { sameOutputs } from "./same-outputs.ts";

/** Products of x [2, 3, 4, 5] with y, in some axes' order and the last two of them swapped, if they are. */
function product(order: readonly number[], last: readonly number[] | undefined, dims: readonly number[]) {
  const b = new Builder();
  const heads = transpose(b, b.input("y", "float32", dims), order);
  const turned = last ? transpose(b, heads, last) : heads;
  const y = b.add("MatMul", [b.input("x", "float32", [2, 3, 4, 5]), turned]);
  return b.graph(
    new Map([
      ["product", y],
      ["heads", heads],
    ]),
  );
}

test("a right operand that was transposed twice is read as it stands", async () => {
  // [2, 6, 3, 5] with the heads before the tokens, [2, 3, 6, 5].
  const graph = product([0, 2, 1, 3], [0, 1, 3, 2], [2, 6, 3, 5]);
  const lowered = readTurned(graph);
  await sameOutputs(graph, lowered);
  const operators = lowered.nodes.map(({ op }) => op).filter((op) => op !== "Identity");
  expect(operators).toEqual(["Transpose", "FusedMatMul"]);
});

test("one of which the runtime makes a flag itself stays, and one in another order", () => {
  const b = new Builder();
  const once = b.add(
    "MatMul",
    ["x", "y"].map((name) => b.input(name, "float32", [4, 5])).map((value, index) => (index ? swap(b, value) : value)),
  );
  for (const graph of [
    b.graph(new Map([["once", once]])),
    product([0, 2, 3, 1], undefined, [2, 6, 3, 5]),
    product([2, 0, 1, 3], [1, 0, 2, 3], [2, 5, 3, 6]),
  ]) {
    expect(readTurned(graph)).toBe(graph);
  }
});
