import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { measureAll } from "../golden-model.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { datasetOf } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";
import { asFile, expectCurvature, fused, turned } from "./exported.ts";

// tf2onnx of Keras models: images come and go channels last, with Transpose nodes at the edges; names are those of TensorFlow's graph,
// with the calls of a saved model around them; biases and batch normalizations are taken into the convolution before them.

const N = 3;
const INT32 = 6;
const INT64 = 7;

const call = "StatefulPartitionedCall/";

/** A node called as its output is, without the number. */
const named = (op: string, inputs: string[], output: string, short = {}): Node =>
  node(op, inputs, output, short, { name: output.replace(/:0$/, "") });

describe("tf2onnx", () => {
  test("a convolutional network: channels last at the edges, a depthwise convolution, a Softmax at the end", async () => {
    const s = new Sketch(411, [6, 6, 2]);
    const norm = ["gain", "shift", "mean"].map((part) => s.random(`n.${part}`, [4], 0.5));
    norm.push(s.constant("n.variance", [4], [0.5, 1.5, 0.2, 1]));
    const first = s.op("Transpose", ["x"], { perm: [0, 3, 1, 2] });
    const a = s.op("Relu", [
      s.op("Conv", [first, s.rows("a", [4, 2, 3, 3]), s.random("a.bias", [4])], { pads: [1, 1, 1, 1] }),
    ]);
    const pooled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
    const b = s.op("Conv", [pooled, s.rows("b", [4, 1, 2, 2], 4)], { group: 4, auto_pad: "SAME_UPPER" });
    const c = s.op("Relu", [s.op("BatchNormalization", [b, ...norm])]);
    const flat = s.op("Flatten", [s.op("Transpose", [c], { perm: [0, 2, 3, 1] })]);
    const d = s.op("Relu", [s.op("Add", [s.op("MatMul", [flat, s.columns("d", 36, 3)]), s.random("d.bias", [3])])]);
    const plain = s.done(s.op("Add", [s.op("MatMul", [d, s.columns("e", 3, 3)]), s.random("e.bias", [3])]), N);
    const of = (name: string) => plain.graph.constants.get(name)!;
    const depthwise = fused(plain, "b.weight", undefined, "n");
    const at = `${call}sequential/`;
    const graph = graphOf(
      { conv2d_input: ["unk__29", 6, 6, 2] },
      [
        node("Transpose", ["conv2d_input"], `${at}conv2d/BiasAdd__6:0`, { perm: [0, 3, 1, 2] }),
        named(
          "Conv",
          [`${at}conv2d/BiasAdd__6:0`, `${at}conv2d/Conv2D/ReadVariableOp:0`, `${at}conv2d/BiasAdd/ReadVariableOp:0`],
          `${at}conv2d/BiasAdd:0`,
          { dilations: [1, 1], strides: [1, 1], kernel_shape: [3, 3], pads: [1, 1, 1, 1], group: 1 },
        ),
        named("Relu", [`${at}conv2d/BiasAdd:0`], `${at}conv2d/Relu:0`),
        named("MaxPool", [`${at}conv2d/Relu:0`], `${at}max_pooling2d/MaxPool:0`, {
          kernel_shape: [2, 2],
          strides: [2, 2],
          auto_pad: "VALID",
        }),
        named(
          "Conv",
          [
            `${at}max_pooling2d/MaxPool:0`,
            `${at}depthwise_conv2d/depthwise_weights_fused_bn`,
            `${at}depthwise_conv2d/depthwise_bias_fused_bn`,
          ],
          `${at}batch_normalization/FusedBatchNormV3:0`,
          { auto_pad: "SAME_UPPER", kernel_shape: [2, 2], strides: [1, 1], group: 4 },
        ),
        named("Relu", [`${at}batch_normalization/FusedBatchNormV3:0`], `${at}re_lu/Relu:0`),
        node("Transpose", [`${at}re_lu/Relu:0`], `${at}flatten/Reshape__22:0`, { perm: [0, 2, 3, 1] }),
        named("Reshape", [`${at}flatten/Reshape__22:0`, "const_fold_opt__38"], `${at}flatten/Reshape:0`),
        named("MatMul", [`${at}flatten/Reshape:0`, `${at}dense/MatMul/ReadVariableOp:0`], `${at}dense/MatMul:0`),
        named("Add", [`${at}dense/MatMul:0`, `${at}dense/BiasAdd/ReadVariableOp:0`], `${at}dense/BiasAdd:0`),
        named("Relu", [`${at}dense/BiasAdd:0`], `${at}dense/Relu:0`),
        named("MatMul", [`${at}dense/Relu:0`, `${at}dense_1/MatMul/ReadVariableOp:0`], `${at}dense_1/MatMul:0`),
        named("Add", [`${at}dense_1/MatMul:0`, `${at}dense_1/BiasAdd/ReadVariableOp:0`], `${at}dense_1/BiasAdd:0`),
        node("Softmax", [`${at}dense_1/BiasAdd:0`], "dense_1", { axis: 1 }, { name: `${at}dense_1/Softmax` }),
      ],
      {
        [`${at}conv2d/Conv2D/ReadVariableOp:0`]: of("a.weight"),
        [`${at}conv2d/BiasAdd/ReadVariableOp:0`]: of("a.bias"),
        [`${at}depthwise_conv2d/depthwise_weights_fused_bn`]: depthwise.weight,
        [`${at}depthwise_conv2d/depthwise_bias_fused_bn`]: depthwise.bias,
        const_fold_opt__38: Tensor.int64([-1, 36]),
        [`${at}dense/MatMul/ReadVariableOp:0`]: of("d.weight"),
        [`${at}dense/BiasAdd/ReadVariableOp:0`]: of("d.bias"),
        [`${at}dense_1/MatMul/ReadVariableOp:0`]: of("e.weight"),
        [`${at}dense_1/BiasAdd/ReadVariableOp:0`]: of("e.bias"),
      },
      ["dense_1"],
    );
    // tf2onnx writes opset 15 unless it is told otherwise.
    const model = asFile({ ...graph, opset: 15 });
    await expectCurvature(model, plain, [
      { name: "sequential.conv2d", is: "a", positions: 36, kind: "convolution" },
      { name: "sequential.depthwise_conv2d", is: "b", positions: 9, kind: "convolution", rescaled: true },
      { name: "sequential.dense", is: "d" },
      { name: "sequential.dense_1", is: "e" },
    ]);
    const { result } = await measureAll(model, datasetOf(plain, "cross-entropy"));
    expect(result.model).toMatchObject({ activation: "Softmax", output: "dense_1", opset: 15 });
  });

  test("dense layers on tokens: Tensordot, whose rows are folded by arithmetic on the shape", async () => {
    const s = new Sketch(412, [4, 3]);
    const a = s.op("Relu", [s.op("Add", [s.op("MatMul", ["x", s.columns("a", 3, 5)]), s.random("a.bias", [5])])]);
    const b = s.op("Add", [s.op("MatMul", [a, s.columns("b", 5, 2)]), s.random("b.bias", [2])]);
    const flat = s.op("Flatten", [s.op("Relu", [b])]);
    const plain = s.done(s.op("MatMul", [flat, s.columns("c", 8, 3)]), N);
    const of = (name: string) => plain.graph.constants.get(name)!;
    const int32 = (...values: number[]) => Tensor.of("int32", [values.length], Int32Array.from(values));
    /** Keras' Dense on a value of three axes. */
    const tensordot = (x: string, layer: string, width: string): Node[] => {
      const t = `${call}model/${layer}/Tensordot`;
      return [
        named("Shape", [x], `${t}/Shape__1:0`),
        named("Cast", [`${t}/Shape__1:0`], `${t}/Shape:0`, { to: INT32 }),
        named("Gather", [`${t}/Shape:0`, "free"], `${t}/GatherV2:0`, { axis: 0 }),
        named("Gather", [`${t}/Shape:0`, "axes"], `${t}/GatherV2_1:0`, { axis: 0 }),
        named("ReduceProd", [`${t}/GatherV2:0`, "zeroth"], `${t}/Prod:0`, { keepdims: 0 }),
        named("ReduceProd", [`${t}/GatherV2_1:0`, "zeroth"], `${t}/Prod_1:0`, { keepdims: 0 }),
        named("Unsqueeze", [`${t}/Prod:0`, "zeroth"], `${t}/stack_Unsqueeze__1:0`),
        named("Unsqueeze", [`${t}/Prod_1:0`, "zeroth"], `${t}/stack_Unsqueeze__2:0`),
        named("Concat", [`${t}/stack_Unsqueeze__1:0`, `${t}/stack_Unsqueeze__2:0`], `${t}/stack_Concat:0`, { axis: 0 }),
        named("Cast", [`${t}/stack_Concat:0`], `${t}/Reshape__3:0`, { to: INT64 }),
        named("Reshape", [x, `${t}/Reshape__3:0`], `${t}/Reshape:0`),
        named("MatMul", [`${t}/Reshape:0`, `${t}/ReadVariableOp:0`], `${t}/MatMul:0`),
        named("Concat", [`${t}/GatherV2:0`, width], `${t}/concat_1:0`, { axis: 0 }),
        named("Cast", [`${t}/concat_1:0`], `${t}__4:0`, { to: INT64 }),
        named("Reshape", [`${t}/MatMul:0`, `${t}__4:0`], `${t}:0`),
        named("Add", [`${t}:0`, `${call}model/${layer}/BiasAdd/ReadVariableOp:0`], `${call}model/${layer}/BiasAdd:0`),
        named("Relu", [`${call}model/${layer}/BiasAdd:0`], `${call}model/${layer}/Relu:0`),
      ];
    };
    const graph = graphOf(
      { input_1: ["unk__12", 4, 3] },
      [
        ...tensordot("input_1", "dense", "five"),
        ...tensordot(`${call}model/dense/Relu:0`, "dense_1", "two"),
        named("Reshape", [`${call}model/dense_1/Relu:0`, "const_fold_opt__9"], `${call}model/flatten/Reshape:0`),
        // Its weight was folded, and has lost its name.
        named("MatMul", [`${call}model/flatten/Reshape:0`, "const_fold_opt__10"], `${call}model/scores/MatMul__11:0`),
        node("Identity", [`${call}model/scores/MatMul__11:0`], "Identity:0"),
      ],
      {
        free: int32(0, 1),
        axes: int32(2),
        zeroth: Tensor.int64([0]),
        five: int32(5),
        two: int32(2),
        const_fold_opt__9: Tensor.int64([-1, 8]),
        const_fold_opt__10: of("c.weight"),
        ...Object.fromEntries(
          [
            ["dense", "a"],
            ["dense_1", "b"],
          ].flatMap(([layer, is]) => [
            [`${call}model/${layer}/Tensordot/ReadVariableOp:0`, of(`${is}.weight`)],
            [`${call}model/${layer}/BiasAdd/ReadVariableOp:0`, of(`${is}.bias`)],
          ]),
        ),
      },
      ["Identity:0"],
    );
    await expectCurvature(asFile({ ...graph, opset: 13 }), plain, [
      { name: "model.dense", is: "a", positions: 4 },
      { name: "model.dense_1", is: "b", positions: 4 },
      { name: "model.scores", is: "c" },
    ]);
  });

  test("a kernel that is turned where it is used", async () => {
    const s = new Sketch(413, [5, 5, 2]);
    const first = s.op("Transpose", ["x"], { perm: [0, 3, 1, 2] });
    const a = s.op("Relu", [s.op("Conv", [first, s.rows("a", [3, 2, 2, 3])])]);
    const flat = s.op("Flatten", [s.op("Transpose", [a], { perm: [0, 2, 3, 1] })]);
    const plain = s.done(s.op("MatMul", [flat, s.columns("b", 36, 3)]), N);
    const graph = graphOf(
      { "input_1:0": [N, 5, 5, 2] },
      [
        node("Transpose", ["input_1:0"], "conv1/Conv2D__4:0", { perm: [0, 3, 1, 2] }),
        // Stored as TensorFlow has it: height, width, in, out.
        node("Transpose", ["conv1/kernel/read:0"], "conv1/Conv2D__5:0", { perm: [3, 2, 0, 1] }),
        named("Conv", ["conv1/Conv2D__4:0", "conv1/Conv2D__5:0"], "conv1/Conv2D:0", { kernel_shape: [2, 3] }),
        named("Relu", ["conv1/Conv2D:0"], "conv1/Relu:0"),
        node("Transpose", ["conv1/Relu:0"], "flatten/Reshape__8:0", { perm: [0, 2, 3, 1] }),
        named("Reshape", ["flatten/Reshape__8:0", "flatten/Reshape/shape:0"], "flatten/Reshape:0"),
        named("MatMul", ["flatten/Reshape:0", "logits/kernel/read:0"], "logits/MatMul:0"),
      ],
      {
        "conv1/kernel/read:0": turned(plain, "a.weight", 2, 3, 1, 0),
        "flatten/Reshape/shape:0": Tensor.int64([N, 36]),
        "logits/kernel/read:0": plain.graph.constants.get("b.weight")!,
      },
      ["logits/MatMul:0"],
    );
    await expectCurvature(asFile({ ...graph, opset: 13 }), plain, [
      { name: "conv1", is: "a", positions: 12, kind: "convolution" },
      { name: "logits", is: "b" },
    ]);
  });
});
