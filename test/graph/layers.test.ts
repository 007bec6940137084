import { describe, expect, it, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import type { Node } from "../../src/graph/graph.ts";
import { decodeModel } from "../../src/graph/onnx.ts";
import { Tensor, type Dims } from "../../src/graph/tensor.ts";
import { layersAt, misapplied } from "./applied.ts";
import { message, modelProto, nodeProto, packed, tensorProto, valueInfo } from "./onnx-bytes.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** Sums of up to ten float32 products of order one. */
const ROUNDING = 1e-5;

interface Dense {
  readonly what: string;
  readonly x: Dims;
  readonly nodes: readonly Node[];
  readonly w: Tensor;
  readonly d: number;
  readonly m: number;
  readonly positions: number;
  readonly kind: "dense" | "dense-left";
  readonly scale?: number;
}

const gemm = (short: Readonly<Record<string, AttributeValue>>) => [node("Gemm", ["x", "w"], "y", short)];
const turned = node("Transpose", ["w"], "wt", { perm: [1, 0] });
const right = [node("MatMul", ["x", "w"], "y")];
const left = [node("MatMul", ["w", "x"], "y")];

const dense: readonly Dense[] = [
  {
    what: "Gemm, W as it is",
    x: [2, 4],
    nodes: gemm({ transB: 1 }),
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 1,
    kind: "dense",
  },
  {
    what: "Gemm, W stored transposed",
    x: [2, 4],
    nodes: gemm({}),
    w: w(4, 3),
    d: 3,
    m: 4,
    positions: 1,
    kind: "dense",
  },
  {
    what: "Gemm with alpha",
    x: [2, 4],
    nodes: gemm({ transB: 1, alpha: { float: -0.5 } }),
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 1,
    kind: "dense",
    scale: -0.5,
  },
  {
    what: "Gemm of a transposed W",
    x: [2, 4],
    nodes: [turned, node("Gemm", ["x", "wt"], "y")],
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 1,
    kind: "dense",
  },
  { what: "MatMul of samples", x: [2, 4], nodes: right, w: w(4, 3), d: 3, m: 4, positions: 1, kind: "dense" },
  { what: "MatMul of tokens", x: [2, 5, 4], nodes: right, w: w(4, 3), d: 3, m: 4, positions: 5, kind: "dense" },
  {
    what: "MatMul of tokens in a grid",
    x: [2, 5, 3, 4],
    nodes: right,
    w: w(4, 3),
    d: 3,
    m: 4,
    positions: 15,
    kind: "dense",
  },
  {
    what: "MatMul of a transposed W",
    x: [2, 5, 4],
    nodes: [turned, node("MatMul", ["x", "wt"], "y")],
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 5,
    kind: "dense",
  },
  {
    what: "MatMul of a W transposed twice",
    x: [2, 5, 4],
    nodes: [turned, node("Transpose", ["wt"], "wtt"), node("MatMul", ["x", "wtt"], "y")],
    w: w(4, 3),
    d: 3,
    m: 4,
    positions: 5,
    kind: "dense",
  },
  {
    what: "MatMul, W on the left",
    x: [2, 4, 5],
    nodes: left,
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 5,
    kind: "dense-left",
  },
  {
    what: "MatMul, W on the left of a grid",
    x: [2, 6, 4, 5],
    nodes: left,
    w: w(3, 4),
    d: 3,
    m: 4,
    positions: 30,
    kind: "dense-left",
  },
  {
    what: "MatMul, a transposed W on the left",
    x: [2, 4, 5],
    nodes: [turned, node("MatMul", ["wt", "x"], "y")],
    w: w(4, 3),
    d: 3,
    m: 4,
    positions: 5,
    kind: "dense-left",
  },
  // However small the weight is, it is found by its own name.
  {
    what: "MatMul of a W of two elements, transposed",
    x: [2, 2],
    nodes: [turned, node("MatMul", ["x", "wt"], "y")],
    w: w(1, 2),
    d: 1,
    m: 2,
    positions: 1,
    kind: "dense",
  },
];

describe("a dense layer", () => {
  test.each(dense)("$what", async ({ x, nodes, w: weight, d, m, positions, kind, scale = 1 }) => {
    const { b, layers } = layersAt(graphOf({ x: ["N", ...x.slice(1)] }, nodes, { w: weight }), { x });
    expect(layers.map((layer) => [layer.d, layer.m, layer.positions, layer.groups])).toEqual([[d, m, positions, 1]]);
    const [layer] = layers as [(typeof layers)[0]];
    expect([layer.name, layer.initializer, layer.node]).toEqual(["w", "w", "y"]);
    expect(layer.uses.map((use) => [use.kind, use.features, use.preactivation, use.scale])).toEqual([
      [kind, "x", "y", scale],
    ]);
    expect(await misapplied(b, layer)).toBeLessThan(ROUNDING);
  });

  it("by hand: the rows of W are the outputs", () => {
    const stored = Tensor.float32([2, 3], [1, 2, 3, 4, 5, 6]);
    const { layers } = layersAt(graphOf({ x: ["N", 2] }, right, { w: stored }), { x: [5, 2] });
    // z_1 = 1·x_1 + 4·x_2.
    expect(layers[0]?.matrix()).toEqual(Float32Array.of(1, 4, 2, 5, 3, 6));
  });
});

describe("a convolution", () => {
  const convolutions: readonly [string, Dims, Dims, Readonly<Record<string, AttributeValue>>, number[]][] = [
    // d, m, groups, positions
    ["of a line", [2, 3, 9], [4, 3, 2], { strides: [2] }, [4, 6, 1, 4]],
    ["of a map", [2, 3, 6, 5], [4, 3, 3, 2], { pads: [1, 0, 1, 0] }, [4, 18, 1, 24]],
    ["of a volume", [2, 2, 4, 4, 4], [3, 2, 2, 2, 2], { strides: [2, 2, 1] }, [3, 16, 1, 12]],
    ["in two groups", [2, 4, 5, 5], [6, 2, 3, 3], { group: 2 }, [6, 18, 2, 9]],
    ["of each channel apart", [2, 4, 5, 5], [4, 1, 3, 3], { group: 4 }, [4, 9, 4, 9]],
    ["of one pixel", [2, 3, 2, 2], [5, 3, 1, 1], {}, [5, 3, 1, 4]],
  ];
  test.each(convolutions)("%s", (_, x, kernel, attributes, expected) => {
    const weight = w(...kernel);
    const graph = graphOf({ x: ["N", ...x.slice(1)] }, [node("Conv", ["x", "c.weight", "c.bias"], "y", attributes)], {
      "c.weight": weight,
      "c.bias": w(kernel[0] as number),
    });
    const [layer, ...others] = layersAt(graph, { x }).layers;
    expect(others).toEqual([]);
    expect([layer?.d, layer?.m, layer?.groups, layer?.positions]).toEqual(expected);
    expect(layer?.uses.map(({ kind, features, scale }) => [kind, features, scale])).toEqual([["convolution", "x", 1]]);
    expect(layer?.matrix()).toEqual(weight.numbers());
    expect(layer?.name).toBe("c");
  });

  it("whose kernel comes from channels-last, as TensorFlow has it", () => {
    const graph = graphOf(
      { x: ["N", 2, 4, 4] },
      [node("Transpose", ["k"], "w", { perm: [3, 2, 0, 1] }), node("Conv", ["x", "w"], "y")],
      // [height 1, width 2, in 2, out 3]: the element for (w, i, o) is 100 w + 10 i + o.
      { k: Tensor.float32([1, 2, 2, 3], [0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112]) },
    );
    const [layer] = layersAt(graph, { x: [1, 2, 4, 4] }).layers;
    expect([layer?.d, layer?.m, layer?.initializer]).toEqual([3, 4, "k"]);
    expect([...(layer?.matrix() ?? [])]).toEqual([0, 100, 10, 110, 1, 101, 11, 111, 2, 102, 12, 112]);
  });
});

describe("no layer is", () => {
  const identity = node("Identity", ["w"], "v");
  const none: readonly [string, readonly Node[], Tensor][] = [
    ["a product of constants", [node("MatMul", ["w", "w"], "p"), node("Add", ["x", "p"], "y")], w(4, 4)],
    [
      "a product of constants behind others",
      [identity, node("MatMul", ["v", "w"], "p"), node("Add", ["x", "p"], "y")],
      w(4, 4),
    ],
    ["a product of what is computed", [node("Neg", ["w"], "v"), node("MatMul", ["x", "v"], "y")], w(4, 4)],
    ["attention", [node("Transpose", ["x"], "k"), node("MatMul", ["x", "k"], "y")], w(1)],
    ["a stack of matrices", [node("MatMul", ["x", "w"], "y")], w(2, 4, 4)],
    ["a vector", [node("MatMul", ["x", "w"], "y")], w(4)],
    ["a sum over samples, Gemm with transA", gemm({ transA: 1 }), w(4, 3)],
    ["Gemm with its constant on the left", [node("Gemm", ["w", "x"], "y")], w(3, 4)],
    ["an operator of another domain", [node("MatMul", ["x", "w"], "y", {}, { domain: "com.example" })], w(4, 4)],
    ["a scaling", [node("Mul", ["x", "w"], "y")], w(4, 4)],
  ];
  test.each(none)("%s", (_, nodes, weight) => {
    expect(layersAt(graphOf({ x: [4, 4] }, nodes, { w: weight }), { x: [4, 4] }).layers).toEqual([]);
  });
});

it("layers come in the order of the graph", () => {
  const graph = graphOf(
    { x: ["N", 2] },
    [
      node("Gemm", ["x", "b.weight", "b.bias"], "h", { transB: 1 }),
      node("Relu", ["h"], "r"),
      node("Gemm", ["r", "a.weight", "a.bias"], "y", { transB: 1 }),
    ],
    { "a.weight": w(2, 3), "a.bias": w(2), "b.weight": w(3, 2), "b.bias": w(3) },
  );
  expect(layersAt(graph, { x: [4, 2] }).layers.map(({ name }) => name)).toEqual(["b", "a"]);
});

it("weights of Constant nodes are weights", async () => {
  const value = message([1, "value"], [20, 4], [5, tensorProto("", 1, [2, 3], [4, packed("float", 1, 2, 3, 4, 5, 6)])]);
  const bytes = modelProto([
    [1, nodeProto("Constant", [], ["fc.weight"], [5, value])],
    [1, nodeProto("MatMul", ["x", "fc.weight"], ["y"])],
    [11, valueInfo("x", ["N", 2])],
    [12, valueInfo("y", ["N", 3])],
  ]);
  const { b, layers } = layersAt(decodeModel(bytes), { x: [4, 2] });
  expect(layers.map(({ name, d, m }) => [name, d, m])).toEqual([["fc", 3, 2]]);
  expect(await misapplied(b, layers[0] as (typeof layers)[0])).toBeLessThan(ROUNDING);
});
