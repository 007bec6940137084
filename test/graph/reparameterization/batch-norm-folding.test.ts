import { describe, expect, test } from "vitest";
import { foldBatchNorm } from "../../../src/graph/reparameterization/batch-norm-folding.ts";
import { decodeModel, encodeModel } from "../../../src/graph/onnx.ts";
import { Tensor } from "../../../src/graph/tensor.ts";
import { goldenModel } from "../../golden-model.ts";
import { Sketch, type Sketched } from "../../sketch.ts";
import { oneSample, outputDistance, ROUNDING } from "./twins.ts";

const N = 3;

/** γ, β, μ and v of a normalization of three channels, one of which turns its sign. */
function statistics(s: Sketch, name = "n"): string[] {
  return [
    s.constant(`${name}.gain`, [3], [1.5, -0.4, 3]),
    s.constant(`${name}.shift`, [3], [0.1, -0.2, 0.3]),
    s.constant(`${name}.mean`, [3], [0.5, 0, -1]),
    s.constant(`${name}.variance`, [3], [0.02, 1, 4]),
  ];
}

/** A layer `a` of three outputs, normalized, and a last layer. */
function normalized(dims: number[], layer: (s: Sketch) => string, columns: number): Sketched {
  const s = new Sketch(811, dims);
  const y = s.op("BatchNormalization", [layer(s), ...statistics(s)], { epsilon: { float: 1e-3 } });
  const flat = s.op("Flatten", [s.op("Relu", [y])]);
  return s.done(s.op("Gemm", [flat, s.rows("z", [4, columns])], { transB: 1 }), N);
}

const picture = [2, 5, 5];
const kernel = (s: Sketch) => s.rows("a", [3, 2, 2, 2]);

const foldable: readonly [string, Sketched][] = [
  ["a convolution", normalized(picture, (s) => s.op("Conv", ["x", kernel(s)]), 48)],
  [
    "a convolution with a bias",
    normalized(picture, (s) => s.op("Conv", ["x", kernel(s), s.random("a.bias", [3])]), 48),
  ],
  [
    "a convolution in groups",
    normalized([3, 5, 5], (s) => s.op("Conv", ["x", s.rows("a", [3, 1, 2, 2], 3)], { group: 3 }), 48),
  ],
  [
    "a transposed convolution",
    normalized(
      picture,
      (s) => s.op("ConvTranspose", ["x", s.turnedKernel("a", [2, 3, 2, 2]), s.random("a.bias", [3])]),
      108,
    ),
  ],
  [
    "a convolution, a bias of its own and one behind it",
    normalized(
      picture,
      (s) => s.op("Add", [s.random("b", [3, 1, 1]), s.op("Conv", ["x", kernel(s), s.random("a.bias", [3])])]),
      48,
    ),
  ],
  [
    "a convolution and a number behind it",
    normalized(picture, (s) => s.op("Add", [s.op("Conv", ["x", kernel(s)]), s.constant("b", [], [0.7])]), 48),
  ],
  [
    "Gemm with alpha and beta",
    normalized(
      [5],
      (s) =>
        s.op("Gemm", ["x", s.columns("a", 5, 3), s.random("a.bias", [1, 3])], {
          alpha: { float: 0.5 },
          beta: { float: 2 },
        }),
      3,
    ),
  ],
  ["Gemm without a bias", normalized([5], (s) => s.op("Gemm", ["x", s.rows("a", [3, 5])], { transB: 1 }), 3)],
  ["MatMul", normalized([5], (s) => s.op("MatMul", ["x", s.columns("a", 5, 3)]), 3)],
  [
    "MatMul and Add",
    normalized([5], (s) => s.op("Add", [s.op("MatMul", ["x", s.columns("a", 5, 3)]), s.random("a.bias", [3])]), 3),
  ],
  [
    "a weight behind a Transpose",
    normalized([5], (s) => s.op("MatMul", ["x", s.op("Transpose", [s.rows("a", [3, 5])], { perm: [1, 0] })]), 3),
  ],
  [
    "a bias behind Identity, which another node reads",
    normalized(
      [3, 4, 4],
      (s) => {
        const bias = s.random("shared", [3]);
        const first = s.op("Conv", ["x", s.rows("c", [3, 3, 1, 1]), bias]);
        return s.op("Conv", [first, s.rows("a", [3, 3, 1, 1]), s.op("Identity", [bias])]);
      },
      48,
    ),
  ],
];

describe("folds into", () => {
  test.each(foldable)("%s", async (_, net) => {
    const { graph, folded, left } = foldBatchNorm(net.graph, oneSample(net.graph));
    expect([folded.map(({ layer }) => layer), left]).toEqual([["a"], []]);
    expect(graph.nodes.map(({ op }) => op)).not.toContain("BatchNormalization");
    expect([...graph.constants.keys()].filter((name) => name.startsWith("n."))).toEqual([]);
    expect(await outputDistance(net, graph)).toBeLessThan(ROUNDING);
  });
});

