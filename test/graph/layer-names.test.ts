import { describe, expect, it, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { layerName, uniqueNames, withoutSuffix } from "../../src/graph/layer-names.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { layersAt } from "./applied.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

const SCOPES = "pkg.torch.onnx.name_scopes";

/** A MatMul that makes `z`. */
function matMul(name: string, scopes?: string): Node {
  const metadata = scopes === undefined ? undefined : { [SCOPES]: scopes };
  return { ...node("MatMul", ["x", "w"], "z"), name, metadata };
}

const scopes = "['', 'layers.0', 'layers.0.linear', 'linear_1']";

const rules: readonly [string, Node, initializer: string, bias: string | undefined, name: string][] = [
  ["the initializer, without .weight", matMul("/a/MatMul", scopes), "fc1.weight", "fc1.bias", "fc1"],
  ["the initializer, without .kernel", matMul(""), "dense.kernel", undefined, "dense"],
  ["the initializer, whatever else it ends with", matMul(""), "fc1.matrix", undefined, "fc1.matrix"],
  ["the initializer's last .weight only", matMul(""), "a.weight.weight", undefined, "a.weight"],
  ["a number is a name where a suffix follows", matMul(""), "0.weight", undefined, "0"],
  ["the innermost scope, for onnx::", matMul("/a/MatMul", scopes), "onnx::MatMul_217", "b.bias", "layers.0.linear"],
  ["the innermost scope, for val_", matMul("", '["", "head", "linear"]'), "val_12", undefined, "head"],
  ["the node's path, for const_fold", matMul("/a/b/MatMul"), "const_fold_opt__3", "c.bias", "a.b"],
  ["the node's path, for a number", matMul("/fc/MatMul"), "217", undefined, "fc"],
  ["the path where the scopes have no module", matMul("/a/MatMul", "['', 'linear']"), "val_1", undefined, "a"],
  ["the path, a list's name said once", matMul("/blocks/blocks.0/qkv/MatMul"), "onnx::1", undefined, "blocks.0.qkv"],
  ["the path, lists in lists", matMul("/l/l.1/l.1.2/MatMul"), "onnx::1", undefined, "l.1.2"],
  ["the path, names that only begin alike", matMul("/fc/fc1/MatMul"), "onnx::1", undefined, "fc.fc1"],
  ["the path of what a folded constant was made of", matMul(""), "/a/b/Transpose_output_0", undefined, "a.b"],
  [
    "the bias, where it says more than the path",
    matMul("/a/attn/MatMul"),
    "onnx::1",
    "a.attn.in_proj_bias",
    "a.attn.in_proj",
  ],
  ["the path, where the bias says something else", matMul("/a/attn/MatMul"), "onnx::1", "a.attention.bias", "a.attn"],
  [
    "the scope, but not a hook",
    matMul("/a/MatMul", "['_empty_nn_module_stack_from_metadata_hook', 'mm']"),
    "val_1",
    undefined,
    "a",
  ],
  ["the path, whatever Paddle calls its constants", matMul("/a/MatMul"), "p2o.helper.constant.14", undefined, "a"],
  ["the bias, where Paddle names nothing else", matMul("MatMul_3"), "p2o.pd_op.full.7.0", "linear_2.b_0", "linear_2"],
  ["the initializer of Paddle", matMul("Conv_0"), "conv2d_0.w_0", "conv2d_0.b_0", "conv2d_0"],
  ["the initializer of Paddle, counted", matMul("Conv_0"), "conv2d_0.w_0_deepcopy_146", undefined, "conv2d_0"],
  ["the initializer of MXNet", matMul(""), "resnetv17_conv0_weight", undefined, "resnetv17_conv0"],
  ["an attention's joint projection", matMul(""), "attn.in_proj_weight", undefined, "attn.in_proj"],
  ["the bias, where the path has no module", matMul("/MatMul"), "onnx::1", "head.bias", "head"],
  ["the bias, where the node has no path", matMul("MatMul_3"), "onnx::1", "head.bias", "head"],
  ["the output, where the bias has no name either", matMul("MatMul_3"), "onnx::1", "onnx::2", "z"],
  ["the output, where nothing has a name", matMul(""), "217", undefined, "z"],
];

describe("a layer is called after", () => {
  test.each(rules)("%s", (_, one, initializer, bias, name) => expect(layerName(one, initializer, bias)).toBe(name));
});

describe("a layer of TensorFlow is called after", () => {
  const call = "StatefulPartitionedCall/";
  test.each([
    ["a dense layer's variable", `${call}sequential/dense/MatMul/ReadVariableOp:0`, "sequential.dense"],
    ["one without a call around it", "model/dense_1/MatMul/ReadVariableOp:0", "model.dense_1"],
    ["one read in an inner call", `${call}${call}model/dense/MatMul/ReadVariableOp_2:0`, "model.dense"],
    ["a dense layer on tokens", `${call}functional_1/scores/Tensordot/ReadVariableOp:0`, "functional_1.scores"],
    ["an attention's projection", "attention/query/einsum/Einsum/ReadVariableOp:0", "attention.query"],
    ["a convolution", `${call}model/conv2d_3/Conv2D/ReadVariableOp:0`, "model.conv2d_3"],
    ["one that took a batch normalization in", "model/conv2d/Conv2D_weights_fused_bn", "model.conv2d"],
    ["one that took its bias in before", "functional_1/conv2d_2/BiasAdd_weights_fused_bn", "functional_1.conv2d_2"],
    [
      "a transposed one, called as its operator",
      "model/conv2d_transpose/conv2d_transpose/ReadVariableOp:0",
      "model.conv2d_transpose",
    ],
    [
      "a convolution of each channel",
      "blocks_5/depthwise_conv2d/depthwise/ReadVariableOp:0",
      "blocks_5.depthwise_conv2d",
    ],
    ["a line's kernel with an axis more", "vad/separable_conv1d/ExpandDims_2:0", "vad.separable_conv1d"],
    ["an embedding", `${call}model/embedding/embedding_lookup/6789:0`, "model.embedding"],
    ["a frozen variable", "conv1/weights/read:0", "conv1"],
    ["a variable", "dense/kernel:0", "dense"],
    ["a variable alone", "Variable/read:0", "Variable"],
    ["a variable of the layer Read", "Read:0", "Read"],
  ])("%s", (_, initializer, name) => expect(layerName(matMul(""), initializer, undefined)).toBe(name));

  it("the node's path, where the constant was folded", () => {
    const node = matMul(`${call}model/dense_2/MatMul__24`);
    expect(layerName(node, "const_fold_opt__179", undefined)).toBe("model.dense_2");
  });

  it("the bias, where that is all there is", () => {
    expect(layerName(matMul("MatMul_3"), "const_fold_opt__179", "model/dense/BiasAdd/ReadVariableOp:0")).toBe(
      "model.dense",
    );
  });
});

it("an initializer that is nothing but a suffix keeps it", () => {
  expect(withoutSuffix(".weight")).toBe(".weight");
});

describe("names are unique", () => {
  test.each([
    [
      ["a", "b", "a", "a"],
      ["a", "b", "a#2", "a#3"],
    ],
    // A name that a repeated one would get is taken.
    [
      ["a", "a", "a#2"],
      ["a", "a#3", "a#2"],
    ],
    [
      ["a#2", "a", "a"],
      ["a#2", "a", "a#3"],
    ],
    [[], []],
  ])("%j", (given, expected) => expect(uniqueNames(given)).toEqual(expected));
});

describe("the bias of a layer is what the next Add adds", () => {
  const layerOf = (add: Node) => {
    const graph = graphOf(
      { x: ["N", 2], other: ["N", 3] },
      [{ ...node("MatMul", ["x", "onnx::1"], "z"), name: "" }, node("Relu", ["z"], "r"), add],
      { "onnx::1": w(2, 3), "out.bias": w(3) },
    );
    return layersAt(graph, { x: [4, 2], other: [4, 3] }).layers[0]?.name;
  };

  it("on either side", () => {
    expect(layerOf(node("Add", ["z", "out.bias"], "y"))).toBe("out");
    expect(layerOf(node("Add", ["out.bias", "z"], "y"))).toBe("out");
  });

  it("under the name that it had before equal ones were merged", () => {
    const layer = (add: Node, more: readonly Node[]) =>
      layersAt(
        graphOf({ x: ["N", 3] }, [...more, { ...node("MatMul", ["x", "onnx::1"], "z"), name: "" }, add], {
          "onnx::1": w(3, 3),
          "in.bias": w(3),
        }),
        { x: [4, 3] },
      ).layers[0]?.name;
    const identity = node("Identity", ["in.bias"], "out.bias");
    expect(layer(node("Add", ["z", "out.bias"], "y"), [identity])).toBe("out");
    // A residual connection is no bias.
    expect(layer(node("Add", ["z", "same"], "y"), [node("Identity", ["x"], "same")])).toBe("z");
  });

  it("in Gemm, and behind a Reshape where it is added to a map", () => {
    const gemm = graphOf({ x: ["N", 2] }, [node("Gemm", ["x", "val_1", "head.bias"], "y")], {
      val_1: w(2, 3),
      "head.bias": w(3),
    });
    expect(layersAt(gemm, { x: [4, 2] }).layers[0]?.name).toBe("head");
    const nodes = [
      node("Conv", ["x", "7"], "z"),
      node("Reshape", ["conv2d_0.b_0", "shape"], "b"),
      node("Add", ["z", "b"], "y"),
    ];
    const constants = { "7": w(16, 1, 1, 1), "conv2d_0.b_0": w(16), shape: Tensor.int64([1, 16, 1, 1]) };
    const map = graphOf({ x: ["N", 1, 2, 2] }, nodes, constants);
    expect(layersAt(map, { x: [4, 1, 2, 2] }).layers[0]?.name).toBe("conv2d_0");
  });

  it("but not what a later one adds, nor something computed", () => {
    expect(layerOf(node("Add", ["r", "out.bias"], "y"))).toBe("z");
    expect(layerOf(node("Add", ["z", "other"], "y"))).toBe("z");
  });
});
