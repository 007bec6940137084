import { elementTypes } from "../../../src/graph/onnx-tensors.ts";
import { Tensor, type ElementType } from "../../../src/graph/tensor.ts";
import type { Case } from "../one-node.ts";
import { fixed } from "../one-node.ts";
import { tensor, w, x } from "../running.ts";

const signed = x(2, 3, 2);
const unit = Tensor.float32([3], [-0.5, 0.25, 0.75]);
const above = Tensor.float32([3], [1.5, 2, 3]);
const flags = tensor("bool", [2, 1], [1, 0]);
const integers = (...dims: number[]) =>
  tensor(
    "int64",
    dims,
    Array.from(x(...dims).numbers(), (v) => Math.ceil(4 * v)),
  );

const unaries =
  "Relu LeakyRelu Clip Sigmoid HardSigmoid HardSwish Tanh Erf Elu Selu Celu Softplus Softsign Mish ThresholdedRelu " +
  "Exp Abs Neg Sign Floor Ceil Round Sin Cos Tan Atan Sinh Cosh Asinh Identity IsNaN IsInf";

const binaries = ["Add", "Sub", "Mul", "Div"].flatMap((op): Case[] => [
  [op, [x(2, 3), w(2, 3)]],
  [op, [x(2, 1, 3), w(4, 1)]],
  [op, [x(), w(2, 3)]],
  [op, [tensor("int64", [2], [7, -7]), tensor("int64", [], [2])]],
]);

const variadic = ["Sum", "Mean", "Min", "Max"].flatMap((op): Case[] => [
  [op, [x(2, 3)]],
  [op, [x(2, 1), w(3), x(4, 1, 1)]],
]);

const comparisons = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].flatMap((op): Case[] => [
  [op, [x(2, 1), w(3)]],
  [op, [integers(2), integers(3, 1)]],
]);

const logical = ["And", "Or", "Xor"].map((op): Case => [op, [flags, tensor("bool", [3], [1, 0, 1])]]);

const casts = (["float32", "uint8", "int8", "int32", "int64", "bool", "float16", "float64"] as ElementType[]).map(
  (type): Case => ["Cast", [x(2, 3)], { to: elementTypes.indexOf(type) }],
);

/** Functions of each element, and of pairs that broadcast. */
export const elementwiseCases: readonly Case[] = [
  ...unaries.split(" ").map((op): Case => [op, [signed]]),
  ...["Asin", "Acos", "Atanh"].map((op): Case => [op, [unit]]),
  ...["Log", "Sqrt", "Reciprocal", "Acosh"].map((op): Case => [op, [above]]),
  ["Not", [flags]],
  ["Gelu", [signed], {}, { opset: 20 }],
  ["Clip", [signed, fixed(Tensor.float32([], [-0.5])), fixed(Tensor.float32([], [1]))]],
  ["CastLike", [x(2, 3), integers(1)]],
  ["CastLike", [integers(2, 3), x()]],
  ...binaries,
  ...variadic,
  ...comparisons,
  ...logical,
  ["PRelu", [x(2, 3, 2), w(3, 1)]],
  ["Pow", [above, Tensor.float32([2, 1], [2, 0.5])]],
  ["Pow", [integers(2), Tensor.float32([], [2])]],
  ["Pow", [above, tensor("int64", [], [3])]],
  ["Mod", [integers(2, 3), tensor("int64", [3], [2, -3, 5])]],
  ["Mod", [x(2, 3), w(3)], { fmod: 1 }],
  ...casts,
  ["Where", [flags, x(3), w(2, 3)]],
  ["Where", [flags, integers(1), integers(2, 4)]],
  ["Dropout", [x(2, 3)]],
  ["Dropout", [x(2, 3), fixed(Tensor.float32([], [0.5]))], {}, { outputs: 2 }],
];
