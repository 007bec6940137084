import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import type { Attribute, Attributes, Graph, Node, ValueInfo } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import type { ElementType } from "../../src/graph/tensor.ts";
import { count, Tensor } from "../../src/graph/tensor.ts";

/** One operator is written with several others that round in another order: a few units in the last place. */
const ROUNDING = 1e-6;

type Plain = number | string | readonly number[] | { readonly floats: readonly number[] };

interface Case {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, Plain>>;
  /** Of the input x, which comes first. */
  readonly dims: readonly number[];
  /** The inputs after x; undefined is an absent one. */
  readonly others?: readonly (Tensor | undefined)[];
  readonly outputs?: number;
  /** The operators after conversion; absent when the node must stay the same object. */
  readonly to?: readonly string[];
  /** Whether x comes to the operator from a value whose shape and type nothing declares. */
  readonly undeclared?: true;
  readonly tolerance?: number;
}

const floats = (...values: number[]) => Tensor.float32([values.length], values);
const grid = (...dims: number[]) => Tensor.float32(dims, waves(count(dims), 1.7));
const positive = (...dims: number[]) => Tensor.float32(dims, waves(count(dims), 2.3).map(Math.abs));

const reductions = ["L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"].flatMap((kind): Case[] => [
  { op: `Reduce${kind}`, opset: 12, attributes: { axes: [1], keepdims: 0 }, dims: [2, 3, 4], to: [`Reduce${kind}`] },
  { op: `Reduce${kind}`, opset: 17, attributes: { axes: [-1, 0] }, dims: [2, 3, 4], to: [`Reduce${kind}`] },
  { op: `Reduce${kind}`, opset: 9, attributes: { keepdims: 0 }, dims: [2, 3, 4] },
]);

const rows = ["Softmax", "LogSoftmax", "Hardmax"].flatMap((op): Case[] => [
  { op, opset: 7, dims: [3, 4], to: [op] },
  { op, opset: 9, attributes: { axis: 1 }, dims: [3, 4] },
  { op, opset: 12, attributes: { axis: -1 }, dims: [2, 3, 4] },
  { op, opset: 12, attributes: { axis: 2 }, dims: [2, 3, 4] },
  { op, opset: 8, dims: [2, 3, 4], to: ["Shape", "Flatten", op, "Reshape"] },
  { op, opset: 10, attributes: { axis: 0 }, dims: [2, 3], to: ["Shape", "Flatten", op, "Reshape"] },
  { op, opset: 11, attributes: { axis: -2 }, dims: [2, 3, 4], to: ["Shape", "Flatten", op, "Reshape"] },
  {
    op,
    opset: 11,
    attributes: { axis: 2 },
    dims: [2, 3, 4],
    undeclared: true,
    to: ["Shape", "Flatten", op, "Reshape"],
  },
  { op, opset: 13, dims: [2, 3, 4] },
]);

const statistics = [grid(3), grid(3), grid(3), positive(3)];
const activations = [grid(3, 2), grid(3, 2), grid(3, 2), positive(3, 2)];
const grouped = [
  "Shape",
  "Reshape",
  "InstanceNormalization",
  "Reshape",
  "Reshape",
  "Unsqueeze",
  "Mul",
  "Unsqueeze",
  "Add",
  "Reshape",
];
const roi = [Tensor.float32([1, 4], [0.3, 0.4, 3.1, 2.9]), Tensor.int64([0])];
const places = Tensor.of("int64", [1, 3], BigInt64Array.of(2n, 0n, 1n));
const sizes = Tensor.int64([1, 2, 6, 3]);
const squares = [1, 2, 4, 4];

