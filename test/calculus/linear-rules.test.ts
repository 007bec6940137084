import { describe, test } from "vitest";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const random = randomFrom(11);
const x = (...dims: number[]) => varyingOf(dims, random);
const c = (...dims: number[]) => constantOf(dims, random);

// ONNX Runtime's CPU build has no float64 Conv and ConvTranspose.
const noFloat64 = { float64: false };

const cases: Readonly<Record<string, RuleCase>> = {
  "MatMul, right constant": { op: "MatMul", inputs: [x(3, 4), c(4, 5)] },
  "MatMul, left constant": { op: "MatMul", inputs: [c(2, 3), x(5, 3, 4)] },
  "MatMul, both vary": { op: "MatMul", inputs: [x(2, 3, 4), x(2, 4, 5)] },
  "MatMul, both vary, the left one wide": { op: "MatMul", inputs: [x(2, 3, 5), x(2, 5, 2)] },
  "MatMul, both vary, the left one wide, broadcast": { op: "MatMul", inputs: [x(3, 2, 5), x(1, 5, 2)] },
  "MatMul, both vary, broadcast": { op: "MatMul", inputs: [x(2, 3, 2, 4), x(4, 5)] },
  Gemm: {
    op: "Gemm",
    attributes: { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } },
    inputs: [x(3, 4), x(5, 4), x(5)],
  },
  "Gemm, A turned": { op: "Gemm", attributes: { transA: 1 }, inputs: [x(4, 3), x(4, 5), ""] },
  Conv: {
    op: "Conv",
    attributes: { pads: [1, 0, 2, 1], strides: [2, 1] },
    inputs: [x(2, 3, 6, 5), c(4, 3, 3, 2), c(4)],
    ...noFloat64,
  },
  "Conv, kernel and bias vary": {
    op: "Conv",
    attributes: { dilations: [1, 2] },
    inputs: [x(2, 3, 6, 6), x(4, 3, 2, 3), x(4)],
    ...noFloat64,
  },
  "Conv, groups, all vary": {
    op: "Conv",
    attributes: { group: 2 },
    inputs: [x(2, 4, 5, 4), x(6, 2, 3, 2), ""],
    ...noFloat64,
  },
  "Conv, 1-D": {
    op: "Conv",
    attributes: { strides: [2], pads: [2, 1] },
    inputs: [x(2, 2, 9), x(3, 2, 3), ""],
    ...noFloat64,
  },
  "Conv, 3-D": {
    op: "Conv",
    attributes: { pads: [0, 1, 0, 1, 0, 0] },
    inputs: [x(1, 2, 4, 3, 3), x(2, 2, 2, 3, 2), ""],
    ...noFloat64,
  },
  "Conv, depthwise": {
    op: "Conv",
    attributes: { group: 3, auto_pad: "SAME_UPPER" },
    inputs: [x(2, 3, 5, 5), x(3, 1, 3, 3), ""],
    ...noFloat64,
  },
};

describe("linear rules", () => {
  test.each(Object.entries(cases))("%s", async (_, given) => checkRule(given, random));
});

describe("arithmetic rules", () => {
  const apart = (...dims: number[]) => varyingOf(dims, random, 0.5, 2);
  const arithmetic: Readonly<Record<string, RuleCase>> = {
    Add: { op: "Add", inputs: [x(2, 3), x(2, 3)] },
    "Add, broadcast": { op: "Add", inputs: [x(3), x(2, 3)] },
    "Add, constant broadcast over it": { op: "Add", inputs: [x(3, 1), c(2, 3, 4)] },
    Sub: { op: "Sub", inputs: [x(2, 1), x(2, 3)] },
    "Sub from a constant": { op: "Sub", inputs: [c(2, 3), x(2, 3)] },
    Mul: { op: "Mul", inputs: [x(2, 3), x(2, 3)] },
    "Mul, broadcast": { op: "Mul", inputs: [x(4, 1, 3), x(2, 1)] },
    "Mul by a constant": { op: "Mul", inputs: [x(2, 3), c(3)] },
    Div: { op: "Div", inputs: [x(2, 3), apart(2, 3)] },
    "Div, broadcast": { op: "Div", inputs: [x(2, 3), apart(3)] },
    "Div by a constant": { op: "Div", inputs: [x(2, 3), c(2, 3)] },
    "Div of a constant": { op: "Div", inputs: [c(2, 3), apart(2, 3)] },
    "Sum of three": { op: "Sum", inputs: [x(2, 3), x(3), c(2, 1)] },
  };
  test.each(Object.entries(arithmetic))("%s", async (_, given) => checkRule(given, random));
});
