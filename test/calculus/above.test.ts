import { describe, expect, test } from "vitest";
import { classifyAbove, type Above } from "../../src/calculus/above.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { oneTerm } from "../../src/losses/labels.ts";
import { Sketch } from "../sketch.ts";

/** What is above each layer of a sketch that ends in the given value: one term a sample, unless it is tokens. */
function above(sketch: Sketch, dims: readonly number[], output: string, tokens = false): Record<string, Above> {
  const { graph } = sketch.done(output, 1);
  const { builder } = instantiate(graph, new Map([["x", { type: "float32", dims: [2, ...dims] }]]));
  const scores = tokens ? output : oneTerm(builder.dims(output)).arrange(builder, output);
  return Object.fromEntries(findLayers(builder).map((layer) => [layer.name, classifyAbove(builder, layer, scores)]));
}

function kinds(all: Record<string, Above>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).map(([name, { kind }]) => [name, kind]));
}

const dense = (s: Sketch, x: string, name: string, d: number, m: number) =>
  s.op("Gemm", [x, s.rows(name, [d, m])], { transB: 1 });

describe("logits: z plus a constant, one position a term", () => {
  test("through Add, Identity, Dropout and reshapes", () => {
    const s = new Sketch(1, [4]);
    const a = s.op("Relu", [dense(s, "x", "a", 5, 4)]);
    const b = s.op("Identity", [s.op("Add", [s.random("bias", [3]), dense(s, a, "b", 3, 5)])]);
    const wide = s.op("Unsqueeze", [s.op("Dropout", [b]), s.integers(-1)]);
    expect(kinds(above(s, [4], s.op("Flatten", [wide])))).toEqual({ a: "piecewise-linear", b: "logits" });
  });

  test("not when something else depends on it, scales it, or adds what varies", () => {
    for (const end of ["Mul", "residual", "twice"]) {
      const s = new Sketch(2, [3]);
      const a = dense(s, "x", "a", 3, 3);
      const last = { Mul: [a, s.constant("half", [], [0.5])], residual: [a, "x"], twice: [a, a] }[end]!;
      expect(kinds(above(s, [3], s.op(end === "Mul" ? "Mul" : "Add", last)))).toEqual({ a: "piecewise-linear" });
    }
  });

  test("not when one output is spread over several", () => {
    const s = new Sketch(3, [3]);
    const out = s.op("Add", [dense(s, "x", "a", 1, 3), s.random("bias", [4])]);
    expect(kinds(above(s, [3], out))).toEqual({ a: "piecewise-linear" });
  });

  test("of tokens, each a term", () => {
    const s = new Sketch(5, [2, 3]);
    const z = s.op("Add", [s.op("MatMul", ["x", s.columns("a", 3, 2)]), s.random("bias", [2])]);
    expect(kinds(above(s, [2, 3], z, true))).toEqual({ a: "logits" });
    const turned = new Sketch(5, [2, 3]);
    const swapped = turned.op("Transpose", [turned.op("MatMul", ["x", turned.columns("a", 3, 2)])], {
      perm: [0, 2, 1],
    });
    // As many numbers, but a term is not a position.
    expect(kinds(above(turned, [2, 3], swapped, true))).toEqual({ a: "piecewise-linear" });
  });

  test("not a 1×1 convolution before pooling, nor tokens side by side in one term", () => {
    const s = new Sketch(4, [3, 4, 4]);
    const pooled = s.op("GlobalAveragePool", [s.op("Conv", ["x", s.rows("a", [5, 3, 1, 1])])]);
    expect(kinds(above(s, [3, 4, 4], s.op("Flatten", [pooled])))).toEqual({ a: "piecewise-linear" });
    const tokens = new Sketch(5, [2, 3]);
    const z = tokens.op("Flatten", [tokens.op("MatMul", ["x", tokens.columns("a", 3, 2)])]);
    expect(kinds(above(tokens, [2, 3], z))).toEqual({ a: "piecewise-linear" });
  });
});