const cases: Case[] = [
  ...reductions,
  ...rows,
  { op: "ReduceLogSum", opset: 17, attributes: { axes: [0] }, dims: [2, 1], to: ["ReduceLogSum"] },
  { op: "ReduceMean", opset: 11, attributes: { axes: [] }, dims: [2, 3], to: ["ReduceMean"] },
  { op: "ReduceSum", opset: 12, attributes: { axes: [1] }, dims: [2, 3], to: ["ReduceSum"] },
  { op: "ReduceSum", opset: 11, dims: [2, 3] },
  { op: "ReduceSum", opset: 13, dims: [2, 3], others: [Tensor.int64([1])] },
  { op: "ReduceMax", opset: 20, dims: [2, 3], others: [Tensor.int64([1])] },
  { op: "Squeeze", opset: 7, attributes: { axes: [0, 2] }, dims: [1, 3, 1, 2], to: ["Squeeze"] },
  { op: "Squeeze", opset: 11, attributes: { axes: [-2] }, dims: [1, 3, 1, 2], to: ["Squeeze"] },
  { op: "Squeeze", opset: 12, dims: [1, 3, 1, 2] },
  { op: "Squeeze", opset: 13, dims: [1, 3, 1, 2], others: [Tensor.int64([0])] },
  { op: "Unsqueeze", opset: 11, attributes: { axes: [-1, 0] }, dims: [3, 2], to: ["Unsqueeze"] },
  { op: "Unsqueeze", opset: 21, dims: [3, 2], others: [Tensor.int64([0])] },
  { op: "Split", opset: 7, attributes: { axis: 1, split: [1, 3] }, dims: [2, 4], outputs: 2, to: ["Split"] },
  { op: "Split", opset: 11, attributes: { axis: -1 }, dims: [2, 4], outputs: 2, to: ["Split"] },
  { op: "Split", opset: 13, dims: [6, 2], outputs: 3, to: ["Split"] },
  { op: "Split", opset: 17, dims: [4, 2], outputs: 2, others: [Tensor.int64([3, 1])] },
  { op: "Clip", opset: 7, attributes: { min: -0.25, max: 0.5 }, dims: [3, 4], to: ["Clip"] },
  { op: "Clip", opset: 10, attributes: { max: 0 }, dims: [3, 4], to: ["Clip"] },
  { op: "Clip", opset: 9, attributes: { min: 0.1 }, dims: [3, 4], undeclared: true, to: ["Clip"] },
  { op: "Clip", opset: 10, dims: [3, 4] },
  { op: "Clip", opset: 11, dims: [3, 4], others: [undefined, Tensor.float32([], [0.5])] },
  { op: "Slice", opset: 9, attributes: { starts: [1, -3], ends: [2 ** 63, -1] }, dims: [3, 5], to: ["Slice"] },
  { op: "Slice", opset: 7, attributes: { axes: [1], starts: [0], ends: [2] }, dims: [3, 5], to: ["Slice"] },
  { op: "Slice", opset: 10, dims: [3, 5], others: [Tensor.int64([0]), Tensor.int64([2])] },
  { op: "Pad", opset: 7, attributes: { pads: [0, 1, 2, 0], value: 1.5 }, dims: [2, 3], to: ["Pad"] },
  { op: "Pad", opset: 9, attributes: { pads: [0, -1, 1, 0] }, dims: [2, 3], to: ["Pad"] },
  { op: "Pad", opset: 10, attributes: { pads: [0, 1, 0, 2], mode: "reflect" }, dims: [2, 3], to: ["Pad"] },
  { op: "Pad", opset: 10, attributes: { pads: [1, 1, 0, 2], mode: "edge" }, dims: [2, 3], to: ["Pad"] },
  { op: "Pad", opset: 13, dims: [2, 3], others: [Tensor.int64([0, 1, 0, 2])] },
  { op: "Pad", opset: 19, dims: [2, 3], others: [Tensor.int64([1, 2]), undefined, Tensor.int64([1])] },
  { op: "TopK", opset: 7, attributes: { k: 2 }, dims: [3, 4], outputs: 2, to: ["TopK"] },
  { op: "TopK", opset: 9, attributes: { k: 1, axis: 0 }, dims: [3, 4], outputs: 2, to: ["TopK"] },
  { op: "TopK", opset: 10, dims: [3, 4], others: [Tensor.int64([2])], outputs: 2 },
  { op: "Upsample", opset: 7, attributes: { scales: { floats: [1, 1, 2, 1.5] } }, dims: squares, to: ["Resize"] },
  {
    op: "Upsample",
    opset: 8,
    attributes: { scales: { floats: [1, 1, 2, 1.5] }, mode: "linear" },
    dims: squares,
    to: ["Resize"],
  },
  { op: "Upsample", opset: 9, dims: squares, others: [floats(1, 1, 3, 2.6)], to: ["Resize"] },
  {
    op: "Upsample",
    opset: 9,
    attributes: { mode: "linear" },
    dims: squares,
    others: [floats(1, 1, 3, 2.6)],
    to: ["Resize"],
  },
  { op: "Resize", opset: 10, dims: squares, others: [floats(1, 1, 1.5, 2.6)], to: ["Resize"] },
  { op: "Resize", opset: 10, dims: squares, others: [floats(1, 1, 0.75, 0.6)], to: ["Resize"] },
  {
    op: "Resize",
    opset: 10,
    attributes: { mode: "linear" },
    dims: squares,
    others: [floats(1, 1, 1.5, 0.6)],
    to: ["Resize"],
  },
  { op: "Resize", opset: 11, dims: squares, others: [floats(), floats(), sizes], to: ["Resize"] },
  { op: "Resize", opset: 12, dims: squares, others: [floats(), floats(1, 1, 2, 2)], to: ["Resize"] },
  { op: "Resize", opset: 13, dims: squares, others: [undefined, floats(1, 1, 2, 2)] },
  { op: "Resize", opset: 19, attributes: { mode: "linear" }, dims: squares, others: [undefined, floats(1, 1, 2, 2)] },
  {
    op: "GridSample",
    opset: 20,
    attributes: { mode: "linear" },
    dims: squares,
    others: [grid(1, 3, 2, 2)],
    to: ["GridSample"],
  },
  {
    op: "GridSample",
    opset: 20,
    attributes: { mode: "cubic" },
    dims: squares,
    others: [grid(1, 3, 2, 2)],
    to: ["GridSample"],
  },
  { op: "GridSample", opset: 20, dims: squares, others: [grid(1, 3, 2, 2)] },
  {
    op: "RoiAlign",
    opset: 10,
    attributes: { output_height: 2, output_width: 2 },
    dims: squares,
    others: roi,
    to: ["RoiAlign"],
  },
  { op: "RoiAlign", opset: 16, attributes: { output_height: 2, output_width: 2 }, dims: squares, others: roi },
  { op: "BatchNormalization", opset: 7, dims: [2, 3, 2], others: statistics },
  {
    op: "BatchNormalization",
    opset: 8,
    attributes: { spatial: 1 },
    dims: [2, 3, 2],
    others: statistics,
    to: ["BatchNormalization"],
  },
  {
    op: "BatchNormalization",
    opset: 7,
    attributes: { spatial: 0, epsilon: 0.01 },
    dims: [2, 3],
    others: statistics,
    to: ["BatchNormalization"],
  },
  {
    op: "BatchNormalization",
    opset: 8,
    attributes: { spatial: 0, epsilon: 0.01 },
    dims: [2, 3, 2],
    others: activations,
    to: ["Reshape", "Reshape", "Reshape", "Reshape", "Shape", "Flatten", "BatchNormalization", "Reshape"],
  },
  { op: "BatchNormalization", opset: 14, dims: [2, 3, 2], others: statistics },
  { op: "Dropout", opset: 7, attributes: { ratio: 0.4 }, dims: [2, 3], to: ["Dropout"] },
  { op: "Dropout", opset: 11, dims: [2, 3] },
  { op: "Dropout", opset: 12, dims: [2, 3], others: [Tensor.float32([], [0.4])], outputs: 2 },
  {
    op: "GroupNormalization",
    opset: 21,
    attributes: { num_groups: 2 },
    dims: [2, 4, 3],
    others: [grid(4), grid(4)],
    to: grouped,
    tolerance: ROUNDING,
  },
  {
    op: "GroupNormalization",
    opset: 21,
    attributes: { num_groups: 3, epsilon: 0.1 },
    dims: [2, 6, 2, 3],
    others: [grid(6), grid(6)],
    to: grouped,
    tolerance: ROUNDING,
  },
  {
    op: "GroupNormalization",
    opset: 21,
    attributes: { num_groups: 1 },
    dims: [1, 2, 2, 3, 2],
    others: [grid(2), grid(2)],
    undeclared: true,
    to: grouped,
    tolerance: ROUNDING,
  },
  { op: "GroupNormalization", opset: 20, attributes: { num_groups: 2 }, dims: [2, 4, 3], others: [grid(2), grid(2)] },
  { op: "Gelu", opset: 20, dims: [3, 4], to: ["Div", "Erf", "Add", "Mul", "Mul"], tolerance: ROUNDING },
  {
    op: "Gelu",
    opset: 21,
    attributes: { approximate: "tanh" },
    dims: [3, 4],
    undeclared: true,
    to: ["Mul", "Mul", "Mul", "Add", "Mul", "Tanh", "Add", "Mul", "Mul"],
    tolerance: ROUNDING,
  },
  {
    op: "AveragePool",
    opset: 19,
    attributes: { kernel_shape: [2, 2], dilations: [1, 1] },
    dims: squares,
    to: ["AveragePool"],
    tolerance: ROUNDING,
  },
  {
    op: "AveragePool",
    opset: 21,
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1, count_include_pad: 1 },
    dims: squares,
  },
  {
    op: "AveragePool",
    opset: 10,
    attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 },
    dims: squares,
  },
  { op: "MaxPool", opset: 8, attributes: { kernel_shape: [2, 2], auto_pad: "SAME_LOWER" }, dims: squares, outputs: 2 },
  { op: "Cast", opset: 19, attributes: { to: 6, saturate: 1 }, dims: [3], to: ["Cast"] },
  { op: "Cast", opset: 9, attributes: { to: 11 }, dims: [3] },
  {
    op: "Scatter",
    opset: 9,
    attributes: { axis: 0 },
    dims: [3, 3],
    others: [places, grid(1, 3)],
    to: ["ScatterElements"],
  },
  { op: "DFT", opset: 20, dims: [1, 2, 3, 1], to: ["DFT"] },
  { op: "DFT", opset: 20, dims: [1, 4, 3, 1], others: [Tensor.int64(2), Tensor.int64(1)], to: ["DFT"] },
  { op: "DFT", opset: 17, dims: [1, 4, 3, 1] },
  { op: "Add", opset: 7, dims: [2, 3], others: [grid(3)] },
  { op: "Gemm", opset: 9, dims: [2, 3], others: [grid(3, 2), grid(2)] },
  { op: "Flatten", opset: 7, attributes: { axis: 2 }, dims: [2, 3, 2] },
  { op: "ArgMax", opset: 11, attributes: { axis: 1 }, dims: [2, 3] },
  { op: "CumSum", opset: 11, dims: [2, 3], others: [Tensor.int64(1)] },
  { op: "GatherElements", opset: 11, dims: [3, 3], others: [places] },
  { op: "Shape", opset: 15, attributes: { start: 1 }, dims: [2, 3, 4] },
  { op: "Reshape", opset: 21, dims: [2, 3], others: [Tensor.int64([3, -1])] },
];

