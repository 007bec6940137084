import { describe, expect, it, test } from "vitest";
import type { Graph, Node } from "../../src/graph/graph.ts";
import { isNeeded, parameters } from "../../src/graph/parameters.ts";
import { replaceWeights } from "../../src/graph/replace-weights.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { goldenModel } from "../golden-model.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

const x = { x: [2, 4] };

/** Each parameter as `name role layout`. */
function listed(graph: Graph): string[] {
  return parameters(graph).map(({ name, role, layout }) => [name, role, layout ?? []].flat().join(" "));
}

describe("how a matrix is stored", () => {
  const turn = node("Transpose", ["w"], "t", { perm: [1, 0] });
  const cases: [string, Node[], string][] = [
    ["MatMul: z = xW", [node("MatMul", ["x", "w"], "y")], "inputs-first"],
    ["MatMul from the left: z = Wx", [node("MatMul", ["w", "x"], "y")], "outputs-first"],
    ["Gemm", [node("Gemm", ["x", "w"], "y")], "inputs-first"],
    ["Gemm with transB", [node("Gemm", ["x", "w"], "y", { transB: 1 })], "outputs-first"],
    ["behind a Transpose", [turn, node("MatMul", ["x", "t"], "y")], "outputs-first"],
    ["behind two", [turn, node("Transpose", ["t"], "u"), node("MatMul", ["x", "u"], "y")], "inputs-first"],
    [
      "behind Identity and Cast",
      [node("Cast", ["w"], "c", { to: 1 }), node("MatMul", ["x", "c"], "y")],
      "inputs-first",
    ],
  ];
  test.each(cases)("%s", (_, nodes, layout) => {
    expect(listed(graphOf(x, nodes, { w: w(4, 4) }))).toEqual([`w weight ${layout}`]);
  });

  test("a table of embeddings, also where its transpose is the last layer", () => {
    const nodes = [
      node("Gather", ["w", "i"], "h"),
      node("Transpose", ["w"], "t", { perm: [1, 0] }),
      node("MatMul", ["h", "t"], "y"),
    ];
    expect(listed(graphOf({ i: [2, 3] }, nodes, { w: w(5, 4) }, ["y"], "int64"))).toEqual(["w weight"]);
  });
});

describe("what a constant is to the node that reads it", () => {
  const image = { x: [2, 3, 5, 5] };
  const cases: [string, Record<string, number[]>, Node[], Record<string, Tensor>, string[]][] = [
    [
      "a convolution's",
      image,
      [node("Conv", ["x", "k", "b"], "y")],
      { k: w(6, 3, 2, 2), b: w(6) },
      ["k weight outputs-first", "b bias"],
    ],
    [
      "BatchNorm's",
      image,
      [node("BatchNormalization", ["x", "s", "b", "m", "v"], "y")],
      { s: w(3), b: w(3), m: w(3), v: w(3) },
      ["s normalization", "b normalization", "m normalization", "v normalization"],
    ],
    ["PRelu's", image, [node("PRelu", ["x", "p"], "y")], { p: w(3, 1, 1) }, ["p weight"]],
    [
      "a bias behind a product, and what is added elsewhere",
      x,
      [node("MatMul", ["x", "m"], "h"), node("Add", ["b", "h"], "i"), node("Add", ["i", "c"], "y")],
      { m: w(4, 3), b: w(3), c: w(3) },
      ["m weight inputs-first", "b bias", "c constant"],
    ],
    [
      "gates",
      { x: [5, 2, 3] },
      [node("GRU", ["x", "W", "R"], "y", { hidden_size: 2 })],
      { W: w(1, 6, 3), R: w(1, 6, 2) },
      ["W recurrent", "R recurrent"],
    ],
    [
      "an operator of another domain",
      x,
      [node("Fused", ["x", "m"], "y", {}, { domain: "com.microsoft" })],
      { m: w(4, 4) },
      ["m constant"],
    ],
    ["whole numbers are none", x, [node("Reshape", ["x", "shape"], "y")], { shape: Tensor.int64([4, 2]) }, []],
  ];
  test.each(cases)("%s", (_, inputs, nodes, constants, expected) => {
    expect(listed(graphOf(inputs, nodes, constants))).toEqual(expected);
  });

  test("a layer normalization that was taken apart has its scale and bias", () => {
    const roles = new Map(parameters(goldenModel("mini-gpt").graph).map(({ name, role }) => [name, role]));
    expect([roles.get("norm.weight"), roles.get("norm.bias"), roles.get("pos")]).toEqual([
      "normalization",
      "normalization",
      "constant",
    ]);
  });
});