describe("smooth: the Hessian is more than Gauss-Newton", () => {
  test.each([
    ["a product of two branches", "Mul"],
    ["a quotient by what varies", "Div"],
    ["a product of matrices that both vary", "MatMul"],
  ])("%s", (_, op) => {
    const s = new Sketch(6, [3, 3]);
    const a = s.op("MatMul", ["x", s.columns("a", 3, 3)]);
    const out = s.op("Flatten", [s.op(op, [op === "Div" ? "x" : s.op("Relu", [a]), a])]);
    const found = above(s, [3, 3], out)["a"];
    expect(found).toEqual({ kind: "smooth", op, node: expect.stringContaining(`(${op})`) as string });
  });

  test("not a product in which only one factor varies with the layer", () => {
    const s = new Sketch(7, [3]);
    const gate = s.op("Relu", ["x"]);
    const out = s.op("Div", [
      s.op("Mul", [dense(s, "x", "a", 3, 3), gate]),
      s.op("Add", [gate, s.constant("one", [], [1])]),
    ]);
    expect(kinds(above(s, [3], out))).toEqual({ a: "piecewise-linear" });
  });
});

describe("a weight used twice", () => {
  test("side by side is one layer with both", () => {
    const s = new Sketch(8, [3]);
    const w = s.rows("a", [3, 3]);
    const twin = (x: string) => s.op("Relu", [s.op("Gemm", [x, w], { transB: 1 })]);
    expect(kinds(above(s, [3], s.op("Sub", [twin("x"), twin(s.op("Neg", ["x"]))])))).toEqual({ a: "piecewise-linear" });
  });

  test("on what it made: the outputs are a polynomial in W", () => {
    const s = new Sketch(9, [3]);
    const w = s.rows("a", [3, 3]);
    const once = s.op("Relu", [s.op("Gemm", ["x", w], { transB: 1 })]);
    const twice = s.op("Gemm", [once, w], { transB: 1 });
    expect(above(s, [3], s.op("Relu", [twice]))["a"]).toEqual({ kind: "reused", op: "Gemm", node: "Gemm_2 (Gemm)" });
  });

  test("on what it made, but for another output", () => {
    const s = new Sketch(10, [3]);
    const w = s.rows("a", [3, 3]);
    const once = s.op("Relu", [s.op("Gemm", ["x", w], { transB: 1 })]);
    s.op("Gemm", [once, w], { transB: 1 });
    expect(kinds(above(s, [3], once))).toEqual({ a: "piecewise-linear" });
  });
});

describe("no way through", () => {
  test("an operator without a rule", () => {
    const s = new Sketch(11, [3]);
    const maps = s.op("Unsqueeze", [dense(s, "x", "a", 4, 3), s.integers(-1)]);
    const out = s.op("Flatten", [s.op("GlobalLpPool", [maps])]);
    expect(above(s, [3], out)["a"]).toEqual({
      kind: "unsupported",
      op: "GlobalLpPool",
      node: "GlobalLpPool_2 (GlobalLpPool)",
    });
  });

  test("an output that does not depend on the layer", () => {
    const s = new Sketch(12, [3]);
    dense(s, "x", "a", 4, 3);
    expect(kinds(above(s, [3], dense(s, "x", "b", 2, 3)))).toEqual({ a: "disconnected", b: "logits" });
  });

  test("samples that are not the first axis of what the layer reads", () => {
    const s = new Sketch(13, [4, 3]);
    const tokens = s.op("Reshape", ["x", s.integers(-1, 3, 1)]);
    const a = s.op("Relu", [s.op("Conv", [tokens, s.rows("a", [2, 3, 1])])]);
    const out = s.op("Reshape", [a, s.integers(-1, 8)]);
    expect(above(s, [4, 3], out)["a"]).toEqual({ kind: "mixed-samples", value: "Reshape_0_out", dims: [8, 3, 1] });
  });
});
