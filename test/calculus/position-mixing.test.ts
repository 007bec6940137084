import { describe, expect, test } from "vitest";
import { mixesPositions } from "../../src/calculus/position-mixing.ts";
import { fuse } from "../../src/graph/fusion.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { classTerms, oneTerm } from "../../src/losses/labels.ts";
import { goldenModel } from "../golden-model.ts";
import { Sketch } from "../sketch.ts";

const BATCH = 2;

/** Whether the network above each layer mixes its positions: x [B, T, m], the labels of a sample [T] if it is tokens. */
function mixing(sketch: Sketch, dims: readonly number[], output: string, labels?: readonly number[]) {
  const { graph } = sketch.done(output, 1);
  const { builder: b } = instantiate(graph, new Map([["x", { type: "float32", dims: [BATCH, ...dims] }]]));
  const out = b.dims(output);
  const scores = (labels ? classTerms(out, labels) : oneTerm(out)).arrange(b, output);
  return Object.fromEntries(findLayers(b).map((layer) => [layer.name, mixesPositions(b, layer, scores)]));
}

/** Five tokens of four features through a layer `a`, then what is given, to three classes a token. */
function tokens(build: (s: Sketch, z: string) => string): boolean {
  const s = new Sketch(1, [5, 4]);
  const z = s.op("MatMul", ["x", s.columns("a", 4, 4)]);
  const { a } = mixing(s, [5, 4], build(s, z), [5]);
  return a!;
}

const head = (s: Sketch, x: string) => s.op("MatMul", [x, s.columns("head", 4, 3)]);

describe("kept apart, each token by itself", () => {
  test.each<[string, (s: Sketch, z: string) => string]>([
    ["elementwise functions and a bias", (s, z) => head(s, s.op("Tanh", [s.op("Add", [z, s.random("bias", [4])])]))],
    ["a residual connection", (s, z) => head(s, s.op("Add", [s.op("Relu", [z]), z]))],
    ["an input added that is not the layer's", (s, z) => head(s, s.op("Add", [z, "x"]))],
    [
      "LayerNormalization over features",
      (s, z) =>
        head(s, s.op("LayerNormalization", [z, s.random("gain", [4], 1), s.random("shift", [4])], { axis: -1 })),
    ],
    ["Softmax over features", (s, z) => head(s, s.op("Softmax", [z], { axis: 2 }))],
    [
      "two transposes",
      (s, z) => {
        const turned = s.op("Transpose", [z], { perm: [0, 2, 1] });
        return head(s, s.op("Transpose", [s.op("Tanh", [turned])], { perm: [0, 2, 1] }));
      },
    ],
    ["scores [B, C, T]", (s, z) => s.op("Transpose", [head(s, z)], { perm: [0, 2, 1] })],
    [
      "a reshape of the features",
      (s, z) => {
        const heads = s.op("Reshape", [z, s.integers(0, 5, 2, 2)]);
        return head(s, s.op("Reshape", [s.op("Tanh", [heads]), s.integers(0, 5, 4)]));
      },
    ],
    [
      "Concat along features",
      (s, z) => s.op("MatMul", [s.op("Concat", [s.op("Tanh", [z]), z], { axis: -1 }), s.columns("head", 8, 3)]),
    ],
    ["a product with itself", (s, z) => head(s, s.op("Mul", [z, z]))],
  ])("%s", (_, build) => {
    expect(tokens(build)).toBe(false);
  });
});