describe("convertOpset gives the values of the original", () => {
  test.each(cases.map((row) => [label(row), row] as const))("%s", async (_, row) => {
    const original = graphOf(row);
    const converted = convertOpset(original);
    expect(converted.opset).toBe(18);
    const nodes = row.undeclared ? converted.nodes.slice(1) : converted.nodes;
    if (row.to) expect(nodes.map(({ op }) => op)).toEqual(row.to);
    else expect(nodes[0]).toBe(original.nodes.at(-1));

    const feed = waves(count(row.dims));
    const expected = await run(original, feed, row.dims);
    const actual = await run(converted, feed, row.dims);
    expected.forEach((value, index) => {
      expect(actual[index]?.type).toBe(value.type);
      expect(actual[index]?.dims).toEqual(value.dims);
      expect(difference(actual[index], value)).toBeLessThanOrEqual(row.tolerance ?? 0);
    });
  });
});

it("softmax over all axes from the first on sums to one over them", async () => {
  const graph = convertOpset(graphOf({ op: "Softmax", opset: 9, dims: [1, 2, 2] }));
  const [result] = await run(graph, Float32Array.of(0, Math.log(2), Math.log(3), Math.log(4)), [1, 2, 2]);
  [0.1, 0.2, 0.3, 0.4].forEach((value, index) => expect(Number(result?.data[index])).toBeCloseTo(value, 6));
});

