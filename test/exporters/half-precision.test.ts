import { describe, expect, test } from "vitest";
import type { Graph, Node, ValueId } from "../../src/graph/graph.ts";
import { elementTypes } from "../../src/graph/onnx-tensors.ts";
import { filled } from "../../src/graph/opset/filled.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { HalfPrecision } from "../../src/graph/widening.ts";
import { graphOf, node } from "../graph/small-graph.ts";
import { measureAll } from "../golden-model.ts";
import { datasetOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";
import { asFile, expectCurvature } from "./exported.ts";

// Models whose weights, or all of it, are float16 or bfloat16: model.half() before the export, converters that keep inputs and outputs
// in float32 behind casts, and weights that are stored in half precision and cast before they are used. The truth is of the network
// with the weights that the file has, computed in float64: nothing rounds but the weights.

const N = 3;
const FLOAT = elementTypes.indexOf("float32");
const types = ["float16", "bfloat16"] as const;

/** A constant in half precision, each element by itself. */
function narrowed(tensor: Tensor, type: HalfPrecision): Tensor {
  const bits = Array.from(tensor.numbers(), (value) => filled(type, [1], value).data[0] as number);
  return Tensor.of(type, tensor.dims, Uint16Array.from(bits));
}

/** conv → norm → ReLU → dense, its weights such as half precision has. */
function network(type: HalfPrecision): Sketched {
  const s = new Sketch(431, [2, 4, 4]);
  const a = s.op("Conv", ["x", s.rows("a", [3, 2, 2, 2]), s.random("a.bias", [3])]);
  const norm = ["gain", "shift", "mean"].map((part) => s.random(`n.${part}`, [3], 0.5));
  norm.push(s.constant("n.variance", [3], [0.5, 1.5, 0.25]));
  const b = s.op("Relu", [s.op("BatchNormalization", [a, ...norm])]);
  const c = s.op("Relu", [s.op("MatMul", [s.op("Flatten", [b]), s.columns("c", 27, 4)])]);
  const plain = s.done(s.op("Gemm", [c, s.rows("d", [3, 4]), s.random("d.bias", [3])], { transB: 1 }), N);
  const rounded = [...plain.graph.constants].map(([name, tensor]) => {
    return [name, Tensor.float32(tensor.dims, narrowed(tensor, type).numbers())] as const;
  });
  return { ...plain, graph: { ...plain.graph, constants: new Map(rounded) } };
}

const layers = [
  { name: "conv", is: "a", positions: 9, kind: "convolution" as const },
  { name: "fc1", is: "c" },
  { name: "fc2", is: "d" },
];

const names: readonly (readonly [string, string])[] = [
  ["conv.weight", "a.weight"],
  ["conv.bias", "a.bias"],
  ["bn.weight", "n.gain"],
  ["bn.bias", "n.shift"],
  ["bn.running_mean", "n.mean"],
  ["bn.running_var", "n.variance"],
  ["fc1.weight", "c.weight"],
  ["fc2.weight", "d.weight"],
  ["fc2.bias", "d.bias"],
];

/** The body from x to y, reading constants under these names. */
function body(x: ValueId, y: ValueId, of: (name: string) => ValueId): Node[] {
  const norm = ["weight", "bias", "running_mean", "running_var"].map((part) => of(`bn.${part}`));
  return [
    node("Conv", [x, of("conv.weight"), of("conv.bias")], "z", { kernel_shape: [2, 2] }),
    node("BatchNormalization", ["z", ...norm], "n"),
    node("Relu", ["n"], "r"),
    node("Flatten", ["r"], "f"),
    node("MatMul", ["f", of("fc1.weight")], "h"),
    node("Relu", ["h"], "a"),
    node("Gemm", ["a", of("fc2.weight"), of("fc2.bias")], y, { transB: 1 }),
  ];
}

function stored(plain: Sketched, type: HalfPrecision): Record<string, Tensor> {
  return Object.fromEntries(names.map(([name, is]) => [name, narrowed(plain.graph.constants.get(is)!, type)]));
}

const asIs = (name: string) => name;
const cast = (from: ValueId, to: ValueId, type: number) => node("Cast", [from], to, { to: type });

describe.each(types)("%s", (type) => {
  const plain = network(type);
  const number = elementTypes.indexOf(type);
  const constants = stored(plain, type);
  const whole: Graph = {
    ...graphOf({ x: ["N", 2, 4, 4] }, body("x", "logits", asIs), constants, ["logits"], type),
    outputs: [{ name: "logits", type, dims: ["N", 3] }],
  };
  const within = graphOf(
    { x: ["N", 2, 4, 4] },
    [
      cast("x", "graph_input_cast_0", number),
      ...body("graph_input_cast_0", "graph_output_cast_0", asIs),
      cast("graph_output_cast_0", "logits", FLOAT),
    ],
    constants,
    ["logits"],
  );
  const casts = names.map(([name]) => cast(name, `${name}/float32`, FLOAT));
  const storage = graphOf(
    { x: ["N", 2, 4, 4] },
    [...casts, ...body("x", "logits", (name) => `${name}/float32`)],
    constants,
    ["logits"],
  );

  const models: readonly [string, Graph, HalfPrecision | undefined][] = [
    ["everywhere, inputs and outputs too", whole, type],
    ["between casts, inputs and outputs in float32", within, type],
    ["in weights alone, which are cast", storage, undefined],
  ];
  describe.each(models)("%s", (_, graph, precision) => {
    test("layers, κ and Tr(H)", () => expectCurvature(asFile(graph), plain, layers));

    test("with weights in a file beside the model", () => expectCurvature(asFile(graph, 16), plain, layers));

    test("says so where the model rounds what it computes", async () => {
      const model = asFile(graph);
      const { result } = await measureAll(model, datasetOf(plain, "cross-entropy"));
      expect([model.precision, result.model.precision]).toEqual([precision, precision]);
      expect(result.warnings.filter(({ code }) => code === "half-precision-widened").map(({ text }) => text)).toEqual(
        precision === undefined
          ? []
          : [
              `the model computes in ${type}; it was measured in float32 with the same weights, without the rounding of its own values`,
            ],
      );
    });
  });

  test("NaN in a weight is found where it stands", async () => {
    const bits = new Uint16Array((constants["fc1.weight"] as Tensor).data as Uint16Array);
    bits[7] = type === "float16" ? 0x7e00 : 0x7fc0;
    const broken = {
      ...whole,
      constants: new Map([...whole.constants, ["fc1.weight", Tensor.of(type, [27, 4], bits)]]),
    };
    for (const model of [asFile(broken), asFile(broken, 16)]) {
      await expect(measureAll(model, datasetOf(plain, "cross-entropy"))).rejects.toThrow(
        "weight fc1.weight has NaN at element 7; expected numbers: did training diverge?",
      );
    }
  });
});
