import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { Sketch, type Sketched } from "../sketch.ts";
import { asFile, expectCurvature } from "./exported.ts";

// Paddle2ONNX: every weight is a Constant node, opset 9 unless told otherwise; biases of convolutions are added as [1, C, 1, 1] behind a
// Reshape; batch normalization stays a node; names are those of Paddle's variables.

const N = 3;

/** conv, batch norm, pool, dense, dense. */
function network(): Sketched {
  const s = new Sketch(421, [2, 6, 6]);
  const norm = ["gain", "shift", "mean"].map((part) => s.random(`n.${part}`, [12], 0.5));
  norm.push(
    s.constant(
      "n.variance",
      [12],
      Array.from({ length: 12 }, (_, index) => 0.2 + index / 8),
    ),
  );
  const a = s.op("Conv", ["x", s.rows("a", [12, 2, 3, 3]), s.random("a.bias", [12])], {
    pads: [1, 1, 1, 1],
    strides: [2, 2],
  });
  const b = s.op("Relu", [s.op("BatchNormalization", [a, ...norm])]);
  const pooled = s.op("AveragePool", [b], { kernel_shape: [2, 2], strides: [1, 1] });
  const flat = s.op("Flatten", [pooled]);
  const c = s.op("Relu", [s.op("Add", [s.op("MatMul", [flat, s.columns("c", 48, 4)]), s.random("c.bias", [4])])]);
  return s.done(s.op("Add", [s.op("MatMul", [c, s.columns("d", 4, 3)]), s.random("d.bias", [3])]), N);
}

const plain = network();
const layers = [
  { name: "conv2d_0", is: "a", positions: 9, kind: "convolution" as const },
  { name: "linear_0", is: "c" },
  { name: "linear_1", is: "d" },
];

/** @param counted whether variables have the number of their copy behind their names, as later versions have it */
function exported(counted: boolean, opset: number) {
  let count = 0;
  const constant = (name: string, tensor: Tensor): Node =>
    node("Constant", [], name, { value: { kind: "tensor", value: tensor } }, { name: `Constant_${count++}` });
  const of = (name: string) => plain.graph.constants.get(name)!;
  const v = (name: string) => (counted ? `${name}_deepcopy_${name.length}` : name);
  const weights: [string, string][] = [
    ["conv2d_0.w_0", "a.weight"],
    ["conv2d_0.b_0", "a.bias"],
    ["batch_norm2d_0.w_0", "n.gain"],
    ["batch_norm2d_0.b_0", "n.shift"],
    ["batch_norm2d_0.w_1", "n.mean"],
    ["batch_norm2d_0.w_2", "n.variance"],
    ["linear_0.w_0", "c.weight"],
    ["linear_0.b_0", "c.bias"],
    ["linear_1.w_0", "d.weight"],
    ["linear_1.b_0", "d.bias"],
  ];
  const graph = graphOf(
    { x: ["p2o.DynamicDimension.0", 2, 6, 6] },
    [
      ...weights.map(([name, is]) => constant(v(name), of(is))),
      constant("p2o.helper.constant.0", Tensor.int64([1, 12, 1, 1])),
      node(
        "Conv",
        ["x", v("conv2d_0.w_0")],
        "p2o.pd_op.conv2d.0.0",
        { dilations: [1, 1], kernel_shape: [3, 3], strides: [2, 2], group: 1, pads: [1, 1, 1, 1] },
        { name: "p2o.Conv.0" },
      ),
      node(
        "Reshape",
        [v("conv2d_0.b_0"), "p2o.helper.constant.0"],
        "p2o.helper.reshape.0",
        {},
        { name: "p2o.Reshape.0" },
      ),
      node("Add", ["p2o.pd_op.conv2d.0.0", "p2o.helper.reshape.0"], "conv2d_0.tmp_1", {}, { name: "p2o.Add.0" }),
      node(
        "BatchNormalization",
        ["conv2d_0.tmp_1", ...["w_0", "b_0", "w_1", "w_2"].map((part) => v(`batch_norm2d_0.${part}`))],
        "batch_norm2d_0.tmp_2",
        { epsilon: { float: 1e-5 }, momentum: { float: 0.9 } },
        { name: "p2o.BatchNormalization.0" },
      ),
      node("Relu", ["batch_norm2d_0.tmp_2"], "relu_0.tmp_0", {}, { name: "p2o.Relu.0" }),
      node("AveragePool", ["relu_0.tmp_0"], "pool2d_0.tmp_0", {
        kernel_shape: [2, 2],
        strides: [1, 1],
        pads: [0, 0, 0, 0],
      }),
      node("Flatten", ["pool2d_0.tmp_0"], "flatten_0.tmp_0", { axis: 1 }, { name: "p2o.Flatten.0" }),
      node("MatMul", ["flatten_0.tmp_0", v("linear_0.w_0")], "linear_0.tmp_0", {}, { name: "p2o.MatMul.0" }),
      node("Add", ["linear_0.tmp_0", v("linear_0.b_0")], "linear_0.tmp_1", {}, { name: "p2o.Add.2" }),
      node("Relu", ["linear_0.tmp_1"], "relu_1.tmp_0", {}, { name: "p2o.Relu.2" }),
      node("MatMul", ["relu_1.tmp_0", v("linear_1.w_0")], "linear_1.tmp_0", {}, { name: "p2o.MatMul.2" }),
      node("Add", ["linear_1.tmp_0", v("linear_1.b_0")], "save_infer_model/scale_0.tmp_0", {}, { name: "p2o.Add.4" }),
    ],
    {},
    ["save_infer_model/scale_0.tmp_0"],
  );
  return { ...graph, opset };
}

describe("Paddle2ONNX", () => {
  test.each([
    ["opset 9", false, 9],
    ["variables that are counted", true, 11],
  ])("%s", async (_, counted, opset) => {
    const model = asFile(exported(counted, opset));
    expect(model.opset).toBe(opset);
    await expectCurvature(model, plain, layers);
  });
});