describe("a converted node", () => {
  const node: Node = {
    op: "Squeeze",
    domain: "",
    name: "n",
    inputs: ["x"],
    outputs: ["y0"],
    attributes: { axes: { kind: "ints", value: [0] } },
    metadata: { scope: "net.squeeze" },
    source: {},
  };
  const base = graphOf({ op: "Squeeze", opset: 11, dims: [1, 3] });

  it("keeps name, outputs and metadata, and loses the message it was read from", () => {
    const [converted] = convertOpset({ ...base, nodes: [node] }).nodes;
    expect(converted).toEqual({ ...node, inputs: ["x", "n/axes"], attributes: {}, source: undefined });
  });

  it("gives its name, outputs and metadata to the last of several", () => {
    const gelu = { ...node, op: "Gelu", attributes: {} };
    const { nodes } = convertOpset({ ...base, opset: 20, nodes: [gelu] });
    expect(nodes.map(({ name }) => name)).toEqual(["n/Div", "n/Erf", "n/Add", "n/Mul", "n"]);
    expect(nodes.at(-1)?.outputs).toEqual(["y0"]);
    expect(nodes.every(({ metadata, source }) => metadata === node.metadata && !source)).toBe(true);
  });

  it("reads constants whose names collide with nothing", () => {
    const taken = new Map([["n/axes", floats(1)]]);
    const declared = new Map([["n/axes_1", info("n/axes_1", "float32", [1])]]);
    const again = { ...node, outputs: ["y1"] };
    const { constants, nodes } = convertOpset({ ...base, nodes: [node, again], constants: taken, declared });
    expect([...constants.keys()]).toEqual(["n/axes", "n/axes_2", "n/axes_3"]);
    expect(nodes.map(({ inputs }) => inputs[1])).toEqual(["n/axes_2", "n/axes_3"]);
    expect([...taken.keys()]).toEqual(["n/axes"]);
  });

  it("without a name is called after what it makes", () => {
    const [converted] = convertOpset({ ...base, nodes: [{ ...node, name: "" }] }).nodes;
    expect(converted?.inputs).toEqual(["x", "y0/axes"]);
  });

  it("of another domain is none", () => {
    const foreign = { ...node, domain: "com.example" };
    expect(convertOpset({ ...base, nodes: [foreign] }).nodes[0]).toBe(foreign);
  });

  it("loses statistics of training that nobody reads, and normalizes with those of the model", async () => {
    const row: Case = { op: "BatchNormalization", opset: 9, dims: [2, 3], others: statistics };
    const five = graphOf({ ...row, outputs: 5 });
    const converted = convertOpset({ ...five, outputs: five.outputs.slice(0, 1) });
    expect(converted.nodes[0]?.outputs).toEqual(["y0"]);
    const [[actual], [expected]] = [await run(converted, waves(6), [2, 3]), await run(graphOf(row), waves(6), [2, 3])];
    expect(difference(actual, expected)).toBe(0);
  });

  it("gets constants of the float type that the value has that it comes from", () => {
    const scale = Tensor.of("float16", [], Uint16Array.of(0x3c00));
    const multiply: Node = { ...node, op: "Mul", name: "m", inputs: ["w", "x"], outputs: ["h"], attributes: {} };
    const attributes: Attributes = { min: float(-0.1), max: float(6) };
    const clip: Node = { ...node, op: "Clip", inputs: ["h"], attributes };
    const graph = convertOpset({ ...base, opset: 10, nodes: [multiply, clip], constants: new Map([["w", scale]]) });
    expect(graph.constants.get("n/max")?.type).toBe("float16");
    expect(graph.constants.get("n/max")?.numbers()).toEqual(Float32Array.of(6));
    // The half-precision number nearest to −0.1.
    expect(graph.constants.get("n/min")?.data).toEqual(Uint16Array.of(0xae66));
  });

  it("knows that the output of Gemm has two axes", () => {
    const gemm: Node = { ...node, op: "Gemm", name: "g", inputs: ["x", "w"], outputs: ["h"], attributes: {} };
    const soft: Node = { ...node, op: "Softmax", inputs: ["h"], attributes: {} };
    const constants = new Map([["w", grid(3, 2)]]);
    const { nodes } = convertOpset({
      ...base,
      outputs: [info("y0", "float32", undefined)],
      nodes: [gemm, soft],
      constants,
    });
    expect(nodes[1]?.attributes).toEqual({ axis: { kind: "int", value: 1 } });
  });
});