const refused: readonly [string, Sketched, RegExp][] = [
  [
    "an activation between",
    normalized(picture, (s) => s.op("Relu", [s.op("Conv", ["x", kernel(s)])]), 48),
    /^no layer comes before it$/,
  ],
  ["nothing before it", normalized([3, 4, 4], () => "x", 48), /^no layer comes before it$/],
  [
    "a value that is read by others",
    normalized(
      picture,
      (s) => {
        const z = s.op("Conv", ["x", kernel(s)]);
        s.op("Tanh", [z]);
        return z;
      },
      48,
    ),
    /^Conv_0_out is read by others too$/,
  ],
  [
    "a weight that is used twice",
    normalized(
      [3, 4, 4],
      (s) => {
        const w = s.rows("a", [3, 3, 1, 1]);
        return s.op("Conv", [s.op("Relu", [s.op("Conv", ["x", w])]), w]);
      },
      48,
    ),
    /^layer a is used in several places$/,
  ],
  [
    "tokens, whose channels are positions",
    normalized([3, 5], (s) => s.op("MatMul", ["x", s.columns("a", 5, 3)]), 9),
    /^its channels are not the outputs of layer a$/,
  ],
  [
    "a constant a position",
    normalized(picture, (s) => s.op("Add", [s.op("Conv", ["x", kernel(s)]), s.random("b", [3, 4, 4])]), 48),
    /^what is added before it is not one number a channel$/,
  ],
  [
    "a constant along the last axis",
    normalized([2, 4, 4], (s) => s.op("Add", [s.op("Conv", ["x", kernel(s)]), s.random("b", [3])]), 27),
    /^what is added before it is not one number a channel$/,
  ],
  [
    "a bias that is computed",
    normalized(
      [5],
      (s) => s.op("Gemm", ["x", s.rows("a", [3, 5]), s.op("Exp", [s.random("b", [3])])], { transB: 1 }),
      3,
    ),
    /^the bias of layer a is computed$/,
  ],
];

test.each(refused)("leaves it behind %s", (_, net, reason) => {
  const { graph, folded, left } = foldBatchNorm(net.graph, oneSample(net.graph));
  expect(folded).toEqual([]);
  expect(left.map((each) => each.reason)).toEqual([expect.stringMatching(reason)]);
  expect(graph.nodes).toEqual(net.graph.nodes);
  expect(graph.constants).toEqual(net.graph.constants);
});

test("slope and shift by hand", () => {
  const s = new Sketch(812, [1]);
  const z = s.op("Gemm", ["x", s.rows("a", [1, 1], 1, [2]), s.constant("a.bias", [1], [3])], { transB: 1 });
  const parameters = [10, 0.5, 1, 3].map((value, index) => s.constant(`p${index}`, [1], [value]));
  const { graph } = s.done(s.op("BatchNormalization", [z, ...parameters], { epsilon: { float: 1 } }), 1);
  const folded = foldBatchNorm(graph, oneSample(graph)).graph;
  // 10 (2x + 3 − 1) / √(3 + 1) + 0.5 = 10 x + 10.5
  expect([...folded.constants].map(([name, tensor]) => [name, ...tensor.numbers()])).toEqual([
    ["a.weight", 10],
    ["a.bias", 10.5],
  ]);
  expect(folded.nodes.map(({ op, outputs }) => [op, outputs[0]])).toEqual([["Gemm", graph.outputs[0]!.name]]);
});

test("equal constants that an exporter stored once, and their Identity, go when nothing needs them", () => {
  const { graph } = goldenModel("mini-resnet");
  const { graph: folded, folded: nodes } = foldBatchNorm(graph, oneSample(graph));
  expect(nodes).toHaveLength(6);
  expect(folded.nodes.map(({ op }) => op)).not.toContain("Identity");
  expect([...folded.constants.keys()].sort()).toEqual(
    ["stem", "r1.c1", "r1.c2", "r2.down.0", "r2.c1", "r2.c2", "fc"]
      .flatMap((name) => [`${name}.bias`, `${name}.weight`])
      .sort(),
  );
});

test("a node keeps what the file says of it, and the model its metadata", () => {
  const { graph } = goldenModel("digits-cnn-gelu-bn");
  const marked = {
    ...graph,
    nodes: graph.nodes.map((node) =>
      node.op === "Conv" ? { ...node, metadata: { note: node.name }, source: undefined } : node,
    ),
  };
  const read = decodeModel(encodeModel(marked));
  const again = decodeModel(encodeModel(foldBatchNorm(read, oneSample(read)).graph));
  const convolutions = again.nodes.filter(({ op }) => op === "Conv");
  expect(convolutions.map(({ name, metadata }) => [name, metadata])).toEqual([
    ["/c1/Conv", { note: "/c1/Conv" }],
    ["/c2/Conv", { note: "/c2/Conv" }],
  ]);
  expect(again.constants.get("c1.bias")).toBeInstanceOf(Tensor);
  expect(again.inputs).toEqual(read.inputs);
});
