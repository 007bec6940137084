import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { Builder } from "../../src/graph/builder.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Case } from "./one-node.ts";
import { fixed, infer, label, list, oneNode } from "./one-node.ts";
import { tensor, w, x } from "./running.ts";

const floats = (...values: number[]) => fixed(Tensor.float32([values.length], values));
const computed = tensor("int64", [2], [2, 3]);

const unfit: readonly [Case, string][] = [
  [["MatMul", [x(2, 3), w(4, 5)]], "shapes [2, 3] and [4, 5] do not fit together"],
  [["MatMul", [x(2, 2, 3), w(3, 3, 4)]], "shapes [2] and [3] do not fit together"],
  [["Gemm", [x(2, 3), w(4, 5)], { transB: 1 }], "shapes [2, 3] and [4, 5] do not fit together"],
  [["Gemm", [x(2, 2, 3), w(3, 4)]], "shapes [2, 2, 3] and [3, 4] do not fit together"],
  [["Conv", [x(1, 3, 5, 5), w(2, 4, 3, 3)]], "shapes [1, 3, 5, 5] and [2, 4, 3, 3] do not fit together"],
  [["Conv", [x(1, 4, 5, 5), w(2, 4, 3, 3)], { group: 2 }], "do not fit together"],
  [["Conv", [x(1, 4, 5), w(2, 4, 3, 3)]], "shapes [1, 4, 5] and [2, 4, 3, 3] do not fit together"],
  [["Add", [x(2, 3), w(2)]], "shapes [2, 3] and [2] do not fit together"],
  [["Where", [tensor("bool", [2], [1, 0]), x(3), w(1)]], "shapes [2] and [3] and [1] do not fit together"],
  [["Reshape", [x(2, 3), list(4, 2)]], "6 elements of shape [2, 3] cannot be reshaped to [4, 2]"],
  [["Reshape", [x(2, 3), list(4, -1)]], "6 elements of shape [2, 3] cannot be reshaped to [4, -1]"],
  [["Reshape", [x(2, 3), list(0, 0, 0)]], "cannot be reshaped to [0, 0, 0]"],
  [["Expand", [x(2, 3), list(4, 3)]], "shapes [2, 3] and [4, 3] do not fit together"],
  [["Concat", [x(2, 3)], { axis: 2 }], "axis 2 is outside a rank of 2"],
  [["Gather", [x(2, 3), list(0)], { axis: -3 }], "axis -3 is outside a rank of 2"],
  [["Unsqueeze", [x(2, 3), list(4)]], "axis 4 is outside a rank of 3"],
  [["ReduceSum", [x(2, 3), list(2)]], "axis 2 is outside a rank of 2"],
  [["OneHot", [tensor("int64", [2], [0, 1]), list(3), floats(0, 1)], { axis: 2 }], "axis 2 is outside a rank of 2"],
  [
    ["Einsum", [x(2, 3)], { equation: "...ij->...ji" }],
    "equation ...ij->...ji is not supported; write every index and ->",
  ],
  [["Einsum", [x(2, 3), w(3, 4)], { equation: "ij,jk" }], "equation ij,jk is not supported; write every index and ->"],
  [["Einsum", [x(2, 3)], { equation: "ijk->ikj" }], "shapes [2, 3] and [3] do not fit together"],
  [["Add", [x(2, 3), undefined]], "input 1 is absent"],
];

describe("what does not fit together", () => {
  test.each(unfit.map(([row, sentence]) => [label(oneNode(row)), row, sentence] as const))("%s", (_, row, sentence) => {
    expect(() => infer(oneNode(row))).toThrow(ModelError);
    expect(() => infer(oneNode(row))).toThrow(`node n (${row[0]}): `);
    expect(() => infer(oneNode(row))).toThrow(sentence);
  });
});

const needsConstant: readonly [Case, string][] = [
  [["Reshape", [x(2, 3), computed]], "input x1 is computed from the data; a static shape needs a constant"],
  [["Expand", [x(2, 3), computed]], "input x1 is computed from the data"],
  [["Slice", [x(2, 3), computed, list(1, 1)]], "input x1 is computed from the data"],
  [["TopK", [x(2, 3), tensor("int64", [1], [1])]], "input x1 is computed from the data"],
  [["ConstantOfShape", [computed]], "input x0 is computed from the data"],
  [["Range", [list(0), tensor("int64", [], [3]), list(1)]], "a Range that depends on the data has no static shape"],
  [["Resize", [x(1, 1, 2, 2), undefined, x(4)]], "expected constant sizes or scales of 4 axes, stretched"],
  [
    [
      "Resize",
      [x(1, 1, 2, 2), undefined, undefined, list(4, 4)],
      { axes: [2, 3], keep_aspect_ratio_policy: "not_larger" },
    ],
    "expected constant sizes or scales of 2 axes, stretched",
  ],
];

describe("a shape that depends on the data", () => {
  test.each(needsConstant.map(([row, sentence]) => [label(oneNode(row)), row, sentence] as const))(
    "%s",
    (_, row, sentence) => {
      expect(() => infer(oneNode(row))).toThrow(ModelError);
      expect(() => infer(oneNode(row))).toThrow(sentence);
    },
  );
});

it("behind a value of unknown shape nothing is known, and nothing refused", () => {
  const b = new Builder();
  const plain = { domain: "", name: "", attributes: {} };
  b.node({ ...plain, op: "NonZero", inputs: [b.input("x", "float32", [2, 2])], outputs: ["h"] });
  b.node({ ...plain, op: "MatMul", inputs: ["h", b.constant(w(3, 3))], outputs: ["y"] });
  expect(b.typeIfKnown("y")).toBeUndefined();
  expect(b.nodes.map(({ op }) => op)).toEqual(["NonZero", "MatMul"]);
});