it("a graph at opset 18 is returned as it is", () => {
  const graph = graphOf({ op: "Relu", opset: 18, dims: [2] });
  expect(convertOpset(graph)).toBe(graph);
});

it("bytes read, converted and written at opset 18 run", async () => {
  const graph = graphOf({ op: "ReduceMean", opset: 13, attributes: { axes: [1] }, dims: [2, 3] });
  const feed = Float32Array.of(1, 2, 3, 4, 5, 9);
  const [result] = await run(convertOpset(decodeModel(encodeModel(graph))), feed, [2, 3]);
  expect(result?.data).toEqual(Float32Array.of(2, 6));
});

describe("refuses", () => {
  const refused: readonly [string, Case, string][] = [
    ["opset 6", { op: "Relu", opset: 6, dims: [2] }, "opset 6: expected ai.onnx opset 7 to 21"],
    ["opset 22", { op: "Relu", opset: 22, dims: [2] }, "opset 22: expected ai.onnx opset 7 to 21"],
    [
      "an operator that came later",
      { op: "AffineGrid", opset: 20, dims: [1, 2, 3], others: [Tensor.int64([1, 1, 2, 2])] },
      "n (AffineGrid): operator AffineGrid of opset 20 is not supported: export the model with opset 18",
    ],
    [
      "wrapped padding",
      { op: "Pad", opset: 19, attributes: { mode: "wrap" }, dims: [2] },
      "n (Pad): mode wrap of opset 19",
    ],
    [
      "a dilated average",
      { op: "AveragePool", opset: 19, attributes: { kernel_shape: [2, 2], dilations: [2, 1] }, dims: squares },
      "n (AveragePool): expected dilations of 1, found 2, 1",
    ],
    [
      "symmetric half pixels",
      {
        op: "Resize",
        opset: 19,
        attributes: { coordinate_transformation_mode: "half_pixel_symmetric" },
        dims: squares,
      },
      "n (Resize): coordinate_transformation_mode half_pixel_symmetric of opset 19 is not supported",
    ],
    [
      "the nearest of one axis that grows and one that shrinks",
      { op: "Resize", opset: 10, dims: squares, others: [floats(1, 1, 0.5, 2)] },
      "n (Resize): one axis grows and another shrinks (scales 1, 1, 0.5, 2)",
    ],
    [
      "an axis that is computed",
      { op: "DFT", opset: 20, dims: [1, 2, 1], others: [undefined, undefined] },
      "constant axis",
    ],
    [
      "a mask that is read",
      { op: "Dropout", opset: 10, dims: [2], outputs: 2 },
      "n (Dropout): expected inference, but its training output y1 is used: export the model in evaluation mode",
    ],
    [
      "statistics of training that are read",
      { op: "BatchNormalization", opset: 9, dims: [2, 3], others: statistics, outputs: 3 },
      "n (BatchNormalization): expected inference, but its training output y1 is used",
    ],
    ["Scan of opset 8", { op: "Scan", opset: 8, dims: [2] }, "n (Scan): Scan of opset 8 is not supported"],
  ];

  test.each(refused)("%s", (name, row, message) => {
    let graph = graphOf(row);
    if (name.startsWith("an axis")) {
      graph = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, inputs: ["x", "", "x"] })) };
    }
    expect(() => convertOpset(graph)).toThrow(ModelError);
    expect(() => convertOpset(graph)).toThrow(message);
  });
});

