import { describe, expect, test } from "vitest";
import { softmaxShift } from "../../../src/graph/reparameterization/softmax-shift.ts";
import { count, Tensor } from "../../../src/graph/tensor.ts";
import { numbersOf, runGraph } from "../running.ts";
import { Sketch, type Sketched } from "../../sketch.ts";
import { oneSample, outputDistance, ROUNDING, uniforms } from "./twins.ts";

const N = 3;

/** 5 → 6 → 4 classes, then what is given. */
function scored(after: (s: Sketch, z: string) => string): Sketched {
  const s = new Sketch(831, [5]);
  const h = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [6, 5]), s.random("a.bias", [6])], { transB: 1 })]);
  return s.done(after(s, s.op("Gemm", [h, s.rows("z", [4, 6]), s.random("z.bias", [4])], { transB: 1 })), N);
}

/** 3 tokens of 5 → 4 classes each, then what is given. */
function tokens(after: (s: Sketch, z: string) => string): Sketched {
  const s = new Sketch(832, [3, 5]);
  return s.done(after(s, s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 5, 6)])])), N);
}

/** Pictures of 4 classes a pixel. */
function pixels(after: (s: Sketch, z: string) => string, group = 1): Sketched {
  const s = new Sketch(833, [2, 4, 4]);
  return s.done(after(s, s.op("Conv", ["x", s.rows("z", [4, 2 / group, 3, 3], group)], { group })), N);
}

const shifted = (net: Sketched) => softmaxShift(net.graph, oneSample(net.graph), "z", uniforms(3));
const head = (s: Sketch, h: string) => s.op("MatMul", [h, s.columns("z", 6, 4)]);

/** Networks with the axis of the classes of their output; the difference of any two scores of a sample stays. */
const moved: readonly [string, Sketched, number][] = [
  ["a last layer", scored((_, z) => z), 1],
  [
    "a bias behind it, and a temperature",
    scored((s, z) => s.op("Div", [s.op("Add", [z, s.random("b", [4])]), s.constant("t", [], [2])])),
    1,
  ],
  [
    "another branch that is added",
    scored((s, z) => s.op("Sub", [s.op("Gemm", ["x", s.rows("o", [4, 5])], { transB: 1 }), z])),
    1,
  ],
  ["twice its outputs", scored((s, z) => s.op("Add", [z, s.op("Identity", [z])])), 1],
  ["scores a token", tokens(head), 2],
  ["scores a token, classes first", tokens((s, h) => s.op("Transpose", [head(s, h)], { perm: [0, 2, 1] })), 1],
  ["scores a token, all tokens in a row", tokens((s, h) => s.op("Reshape", [head(s, h), s.integers(-1, 4)])), 1],
  ["scores a token, their mean", tokens((s, h) => s.op("ReduceMean", [head(s, h), s.integers(1)], { keepdims: 0 })), 1],
  ["scores of the last token", tokens((s, h) => s.op("Gather", [head(s, h), s.integers(2)], { axis: 1 })), 2],
  ["scores a pixel", pixels((_, z) => z), 1],
  ["scores a pixel, pooled", pixels((s, z) => s.op("Flatten", [s.op("GlobalAveragePool", [z])])), 1],
];

describe("moves all scores alike", () => {
  test.each(moved)("%s", async (_, net, axis) => {
    const { graph, scores } = shifted(net);
    const { name } = graph.outputs[0]!;
    expect([...scores]).toEqual([[name, axis]]);
    const feeds = new Map([["x", Tensor.float32(net.x.dims, Float32Array.from(net.x.data))]]);
    const { dims, ...array } = (await runGraph(net.graph, feeds)).get(name)!;
    const [before, after] = [numbersOf(array), numbersOf((await runGraph(graph, feeds)).get(name)!)];
    const inner = count(dims.slice(axis + 1));
    const differences = before.map((value, index) => after[index]! - value);
    const largest = Math.max(...before.map(Math.abs));
    let most = 0;
    differences.forEach((difference, index) => {
      const first = index - (Math.floor(index / inner) % 4) * inner;
      expect(Math.abs(difference - differences[first]!)).toBeLessThan(ROUNDING * largest);
      most = Math.max(most, Math.abs(difference));
    });
    expect(most).toBeGreaterThan(0.01 * largest);
  });

  test.each([
    ["Softmax", scored((s, z) => s.op("Softmax", [z], { axis: 1 }))],
    [
      "LogSoftmax of what is reshaped",
      tokens((s, h) => s.op("LogSoftmax", [s.op("Reshape", [head(s, h), s.integers(0, 3, 4, 1)])], { axis: 2 })),
    ],
    ["Softmax over the channels of pixels", pixels((s, z) => s.op("Softmax", [z], { axis: 1 }))],
  ])("%s takes the shift away", async (_, net) => {
    const { graph, scores } = shifted(net);
    expect([...scores]).toEqual([]);
    expect(graph.constants.get("z.weight")!.data).not.toEqual(net.graph.constants.get("z.weight")!.data);
    expect(await outputDistance(net, graph)).toBeLessThan(ROUNDING);
  });
});

test.each([
  [
    "an activation behind it",
    scored((s, z) => s.op("Relu", [z])),
    /^layer z: .*: node Relu_3 \(Relu\) lies between them and a softmax/,
  ],
  [
    "a softmax over samples",
    scored((s, z) => s.op("Softmax", [z], { axis: 0 })),
    /node Softmax_3 \(Softmax\) lies between/,
  ],
  ["classes and tokens in one axis", tokens((s, h) => s.op("Flatten", [head(s, h)])), /\(Flatten\) lies between/],
  ["a weight for each class", scored((s, z) => s.op("Mul", [z, s.random("w", [4])])), /\(Mul\) lies between/],
  ["rounding to whole numbers", scored((s, z) => s.op("Cast", [z], { to: 7 })), /\(Cast\) lies between/],
  ["a mean over classes", scored((s, z) => s.op("ReduceMean", [z, s.integers(1)])), /\(ReduceMean\) lies between/],
  ["groups, whose rows read features of their own", pixels((_, z) => z, 2), /its rows have features of their own/],
  [
    "a weight that is read elsewhere",
    scored((s, z) =>
      s.op("Add", [
        z,
        s.op("Gemm", ["x", s.op("Slice", ["z.weight", s.integers(0), s.integers(5), s.integers(1)])], { transB: 1 }),
      ]),
    ),
    /reads the weight of layer z too/,
  ],
])("refuses %s", (_, net, message) => {
  expect(() => shifted(net)).toThrow(message);
});