test("what stands for a normalization's absent scale is not needed", () => {
  const nodes = [
    node("LayerNormalization", ["x", "ones", "zeros"], "h"),
    node("LayerNormalization", ["h", "s", "zeros"], "y"),
  ];
  const found = parameters(
    graphOf(x, nodes, { ones: Tensor.float32([4], [1, 1, 1, 1]), zeros: Tensor.float32([4], [0, 0, 0, 0]), s: w(4) }),
  );
  expect(found.filter(isNeeded).map(({ name }) => name)).toEqual(["s"]);
});

describe("the names that torch's exporters note", () => {
  test("the TorchScript exporter's paths, where the initializers are renamed", () => {
    const renamed = parameters(goldenModel("mini-gpt").graph).filter(({ name }) => name.startsWith("onnx::MatMul"));
    expect(renamed.map(({ framework }) => framework)).toEqual([
      ...[0, 1].flatMap((block) =>
        ["att.qkv", "att.proj", "f1", "f2"].map((part) => [`blocks.${block}.${part}.weight`]),
      ),
      ["head.weight"],
    ]);
  });

  test("the same as the names that it kept", () => {
    for (const { name, framework } of parameters(goldenModel("mini-resnet").graph)) expect(framework).toEqual([name]);
  });

  test("by the bias beside it, where the module has several weights", () => {
    const nodes = [
      node("MatMul", ["x", "onnx::MatMul_1"], "h", {}, { name: "/attn/MatMul" }),
      node("Add", ["attn.in_proj_bias", "h"], "y"),
    ];
    const [found] = parameters(graphOf(x, nodes, { "onnx::MatMul_1": w(4, 6), "attn.in_proj_bias": w(6) }));
    expect(found?.framework).toEqual(["attn.weight", "attn.in_proj_weight"]);
  });

  test("by the bias beside it, where both were equal to another module's", () => {
    const nodes = [
      node("Identity", ["onnx::MatMul_1"], "onnx::MatMul_2"),
      node("Identity", ["a.in_proj_bias"], "b.in_proj_bias"),
      node("MatMul", ["x", "onnx::MatMul_1"], "h", {}, { name: "/a/MatMul" }),
      node("Add", ["a.in_proj_bias", "h"], "i"),
      node("MatMul", ["i", "onnx::MatMul_2"], "j", {}, { name: "/b/MatMul" }),
      node("Add", ["b.in_proj_bias", "j"], "y"),
    ];
    const found = parameters(graphOf(x, nodes, { "onnx::MatMul_1": w(4, 4), "a.in_proj_bias": w(4) }));
    expect(found.map(({ name, framework }) => [name, framework])).toEqual([
      ["onnx::MatMul_1", ["a.weight", "a.in_proj_weight"]],
      ["a.in_proj_bias", ["a.bias"]],
      ["onnx::MatMul_2", ["b.weight", "b.in_proj_weight"]],
      ["b.in_proj_bias", ["b.bias"]],
    ]);
  });

  test("the dynamo exporter's scopes", () => {
    const metadata = { "pkg.torch.onnx.name_scopes": "['', 'blocks.1', 'blocks.1.fc', 'linear_3']" };
    const [found] = parameters(graphOf(x, [node("MatMul", ["x", "val_7"], "y", {}, { metadata })], { val_7: w(4, 4) }));
    expect(found?.framework).toEqual(["blocks.1.fc.weight"]);
  });
});

describe("what an exporter merged through Identity", () => {
  const merged = goldenModel("mini-resnet").graph;

  it("is a parameter of its own", () => {
    expect(parameters(merged).filter(({ mergedInto }) => mergedInto !== undefined)).toMatchObject([
      { name: "r2.down.1.bias", mergedInto: "r2.b2.bias", dims: [16], role: "normalization" },
    ]);
  });

  it("can be replaced alone: the Identity goes", () => {
    const value = w(16);
    const graph = replaceWeights(merged, new Map([["r2.down.1.bias", value]]));
    expect(graph.constants.get("r2.down.1.bias")).toBe(value);
    expect(graph.constants.get("r2.b2.bias")).toBe(merged.constants.get("r2.b2.bias"));
    expect(graph.nodes).toHaveLength(merged.nodes.length - 1);
    expect(parameters(graph).some(({ mergedInto }) => mergedInto !== undefined)).toBe(false);
  });
});