describe("a subgraph", () => {
  const branch = (axes: boolean): Attribute => {
    const inner: Node = {
      op: "Squeeze",
      domain: "",
      name: "inner",
      inputs: ["x"],
      outputs: ["z"],
      attributes: axes ? { axes: { kind: "ints", value: [0] } } : {},
    };
    const body = { ...graphOf({ op: "Squeeze", opset: 11, dims: [1, 3] }), inputs: [], nodes: [inner] };
    return { kind: "kept", value: { $typeName: "onnx.AttributeProto", g: bodyOf(body) } };
  };
  const graph = graphOf({ op: "If", opset: 11, dims: [1, 3] });
  const choose = (axes: boolean) => {
    const node: Node = { ...(graph.nodes[0] as Node), attributes: { then_branch: branch(axes) } };
    return { ...graph, nodes: [node] };
  };

  it("in an old form is refused", () => {
    expect(() => convertOpset(choose(true))).toThrow(
      "n (If): in its subgraph inner (Squeeze) has the form of opset 11, and subgraphs are not converted",
    );
  });

  it("that means the same in opset 18 is kept", () => {
    const original = choose(false);
    expect(convertOpset(original).nodes[0]).toBe(original.nodes[0]);
  });
});

/** The nodes of a graph as the message that a subgraph is. */
function bodyOf(graph: Graph): unknown {
  const node = graph.nodes.map(({ op, domain, name, inputs, outputs, attributes }) => ({
    opType: op,
    domain,
    name,
    input: inputs,
    output: outputs,
    attribute: Object.entries(attributes).map(([key, { value }]) => ({
      name: key,
      type: 7,
      ints: (value as number[]).map(BigInt),
    })),
  }));
  return { node, input: [], initializer: [], output: [] };
}