describe("mixed, or not known to be kept apart", () => {
  const turn = (s: Sketch, x: string) => s.op("Transpose", [x], { perm: [0, 2, 1] });

  test.each<[string, (s: Sketch, z: string) => string]>([
    [
      "attention",
      (s, z) => {
        const scores = s.op("Softmax", [s.op("MatMul", [z, turn(s, z)])], { axis: -1 });
        return head(s, s.op("MatMul", [scores, z]));
      },
    ],
    [
      "a product with its own transpose's sum",
      (s, z) => head(s, s.op("MatMul", ["x", s.op("MatMul", [turn(s, z), "x"])])),
    ],
    ["the right operand of a product", (s, z) => head(s, s.op("MatMul", [s.random("mix", [5, 5]), z]))],
    ["W on the left", (s, z) => head(s, s.op("MatMul", [s.rows("mix", [5, 5]), z]))],
    ["a product over tokens", (s, z) => head(s, turn(s, s.op("MatMul", [turn(s, z), s.columns("mix", 5, 5)])))],
    [
      "a convolution along tokens",
      (s, z) => {
        const c = s.op("Conv", [turn(s, z), s.rows("conv", [4, 4, 3])], { pads: [1, 1] });
        return head(s, turn(s, c));
      },
    ],
    [
      "LayerNormalization over tokens and features",
      (s, z) => head(s, s.op("LayerNormalization", [z, s.random("gain", [5, 4], 1)], { axis: 1 })),
    ],
    [
      "LayerNormalization over tokens",
      (s, z) => head(s, turn(s, s.op("LayerNormalization", [turn(s, z), s.random("gain", [5], 1)], { axis: -1 }))),
    ],
    ["Softmax over tokens", (s, z) => head(s, s.op("Softmax", [z], { axis: 1 }))],
    [
      "the mean over tokens, added",
      (s, z) => head(s, s.op("Add", [z, s.op("ReduceMean", [z, s.integers(1)], { keepdims: 1 })])),
    ],
    [
      "a reshape that takes tokens and features apart otherwise",
      (s, z) =>
        head(s, s.op("Reshape", [z, s.integers(0, 5, -1)])) &&
        head(s, s.op("Reshape", [turn(s, z), s.integers(0, 5, 4)])),
    ],
    [
      "a token shifted by one, added",
      (s, z) => {
        const cut = s.op("Slice", [z, s.integers(0), s.integers(4), s.integers(1)]);
        return head(s, s.op("Add", [z, s.op("Pad", [cut, s.integers(0, 1, 0, 0, 0, 0)])]));
      },
    ],
    [
      "Concat along tokens",
      (s, z) => {
        const both = s.op("Concat", [z, z], { axis: 1 });
        return head(s, s.op("Slice", [both, s.integers(3), s.integers(8), s.integers(1)]));
      },
    ],
    [
      "its own transpose added, tokens and features being as many",
      (s, z) => {
        const square = s.op("MatMul", [z, s.columns("b", 4, 5)]);
        return s.op("MatMul", [s.op("Add", [square, turn(s, square)]), s.columns("head", 5, 3)]);
      },
    ],
  ])("%s", (_, build) => {
    expect(tokens(build)).toBe(true);
  });

  test("all tokens in one term", () => {
    const s = new Sketch(2, [5, 4]);
    const z = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 4, 4)])]);
    const out = s.op("Gemm", [s.op("Flatten", [z]), s.rows("head", [3, 20])], { transB: 1 });
    expect(mixing(s, [5, 4], out)["a"]).toBe(true);
  });

  test("the mean over tokens at the end", () => {
    const s = new Sketch(3, [5, 4]);
    const z = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 4, 4)])]);
    expect(mixing(s, [5, 4], head(s, s.op("ReduceMean", [z, s.integers(1)], { keepdims: 0 })))["a"]).toBe(true);
  });

  test("as many samples, tokens and features: a transpose that changes samples and tokens", () => {
    const s = new Sketch(4, [BATCH, BATCH]);
    const z = s.op("MatMul", ["x", s.columns("a", BATCH, BATCH)]);
    const out = s.op("Reshape", [s.op("Transpose", [s.op("Tanh", [z])], { perm: [0, 2, 1] }), s.integers(0, 2, 2)]);
    // Terms are then the features, not the tokens.
    expect(mixing(s, [BATCH, BATCH], out, [BATCH])["a"]).toBe(true);
  });

  test("one term whose classes are the tokens, as in a search for the place of an answer", () => {
    const s = new Sketch(8, [5, 4]);
    const z = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 4, 4)])]);
    const out = s.op("Reshape", [s.op("MatMul", [z, s.columns("head", 4, 1)]), s.integers(0, 5)]);
    expect(mixing(s, [5, 4], out, [])).toEqual({ a: true, head: true });
  });

  test("Concat with its own transpose, tokens and features being as many", () => {
    const s = new Sketch(9, [4, 4]);
    const z = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 4, 4)])]);
    const side = s.op("Concat", [z, s.op("Transpose", [z], { perm: [0, 2, 1] })], { axis: 2 });
    expect(mixing(s, [4, 4], side, [4])).toEqual({ a: true });
  });

  test("two uses of one weight; a convolution's positions; more axes of positions", () => {
    const s = new Sketch(5, [5, 4]);
    const w = s.columns("a", 4, 4);
    expect(mixing(s, [5, 4], s.op("MatMul", [s.op("Tanh", [s.op("MatMul", ["x", w])]), w]), [5])["a"]).toBe(true);
    const c = new Sketch(6, [4, 5]);
    const z = c.op("Tanh", [c.op("Conv", ["x", c.rows("a", [3, 4, 1])])]);
    expect(mixing(c, [4, 5], z, [5])["a"]).toBe(true);
    const grid = new Sketch(7, [5, 6, 4]);
    const g = grid.op("Tanh", [grid.op("MatMul", ["x", grid.columns("a", 4, 3)])]);
    expect(mixing(grid, [5, 6, 4], g, [5, 6])["a"]).toBe(true);
  });
});

test("mini-gpt: only the last block's layers after its attention keep tokens apart", () => {
  const graph = fuse(goldenModel("mini-gpt").graph);
  const { builder: b } = instantiate(graph, new Map([["input", { type: "int64", dims: [BATCH, 16] }]]));
  const output = graph.outputs[0]!.name;
  const scores = classTerms(b.dims(output), [16]).arrange(b, output);
  const apart = findLayers(b).filter((layer) => !mixesPositions(b, layer, scores));
  expect(apart.map(({ name }) => name)).toEqual(["blocks.1.att.proj", "blocks.1.f1", "blocks.1.f2", "head"]);
});
