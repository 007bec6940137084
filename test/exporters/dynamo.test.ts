import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Node } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { Sketch } from "../sketch.ts";
import { asFile, expectCurvature, fused, turned } from "./exported.ts";

// torch.onnx.export(…, dynamo=True), the default since torch 2.9: initializers have their parameters' names unless a constant was
// folded, nodes have none that mean anything, and their metadata tell the modules they come from. Weights lie in model.onnx.data.

const N = 3;
/** Bytes from which on torch writes a constant to the file beside the model. */
const STORED = 0;

/** A node as the exporter names it, with the modules that it comes from. */
function from(modules: readonly string[], op: string, inputs: string[], output: string, short = {}): Node {
  const scopes = ["", ...modules, output].map((name) => `'${name}'`).join(", ");
  const classes = ["__main__.Net", ...modules.map(() => "torch.nn.modules.module.Module"), `aten.${op}.default`];
  return node(op, inputs, output, short, {
    name: `node_${output}`,
    metadata: {
      namespace: `: __main__.Net/${modules.join("/")}: torch.nn.modules.module.Module/${output}: aten.${op}.default`,
      "pkg.torch.onnx.class_hierarchy": `[${classes.map((name) => `'${name}'`).join(", ")}]`,
      "pkg.torch.onnx.fx_node": `%${output} : [num_users=1] = call_function[target=torch.ops.aten.${op}.default]`,
      "pkg.torch.onnx.name_scopes": `[${scopes}]`,
      "pkg.torch.onnx.stack_trace": 'File "/home/me/train.py", line 96, in forward\n    return self.network(x)',
    },
  });
}

