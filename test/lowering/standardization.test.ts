import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { mul, reduceSum } from "../../src/graph/operators.ts";
import { Tensor, type Dims } from "../../src/graph/tensor.ts";
import { standardizedByRuntime } from "../../src/lowering/standardization.ts";
import { sameOutputs } from "./same-outputs.ts";

/** A loss of x, normalized along its last axes, and its gradients. */
function gradients(dims: Dims, axes: number, epsilon?: number): Graph {
  const b = new Builder();
  const own = dims.slice(-axes);
  const inputs = [b.input("x", "float32", dims), b.input("gain", "float32", own), b.input("bias", "float32", own)];
  const given = { axis: -axes, ...(epsilon !== undefined && { epsilon: { float: epsilon } }) };
  const y = b.add("LayerNormalization", inputs, given);
  const total = reduceSum(b, mul(b, y, b.add("Tanh", [y])), [...dims.keys()]);
  const pulled = pullBack(b, new Map([[total, b.scalar(1)]]), ["x", "gain", "bias"], 0);
  return b.graph(new Map([["loss", total], ...[...pulled].map(([name, value]) => [`d${name}`, value] as const)]));
}

const operators = ({ nodes }: Graph, op: string) => nodes.filter((node) => node.op === op).length;

describe("what a gradient through LayerNormalization needs is the runtime's", () => {
  test.each<[string, Dims, number, number?]>([
    ["along the last axis", [3, 5, 16], 1],
    ["along two axes", [4, 6, 7], 2],
    ["with another ε", [8, 16], 1, 0.3],
  ])("%s", async (_, dims, axes, epsilon) => {
    const plain = gradients(dims, axes, epsilon);
    const lowered = standardizedByRuntime(plain);
    await sameOutputs(plain, lowered);
    expect([plain, lowered].map((graph) => operators(graph, "LayerNormalization"))).toEqual([1, 2]);
    expect(operators(lowered, "Sqrt")).toBe(0);
    // Of the last centring of the gradient, of its part along the unit vector; three less than before.
    expect(operators(plain, "ReduceMean") - operators(lowered, "ReduceMean")).toBe(3);
  });

  test("each normalization of several has its own", async () => {
    const b = new Builder();
    const ones = b.constant(Tensor.float32([16], new Float32Array(16).fill(1)), "ones");
    const norm = (x: string) =>
      b.add("LayerNormalization", [x, ones, b.input(`${x}.bias`, "float32", [16])], { axis: -1 });
    const y = norm(b.add("Tanh", [norm(b.input("x", "float32", [6, 16]))]));
    const pulled = pullBack(b, new Map([[y, b.input("given", "float32", [6, 16])]]), ["x"], 0);
    const plain = b.graph(new Map([["dx", pulled.get("x")!]]));
    const lowered = standardizedByRuntime(plain);
    await sameOutputs(plain, lowered);
    expect(operators(lowered, "LayerNormalization") - operators(plain, "LayerNormalization")).toBe(2);
  });
});

test("what only looks like it stays", () => {
  const standardized = (axes: readonly number[], one: number, keepdims: number) => {
    const b = new Builder();
    const x = b.input("x", "float32", [4, 6]);
    const mean = (value: string) => b.add("ReduceMean", [value, b.integers(axes)], { keepdims });
    const centred = (value: string) => b.add("Sub", [value, mean(value)]);
    const c = centred(centred(x));
    const size = b.add("Sqrt", [b.add("Add", [mean(mul(b, c, c)), b.scalar(0.1)])]);
    return b.graph(new Map([["y", mul(b, c, b.add("Div", [b.scalar(one), size]))]]));
  };
  expect(operators(standardizedByRuntime(standardized([-1], 1, 1)), "LayerNormalization")).toBe(1);
  expect(operators(standardizedByRuntime(standardized([-2], 1, 1)), "LayerNormalization")).toBe(0);
  expect(operators(standardizedByRuntime(standardized([-1], 2, 1)), "LayerNormalization")).toBe(0);
  const plain = gradients([3, 16], 1);
  const without = { ...plain, nodes: plain.nodes.filter(({ op }) => op !== "Sqrt") };
  expect(standardizedByRuntime(without)).toBe(without);
});
