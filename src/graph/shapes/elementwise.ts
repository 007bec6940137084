import type { ElementType } from "../tensor.ts";
import { int } from "../graph.ts";
import { elementTypes } from "../onnx-tensors.ts";
import type { ShapeRule } from "./shape-rule.ts";
import { broadcast, input, same, typed } from "./shape-rule.ts";

function broadcasting(type?: ElementType): ShapeRule {
  return (query) => {
    const operands = query.inputs.map((_, index) => input(query, index));
    const first = operands[0] ?? input(query, 0);
    return typed(type ?? first.type, broadcast(query, ...operands.map((operand) => operand.dims)));
  };
}

const cast: ShapeRule = (query) => {
  const to = elementTypes[int(query.node, "to", 1)] ?? "float32";
  return typed(to, input(query, 0).dims);
};

const castLike: ShapeRule = (query) => typed(input(query, 1).type, input(query, 0).dims);

const where: ShapeRule = (query) => {
  const [condition, left, right] = [input(query, 0), input(query, 1), input(query, 2)];
  return typed(left.type, broadcast(query, condition.dims, left.dims, right.dims));
};

const dropout: ShapeRule = (query) => [input(query, 0), { type: "bool", dims: input(query, 0).dims }];

const unary = [
  "Relu", "LeakyRelu", "Clip", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh", "Erf", "Gelu", "Elu",
  "Selu", "Celu", "Softplus", "Softsign", "Mish", "Exp", "Log", "Sqrt", "Reciprocal", "Abs", "Neg", "Sign",
  "Floor", "Ceil", "Round", "Sin", "Cos", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Not",
  "Asinh", "Acosh", "Atanh", "ThresholdedRelu", "Identity",
] as const; // prettier-ignore

const binary = ["Add", "Sub", "Mul", "Div", "Min", "Max", "Sum", "Mean", "PRelu", "Mod", "And", "Or", "Xor"];
const comparisons = ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"];

export const elementwiseShapes: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(unary.map((op) => [op, same])),
  ...Object.fromEntries(binary.map((op) => [op, broadcasting()])),
  ...Object.fromEntries(comparisons.map((op) => [op, broadcasting("bool")])),
  Pow: broadcasting(),
  IsNaN: (query) => typed("bool", input(query, 0).dims),
  IsInf: (query) => typed("bool", input(query, 0).dims),
  Cast: cast,
  CastLike: castLike,
  Where: where,
  Dropout: dropout,
};