describe("torch.onnx.export with dynamo", () => {
  test("a perceptron: Gemm with transB", async () => {
    const s = new Sketch(401, [4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4]), s.random("a.bias", [5])], { transB: 1 })]);
    const plain = s.done(s.op("Gemm", [a, s.rows("b", [3, 5]), s.random("b.bias", [3])], { transB: 1 }), N);
    const of = (name: string) => plain.graph.constants.get(name)!;
    const gemm = { transA: 0, transB: 1, alpha: { float: 1 }, beta: { float: 1 } };
    const graph = graphOf(
      { input: ["s77", 4] },
      [
        from(["network", "network.0"], "Gemm", ["input", "network.0.weight", "network.0.bias"], "linear", gemm),
        from(["network", "network.1"], "Relu", ["linear"], "relu"),
        from(["network", "network.2"], "Gemm", ["relu", "network.2.weight", "network.2.bias"], "output", gemm),
      ],
      {
        "network.0.weight": of("a.weight"),
        "network.0.bias": of("a.bias"),
        "network.2.weight": of("b.weight"),
        "network.2.bias": of("b.bias"),
      },
      ["output"],
    );
    const model = asFile(graph, STORED);
    expect(existsSync(`${model.file}.data`)).toBe(true);
    await expectCurvature(model, plain, [
      { name: "network.0", is: "a" },
      { name: "network.2", is: "b" },
    ]);
  });

  describe("a linear map on tokens", () => {
    const s = new Sketch(402, [4, 3]);
    const a = s.op("Relu", [s.op("Add", [s.op("MatMul", ["x", s.columns("a", 3, 5)]), s.random("a.bias", [5])])]);
    const b = s.op("Relu", [s.op("MatMul", [a, s.columns("b", 5, 2)])]);
    const flat = s.op("Flatten", [b]);
    const plain = s.done(s.op("Gemm", [flat, s.rows("c", [3, 8]), s.random("c.bias", [3])], { transB: 1 }), N);
    const of = (name: string) => plain.graph.constants.get(name)!;
    const tail = [
      from(["act"], "Relu", ["linear_1"], "relu_1"),
      from([], "Reshape", ["relu_1", "val_9"], "view", { allowzero: 1 }),
      from(["head"], "Gemm", ["view", "head.weight", "head.bias"], "logits", { transB: 1 }),
    ];
    const common = {
      "blocks.0.fc.bias": of("a.bias"),
      val_9: Tensor.int64([-1, 8]),
      "head.weight": of("c.weight"),
      "head.bias": of("c.bias"),
    };
    const layers = [
      { name: "blocks.0.fc", is: "a", positions: 4 },
      { name: "blocks.1.fc", is: "b", positions: 4 },
      { name: "head", is: "c" },
    ];

    test("folded: the weight is a constant without a name", async () => {
      const nodes = [
        from(["blocks.0", "blocks.0.fc"], "MatMul", ["x", "val_0"], "val_1"),
        from(["blocks.0", "blocks.0.fc"], "Add", ["val_1", "blocks.0.fc.bias"], "linear"),
        from(["blocks.0", "blocks.0.act"], "Relu", ["linear"], "relu"),
        from(["blocks.1", "blocks.1.fc"], "MatMul", ["relu", "val_3"], "linear_1"),
        ...tail,
      ];
      const constants = { ...common, val_0: of("a.weight"), val_3: of("b.weight") };
      await expectCurvature(asFile(graphOf({ x: ["s0", 4, 3] }, nodes, constants, ["logits"]), STORED), plain, layers);
    });

    test("not folded: the weight is behind a Transpose", async () => {
      const nodes = [
        from(["blocks.0", "blocks.0.fc"], "Transpose", ["blocks.0.fc.weight"], "val_0", { perm: [1, 0] }),
        from(["blocks.0", "blocks.0.fc"], "MatMul", ["x", "val_0"], "val_1"),
        from(["blocks.0", "blocks.0.fc"], "Add", ["val_1", "blocks.0.fc.bias"], "linear"),
        from(["blocks.0", "blocks.0.act"], "Relu", ["linear"], "relu"),
        from(["blocks.1", "blocks.1.fc"], "Transpose", ["blocks.1.fc.weight"], "val_2", { perm: [1, 0] }),
        from(["blocks.1", "blocks.1.fc"], "MatMul", ["relu", "val_2"], "linear_1"),
        ...tail,
      ];
      const stored = {
        "blocks.0.fc.weight": turned(plain, "a.weight", 1, 0),
        "blocks.1.fc.weight": turned(plain, "b.weight", 1, 0),
      };
      const graph = graphOf({ x: ["s0", 4, 3] }, nodes, { ...common, ...stored }, ["logits"]);
      await expectCurvature(asFile(graph, STORED), plain, layers);
    });

    test("as addmm of all rows at once, as GPT-2's Conv1D has it, its weights in Constant nodes", async () => {
      const value = (tensor: Tensor) => ({ value: { kind: "tensor" as const, value: tensor } });
      const nodes = [
        from([], "Constant", [], "val_0", value(of("a.weight"))),
        from([], "Constant", [], "h.1.mlp.c_proj.weight", value(of("b.weight"))),
        from(["h.0", "h.0.mlp", "h.0.mlp.c_fc"], "Reshape", ["x", "val_7"], "view_1", { allowzero: 1 }),
        from(["h.0", "h.0.mlp", "h.0.mlp.c_fc"], "Gemm", ["view_1", "val_0", "blocks.0.fc.bias"], "addmm"),
        from(["h.0", "h.0.mlp", "h.0.mlp.c_fc"], "Reshape", ["addmm", "val_8"], "view_2", { allowzero: 1 }),
        from(["h.0", "h.0.mlp", "h.0.mlp.act"], "Relu", ["view_2"], "relu"),
        from(["h.1", "h.1.mlp", "h.1.mlp.c_proj"], "Reshape", ["relu", "val_10"], "view_3"),
        from(["h.1", "h.1.mlp", "h.1.mlp.c_proj"], "MatMul", ["view_3", "h.1.mlp.c_proj.weight"], "linear_1"),
        ...tail,
      ];
      const shapes = {
        val_7: Tensor.int64([-1, 3]),
        val_8: Tensor.int64([-1, 4, 5]),
        val_10: Tensor.int64([-1, 5]),
      };
      const graph = graphOf({ x: ["s0", 4, 3] }, nodes, { ...common, ...shapes }, ["logits"]);
      const [, , head] = layers;
      await expectCurvature(asFile(graph, STORED), plain, [
        { name: "h.0.mlp.c_fc", is: "a", positions: 4 },
        { name: "h.1.mlp.c_proj", is: "b", positions: 4 },
        head!,
      ]);
    });
  });

  test("convolutions that took batch normalizations in", async () => {
    const s = new Sketch(403, [2, 5, 5]);
    const norm = (name: string, size: number) => [
      s.random(`${name}.gain`, [size], 1),
      s.random(`${name}.shift`, [size]),
      s.random(`${name}.mean`, [size]),
      s.constant(`${name}.variance`, [size], [0.5, 1.5, 0.2, 1].slice(0, size)),
    ];
    const a = s.op("Conv", ["x", s.rows("a", [4, 2, 2, 2])]);
    const b = s.op("Relu", [s.op("BatchNormalization", [a, ...norm("n", 4)])]);
    const c = s.op("Conv", [b, s.rows("b", [4, 2, 2, 2], 2), s.random("b.bias", [4])], { group: 2, strides: [2, 2] });
    const d = s.op("Relu", [s.op("BatchNormalization", [c, ...norm("m", 4)])]);
    const flat = s.op("Flatten", [s.op("GlobalAveragePool", [d])]);
    const plain = s.done(s.op("Gemm", [flat, s.rows("c", [3, 4])], { transB: 1 }), N);
    const first = fused(plain, "a.weight", undefined, "n");
    const second = fused(plain, "b.weight", "b.bias", "m");
    const window = { auto_pad: "NOTSET", dilations: [1, 1], pads: [0, 0, 0, 0] };
    const graph = graphOf(
      { x: ["batch", 2, 5, 5] },
      [
        from(["conv1"], "Conv", ["x", "conv1.weight", "x_bias"], "getitem", { ...window, group: 1, strides: [1, 1] }),
        from(["relu"], "Relu", ["getitem"], "relu"),
        from(["conv2"], "Conv", ["relu", "conv2.weight", "conv2.bias"], "getitem_3", {
          ...window,
          group: 2,
          strides: [2, 2],
        }),
        from(["relu"], "Relu", ["getitem_3"], "relu_1"),
        // A mean over both axes of a map, which adaptive_avg_pool2d(·, 1) is.
        from(["avgpool"], "ReduceMean", ["relu_1", "val_4"], "mean", { keepdims: 1, noop_with_empty_axes: 0 }),
        from([], "Reshape", ["mean", "val_6"], "view", { allowzero: 1 }),
        from(["fc"], "Gemm", ["view", "fc.weight"], "logits", { transB: 1 }),
      ],
      {
        "conv1.weight": first.weight,
        x_bias: first.bias,
        "conv2.weight": second.weight,
        "conv2.bias": second.bias,
        "fc.weight": plain.graph.constants.get("c.weight")!,
        val_4: Tensor.int64([-1, -2]),
        val_6: Tensor.int64([-1, 4]),
      },
      ["logits"],
    );
    await expectCurvature(asFile(graph, STORED), plain, [
      { name: "conv1", is: "a", positions: 16, kind: "convolution", rescaled: true },
      { name: "conv2", is: "b", positions: 4, kind: "convolution", rescaled: true },
      { name: "fc", is: "c" },
    ]);
  });
});
