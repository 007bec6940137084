import { elementTypes } from "../../../src/graph/onnx-tensors.ts";
import { Tensor, type ElementType } from "../../../src/graph/tensor.ts";
import type { Case } from "../one-node.ts";
import { fixed, list } from "../one-node.ts";
import { tensor } from "../running.ts";

const LAST = 2 ** 63;
const of = (type: ElementType, dims: number[], ...values: number[]) => fixed(tensor(type, dims, values));
const floats = (...values: number[]) => of("float32", [values.length], ...values);
const bools = (...values: number[]) => of("bool", [values.length], ...values);
const scalar = (value: number) => of("int64", [], value);
const to = (type: ElementType) => ({ to: elementTypes.indexOf(type) });
const grid = of("int64", [2, 3], 1, -2, 3, -4, 5, -6);

const dividends = list(7, -7, 7, -7, 6, -1);
const divisors = list(2, 2, -2, -2, 3, 2);

const arithmetic: readonly Case[] = [
  ["Add", [grid, list(10, 20, 30)]],
  ["Sub", [of("int64", [2, 1], 5, 6), list(1, 2, 3)]],
  ["Mul", [list(3, -4), scalar(5)]],
  ["Mul", [of("int32", [2], 70000, 2), of("int32", [], 70000)]],
  ["Div", [dividends, divisors]],
  ["Div", [of("int32", [2], -9, 9), of("int32", [2], 4, -4)]],
  ["Div", [floats(1, -1, 7), floats(3, 0, -2)]],
  ["Mod", [dividends, divisors]],
  ["Mod", [dividends, divisors], { fmod: 1 }],
  ["Mod", [floats(5.5, -5.5, 5.5), floats(2, 2, -2)], { fmod: 1 }],
  ["Pow", [list(2, 3, -2), list(10, 2, 3)]],
  ["Pow", [floats(2, 9), of("float32", [], 0.5)]],
  ["Min", [list(3, 1, 2), list(2, 2, 2)]],
  ["Max", [list(3, 1, 2), scalar(2), of("int64", [2, 1], 0, 3)]],
  ["Min", [floats(3, -1), floats(2, 2), floats(-5, 9)]],
  ["Neg", [grid]],
  ["Abs", [grid]],
  ["Floor", [floats(1.5, -1.5)]],
  ["Ceil", [floats(1.5, -1.5)]],
  ["Sqrt", [floats(2, 9)]],
  ["Equal", [list(1, 2, 3), scalar(2)]],
  ["Equal", [bools(1, 0), bools(1, 1)]],
  ["Greater", [floats(1, 2, 3), floats(2, 2, 2)]],
  ["GreaterOrEqual", [list(1, 2, 3), scalar(2)]],
  ["Less", [list(1, 2, 3), scalar(2)]],
  ["LessOrEqual", [list(1, 2, 3), scalar(2)]],
  ["And", [bools(1, 0, 1), bools(1, 1, 0)]],
  ["Or", [bools(1, 0, 0), bools(1, 1, 0)]],
  ["Not", [bools(1, 0)]],
  ["Where", [of("bool", [2, 1], 1, 0), list(1, 2, 3), scalar(-1)]],
];

const casts: readonly Case[] = [
  ["Cast", [floats(2.9, -2.9, 0.5, -0.5)], to("int64")],
  ["Cast", [floats(2.9, -2.9)], to("int32")],
  ["Cast", [floats(0, -0.5, 2)], to("bool")],
  ["Cast", [list(3, -2)], to("float32")],
  ["Cast", [list(3, -2)], to("float64")],
  ["Cast", [of("int64", [2], 2 ** 32 + 5, -1)], to("int32")],
  ["Cast", [bools(1, 0)], to("int64")],
  ["Cast", [list(300, 7)], to("uint8")],
  ["Cast", [fixed(Tensor.of("float16", [2], Uint16Array.of(0x3e00, 0xc100)))], to("float32")],
  ["Cast", [fixed(Tensor.of("float16", [2], Uint16Array.of(0x3e00, 0xc100)))], to("int64")],
];

const moves: readonly Case[] = [
  ["Identity", [grid]],
  ["Reshape", [grid, list(3, -1)]],
  ["Flatten", [grid], { axis: 0 }],
  ["Squeeze", [of("int64", [1, 2], 4, 5)]],
  ["Unsqueeze", [scalar(4), list(0)]],
  ["Transpose", [grid]],
  ["Transpose", [of("int64", [1, 2, 3], 1, 2, 3, 4, 5, 6)], { perm: [2, 0, 1] }],
  ["Expand", [of("int64", [2, 1], 1, 2), list(2, 2, 3)]],
  ["Concat", [grid, of("int64", [2, 1], 8, 9)], { axis: 1 }],
  ["Concat", [grid, of("int64", [1, 3], 7, 8, 9)], { axis: -2 }],
  ["Concat", [list(1), list(), list(2, 3)], { axis: 0 }],
  ["Gather", [list(5, 6, 7), scalar(-1)]],
  ["Gather", [grid, list(-1, 0)], { axis: 1 }],
  ["Gather", [grid, of("int64", [2, 1], -1, -2)], { axis: -2 }],
  ["Slice", [list(1, 2, 3, 4, 5), list(1), list(-1)]],
  ["Slice", [list(1, 2, 3, 4, 5), list(-1), list(-LAST), list(0), list(-2)]],
  ["Slice", [grid, list(0, 5), list(LAST, -9), list(0, 1), list(1, -1)]],
  ["Slice", [list(1, 2, 3), list(3), list(LAST)]],
  ["Slice", [floats(1, 2, 3, 4), list(3), list(0), list(0), list(-1)]],
];

const counts: readonly Case[] = [
  ["Shape", [of("float32", [2, 1, 3], 1, 2, 3, 4, 5, 6)], { start: -2 }],
  ["Size", [grid]],
  ["ConstantOfShape", [list(2, 2)]],
  ["ConstantOfShape", [list(3)], { value: { kind: "tensor", value: tensor("int64", [1], [-7]) } }],
  ["ConstantOfShape", [list()], { value: { kind: "tensor", value: tensor("bool", [1], [1]) } }],
  ["Range", [scalar(3), scalar(-4), scalar(-3)]],
  ["Range", [of("float32", [], 0.5), of("float32", [], 2), of("float32", [], 0.25)]],
  ["ReduceProd", [list(2, 3, -4)], { keepdims: 0 }],
  ["ReduceProd", [list(), list(0)], { keepdims: 0 }],
  ["ReduceSum", [list(), list(0)]],
  ["ReduceSum", [grid]],
  ["ReduceMax", [list(2, 9, 4), list(0)], { keepdims: 0 }],
  ["ReduceMin", [floats(2, -9, 4)]],
];

/** Constant arithmetic that exporters leave, and that we evaluate. */
export const foldedCases: readonly Case[] = [...arithmetic, ...casts, ...moves, ...counts];
