import { constant, type Rule } from "./rule.ts";

// Functions whose derivative is zero almost everywhere: rounding, comparisons, logic, indices, shapes.

const operators = [
  "Sign", "Floor", "Ceil", "Round",
  "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
  "And", "Or", "Xor", "Not", "IsNaN", "IsInf",
  "ArgMax", "ArgMin", "Hardmax", "NonZero",
  "Shape", "Size", "ConstantOfShape", "EyeLike", "RandomNormalLike", "RandomUniformLike",
] as const; // prettier-ignore

export const constantRules: Readonly<Record<string, Rule>> = Object.fromEntries(operators.map((op) => [op, constant]));
