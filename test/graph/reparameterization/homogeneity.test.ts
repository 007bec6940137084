import { describe, expect, test } from "vitest";
import { everywhere } from "../../../src/graph/reparameterization/neuron-wise.ts";
import { rescaled } from "../../../src/graph/reparameterization/rescalings.ts";
import type { Sketch, Sketched } from "../../sketch.ts";
import { dense, images, tokens, WIDTH } from "./between.ts";
import { outputDistance, rescalingsOf, ROUNDING, uniforms } from "./twins.ts";

const window = { kernel_shape: [2, 2], strides: [2, 2] };
const zero = (s: Sketch) => s.constant("zero", [], [0]);

/** Networks with the number of scales that neurons of layer a can have. */
const passing: readonly [string, Sketched, number][] = [
  ["Relu", dense((s, h) => s.op("Relu", [h])), 4],
  ["LeakyRelu", dense((s, h) => s.op("LeakyRelu", [h], { alpha: { float: 0.3 } })), 4],
  ["PRelu, a slope a neuron", dense((s, h) => s.op("PRelu", [h, s.random("slope", [WIDTH])])), 4],
  [
    "Abs, Neg, Identity, Dropout",
    dense((s, h) => s.op("Dropout", [s.op("Identity", [s.op("Neg", [s.op("Abs", [h])])])])),
    4,
  ],
  ["Cast to double and back", dense((s, h) => s.op("Cast", [s.op("Cast", [h], { to: 11 })], { to: 1 })), 4],
  ["Clip from zero on", dense((s, h) => s.op("Clip", [h, zero(s)])), 4],
  [
    "Clip up to zero, and down to the least float",
    dense((s, h) => s.op("Clip", [h, s.constant("least", [], [-3.4028235e38]), zero(s)])),
    4,
  ],
  ["Max with zero", dense((s, h) => s.op("Max", [h, zero(s)])), 4],
  ["Max of what is scaled alike", dense((s, h) => s.op("Max", [h, s.op("Neg", [h])])), 4],
  [
    "Add of a constant a neuron, which goes along",
    dense((s, h) => s.op("Add", [s.random("c", [WIDTH]), s.op("Relu", [h])])),
    4,
  ],
  [
    "Add of one number: neurons share it",
    dense((s, h) => s.op("Add", [s.op("Relu", [h]), s.constant("c", [], [0.4])])),
    1,
  ],
  ["Add of zeros, which bind nothing", dense((s, h) => s.op("Add", [s.op("Relu", [h]), s.constant("c", [], [0])])), 4],
  [
    "Sub, Sum, Mean of branches",
    dense((s, h) => s.op("Sub", [s.op("Sum", [h, s.op("Relu", [h])]), s.op("Mean", [s.op("Abs", [h]), h])])),
    4,
  ],
  [
    "Where by what is not scaled",
    dense((s, h) =>
      s.op("Where", [
        s.op("Greater", [s.op("Gemm", ["x", s.rows("g", [WIDTH, 5])], { transB: 1 }), zero(s)]),
        h,
        s.op("Neg", [h]),
      ]),
    ),
    4,
  ],
  [
    "Mul and Div by constants",
    dense((s, h) => s.op("Div", [s.op("Mul", [s.random("gain", [WIDTH], 1), h]), s.constant("two", [], [2])])),
    4,
  ],
  [
    "Mul by a gate that is not scaled",
    dense((s, h) => s.op("Mul", [h, s.op("Sigmoid", [s.op("Gemm", ["x", s.rows("g", [WIDTH, 5])], { transB: 1 })])])),
    4,
  ],
  [
    "Concat with itself, and Slice",
    dense(
      (s, h) =>
        s.op("Slice", [
          s.op("Concat", [h, s.op("Neg", [h])], { axis: 1 }),
          s.integers(6),
          s.integers(1),
          s.integers(1),
          s.integers(-1),
        ]),
      5,
    ),
    4,
  ],
  [
    "Split and Concat in another order",
    dense(
      (s, h) => s.op("Concat", [s.op("Gather", [h, s.integers(3, 1)], { axis: 1 }), s.op("Relu", [h])], { axis: 1 }),
      6,
    ),
    4,
  ],
  ["Pad by zeros", dense((s, h) => s.op("Pad", [h, s.integers(0, 1, 0, 2)]), 7), 4],
  ["Pad by reflection: mixed", dense((s, h) => s.op("Pad", [h, s.integers(0, 1, 0, 0)], { mode: "reflect" }), 5), 1],
  [
    "Gather at computed places: mixed",
    dense((s, h) => s.op("Gather", [h, s.op("ArgMax", ["x"], { axis: 0, keepdims: 0 })], { axis: 1 }), 5),
    1,
  ],
  [
    "ReduceMean over neurons",
    dense((s, h) => s.op("ReduceMean", [s.op("Relu", [h]), s.integers(1)], { keepdims: 1 }), 1),
    1,
  ],
  [
    "ReduceMax over all pairs of neurons",
    dense((s, h) => s.op("ReduceMax", [s.op("Reshape", [h, s.integers(-1, 2, 2)]), s.integers(2)], { keepdims: 0 }), 2),
    2,
  ],
  ["Tile: mixed", dense((s, h) => s.op("Tile", [h, s.integers(1, 2)]), 8), 1],
  ["CumSum: mixed", dense((s, h) => s.op("CumSum", [h, s.integers(1)])), 1],
  ["MaxPool", images(36, (s, h) => s.op("MaxPool", [h], window)), 4],
  [
    "AveragePool",
    images(36, (s, h) => s.op("AveragePool", [h], { ...window, pads: [1, 1, 1, 1], strides: [3, 3] })),
    4,
  ],
  ["LpPool", images(36, (s, h) => s.op("LpPool", [h], window)), 4],
  ["GlobalAveragePool", images(4, (s, h) => s.op("GlobalAveragePool", [h])), 4],
  ["GlobalMaxPool", images(4, (s, h) => s.op("GlobalMaxPool", [h])), 4],
  [
    "Resize, linear",
    images(576, (s, h) => s.op("Resize", [h, "", s.constant("twice", [4], [1, 1, 2, 2])], { mode: "linear" })),
    4,
  ],
  ["DepthToSpace: mixed", images(144, (s, h) => s.op("DepthToSpace", [h], { blocksize: 2 })), 1],
  [
    "BatchNormalization",
    images(144, (s, h) =>
      s.op("BatchNormalization", [
        h,
        s.random("g", [4], 1),
        s.random("b", [4]),
        s.random("mean", [4]),
        s.constant("v", [4], [1, 0.1, 2, 3]),
      ]),
    ),
    4,
  ],
  ["Pad of the picture, and Flatten", images(256, (s, h) => s.op("Pad", [h, s.integers(0, 0, 1, 1, 0, 0, 1, 1)])), 4],
  [
    "Transpose and Reshape",
    images(144, (s, h) => s.op("Reshape", [s.op("Transpose", [h], { perm: [0, 2, 3, 1] }), s.integers(0, 2, 3, -1)])),
    4,
  ],
  [
    "Squeeze, Unsqueeze, Expand",
    images(8, (s, h) =>
      s.op("Expand", [
        s.op("Unsqueeze", [s.op("Squeeze", [s.op("GlobalAveragePool", [h]), s.integers(2, 3)]), s.integers(1)]),
        s.integers(1, 2, 4),
      ]),
    ),
    4,
  ],
  [
    "heads and back",
    tokens((s, h) =>
      s.op("Reshape", [
        s.op("Transpose", [s.op("Reshape", [h, s.integers(-1, 3, 2, 2)])], { perm: [0, 2, 1, 3] }),
        s.integers(-1, 12),
      ]),
    ),
    4,
  ],
  [
    "constants at positions: one for each neuron and token",
    tokens((s, h) => s.op("Add", [h, s.random("positions", [1, 3, 4])])),
    4,
  ],
  [
    "a class token before them",
    tokens((s, h) => {
      const samples = s.op("Shape", [h], { start: 0, end: 1 });
      const shape = s.op("Concat", [samples, s.integers(1, 1)], { axis: 0 });
      return s.op("Concat", [s.op("Expand", [s.random("token", [1, 1, 4]), shape]), h], { axis: 1 });
    }, 16),
    4,
  ],
  [
    "attention: probabilities times values",
    tokens((s, h) =>
      s.op("MatMul", [s.op("Softmax", [s.op("MatMul", ["x", s.op("Transpose", ["x"], { perm: [0, 2, 1] })])]), h]),
    ),
    4,
  ],
  [
    "a product with a constant stack of matrices: mixed",
    tokens((s, h) => s.op("MatMul", [h, s.random("stack", [1, 4, 4])])),
    1,
  ],
  [
    "Einsum with what is not scaled",
    tokens((s, h) =>
      s.op("Einsum", [h, s.op("MatMul", ["x", s.op("Transpose", ["x"], { perm: [0, 2, 1] })])], {
        equation: "ntd,nts->nsd",
      }),
    ),
    1,
  ],
  ["Trilu: mixed", tokens((s, h) => s.op("Trilu", [h])), 1],
];

describe("scales pass", () => {
  test.each(passing)("%s", async (_, net, free) => {
    const rescalings = rescalingsOf(net.graph);
    const { classes, layers } = rescalings;
    const rows = layers.find(({ layer }) => layer.name === "a")!.rows;
    const roots = new Set([...rows].filter((scale) => !classes.isFixed(scale)).map((scale) => classes.find(scale)));
    expect(roots.size).toBe(free);
    const factors = everywhere(rescalings, [0.1, 10], uniforms(5));
    const twin = rescaled(rescalings, factors);
    expect(twin.constants.get("a.weight")!.data).not.toEqual(net.graph.constants.get("a.weight")!.data);
    expect(await outputDistance(net, twin)).toBeLessThan(ROUNDING);
  });
});