function graphOf({ op, opset, attributes = {}, dims, others = [], outputs = 1, undeclared }: Case): Graph {
  const first = undeclared ? "inner" : "x";
  const names = others.map((tensor, index) => (tensor ? `c${index}` : ""));
  const made = Array.from({ length: outputs }, (_, index) => `y${index}`);
  const plain = { domain: "", attributes: {} };
  const node: Node = {
    ...plain,
    op,
    name: "n",
    inputs: [first, ...names],
    outputs: made,
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attribute(name, value)])),
  };
  const negative: Node = { ...plain, op: "Neg", name: "before", inputs: ["x"], outputs: ["inner"] };
  return {
    name: "case",
    opset,
    domains: new Map(),
    inputs: [info("x", "float32", undeclared ? undefined : dims)],
    outputs: made.map((name) => info(name, undefined, undefined)),
    nodes: undeclared ? [negative, node] : [node],
    constants: new Map(others.flatMap((tensor, index) => (tensor ? [[`c${index}`, tensor] as const] : []))),
    declared: new Map(),
  };
}

function info(name: string, type: ElementType | undefined, dims: ValueInfo["dims"]): ValueInfo {
  return { name, type, dims };
}

function float(value: number): Attribute {
  return { kind: "float", value };
}

function attribute(name: string, value: Plain): Attribute {
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "object" && "floats" in value) return { kind: "floats", value: value.floats };
  if (typeof value === "object") return { kind: "ints", value };
  return ["min", "max", "value", "ratio", "epsilon"].includes(name) ? float(value) : { kind: "int", value };
}

function label({ op, opset, attributes = {}, dims, others, undeclared }: Case): string {
  const parts = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const inputs = others ? ` and ${others.filter(Boolean).length} inputs` : "";
  return `${op} ${opset} ${parts.join(" ")} of ${dims.join("×")}${inputs}${undeclared ? ", undeclared" : ""}`;
}

/** Numbers of both signs without a pattern that a wrong axis would keep. */
function waves(size: number, step = 1): Float32Array {
  return Float32Array.from({ length: size }, (_, index) => 2 * Math.sin(1 + step * index * (1 + index / 7)));
}

async function run(graph: Graph, feed: Float32Array, dims: readonly number[]): Promise<OrtTensor[]> {
  const options = { graphOptimizationLevel: "disabled", logSeverityLevel: 4 } as const;
  const session = await InferenceSession.create(encodeModel(graph), options);
  try {
    const results = await session.run({ x: new OrtTensor("float32", feed, dims) });
    return graph.outputs.map(({ name }) => results[name] as OrtTensor);
  } finally {
    await session.release();
  }
}

function difference(a: OrtTensor | undefined, b: OrtTensor | undefined): number {
  const [left, right] = [a?.data, b?.data] as ArrayLike<number | bigint>[];
  const gaps = Array.from(right ?? [], (value, index) => Math.abs(Number(left?.[index]) - Number(value)));
  return gaps.reduce((most, gap) => Math.max(most, gap), Number(left?.length !== right?.length));
}
