import { expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { followedBy } from "../../src/graph/composition.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";

/** y = (x + 1) · w, with a factor before it. */
function scaled(factor: number, output: string): Graph {
  const b = new Builder();
  const x = b.input("x", "float32", [2]);
  const w = b.input("w", "float32", [2]);
  const moved = b.add("Add", [x, b.constant(Tensor.float32([2], [1, 1]))]);
  const y = b.add("Mul", [b.add("Mul", [moved, b.scalar(factor)]), w]);
  return b.graph(new Map([[output, y]]));
}

const vector = (...values: number[]) => ({ type: "float32" as const, dims: [2], data: Float32Array.from(values) });

test("a graph after another reads its output, and what both do with shared inputs is done once", async () => {
  const whole = followedBy(scaled(1, "first"), scaled(3, "second"), new Map([["w", "first"]]), ["first"]);
  expect(whole.nodes.filter(({ op }) => op === "Add")).toHaveLength(1);
  const session = await nodeRuntime.open(whole, { provider: "cpu", threads: 1 });
  const outputs = await session.run(
    new Map([
      ["x", vector(1, 2)],
      ["w", vector(5, 7)],
    ]),
  );
  await session.release();
  // (1 + 1) · 5 and (2 + 1) · 7; then 3 · (1 + 1) · 10 and 3 · (2 + 1) · 21.
  expect([...(outputs.get("first")!.data as Float32Array)]).toEqual([10, 21]);
  expect([...(outputs.get("second")!.data as Float32Array)]).toEqual([60, 189]);
});

test("what only outputs that are left out are made of is left out too", () => {
  const both = (name: string) => {
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    const lost = b.add("Exp", [b.add("Mul", [x, b.constant(Tensor.float32([2], [3, 4]))])]);
    return b.graph(
      new Map([
        [name, b.add("Neg", [x])],
        ["lost", lost],
      ]),
    );
  };
  const first = both("first");
  const bound = new Map([["x", "first"]]);
  const kept = followedBy(first, both("second"), bound, ["first", "lost"]);
  expect(kept.outputs.map(({ name }) => name)).toEqual(["first", "lost", "second"]);
  expect(kept.nodes.filter(({ op }) => op === "Exp")).toHaveLength(1);
  const without = { ...first, outputs: first.outputs.filter(({ name }) => name === "first") };
  const less = followedBy(without, both("second"), bound, ["first", "lost"]);
  expect(less.outputs.map(({ name }) => name)).toEqual(["first", "second"]);
  expect(less.nodes.filter(({ op }) => op === "Exp")).toHaveLength(0);
  expect(less.constants.size).toBe(0);
});
