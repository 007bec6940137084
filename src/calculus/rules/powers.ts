import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { add, cast, mul, scale, sub, square } from "../../graph/operators.ts";
import { Tensor } from "../../graph/tensor.ts";
import { negative } from "./arithmetic.ts";
import { ofOperands, operand } from "./operands.ts";
import type { Differentiated, Linearity, Rule } from "./rule.ts";
import { elementwise } from "./rule.ts";

// Exp, Log and powers. Where they exist, derivatives are made of the output.

function output({ node }: Differentiated): ValueId {
  return node.outputs[0] as ValueId;
}

const exponential = elementwise("smooth", output, output);

function reciprocal(b: Builder, x: ValueId): ValueId {
  return b.add("Reciprocal", [x]);
}

const logarithm = elementwise(
  "smooth",
  (at) => reciprocal(at.b, operand(at)),
  (at) => negative(at.b, square(at.b, reciprocal(at.b, operand(at)))),
);

/** 1/(2y) and −1/(4xy); infinite at 0. */
const root = elementwise(
  "smooth",
  (at) => scale(at.b, reciprocal(at.b, output(at)), 0.5),
  (at) => scale(at.b, mul(at.b, reciprocal(at.b, output(at)), reciprocal(at.b, operand(at))), -0.25),
);

/** −y² and 2y³. */
const inverse = elementwise(
  "smooth",
  (at) => negative(at.b, square(at.b, output(at))),
  (at) => scale(at.b, mul(at.b, square(at.b, output(at)), output(at)), 2),
);

/** x^p; undefined stands for 1. */
function power(b: Builder, x: ValueId, p: number): ValueId | undefined {
  switch (p) {
    case 0:
      return undefined;
    case 1:
      return x;
    case 2:
      return square(b, x);
    case -1:
      return reciprocal(b, x);
    case 0.5:
      return b.add("Sqrt", [x]);
    case -0.5:
      return reciprocal(b, b.add("Sqrt", [x]));
    default:
      return b.add("Pow", [x, b.scalar(p)]);
  }
}

/** The exponents of a Pow where they are constant, one where all are equal. */
function exponents({ b, node }: Differentiated): readonly number[] | undefined {
  const constant = b.constantOf(node.inputs[1] ?? "");
  if (!constant) return undefined;
  const all = Array.from(constant.numbers());
  return new Set(all).size === 1 ? all.slice(0, 1) : all;
}

/**
 * The derivative of an order of x^p by x: p x^(p−1), p(p−1) x^(p−2). Where the factor of a constant p is 0, so is the derivative, at
 * x = 0 too.
 */
function byBase(at: Differentiated, order: 1 | 2): ValueId | undefined {
  const { b, node } = at;
  const [x = "", y = ""] = node.inputs;
  const factor = (p: number) => (order === 1 ? p : p * (p - 1));
  const known = exponents(at);
  if (known?.length === 1) {
    const [p = 1] = known;
    if (factor(p) === 0) return b.scalar(0);
    const lower = power(b, x, p - order);
    return lower === undefined ? b.scalar(factor(p)) : scale(b, lower, factor(p));
  }
  if (known) {
    const tensor = (value: (p: number) => number) => b.constant(Tensor.float32(b.dims(y), known.map(value)));
    const lower = tensor((p) => (factor(p) === 0 ? 0 : p - order));
    return mul(b, tensor(factor), b.add("Pow", [x, lower]));
  }
  const p = cast(b, y, b.type(x).type);
  const less = sub(b, p, b.scalar(1));
  if (order === 1) return mul(b, p, b.add("Pow", [x, less]));
  return mul(b, mul(b, p, less), b.add("Pow", [x, sub(b, p, b.scalar(2))]));
}

/** ln x, by which a varying exponent acts: NaN for x < 0, where x^p is not a function of real p. */
function logarithmOfBase(at: Differentiated): ValueId {
  return at.b.add("Log", [operand(at)]);
}

function linearityOfPower(at: Differentiated): Linearity {
  if (at.varies(1)) return "smooth";
  const [p, ...others] = exponents(at) ?? [];
  if (others.length > 0) return "smooth";
  return p === 1 ? "linear" : p === 0 ? "constant" : "smooth";
}

const pow = ofOperands(linearityOfPower, {
  slope: (at, index) => (index === 0 ? byBase(at, 1) : mul(at.b, output(at), logarithmOfBase(at))),
  bend: (at, index) => (index === 0 ? byBase(at, 2) : mul(at.b, output(at), square(at.b, logarithmOfBase(at)))),
  mixed: (at) => {
    const { b } = at;
    const [x = "", p = ""] = at.node.inputs;
    const lower = b.add("Pow", [x, sub(b, p, b.scalar(1))]);
    return mul(b, lower, add(b, mul(b, p, logarithmOfBase(at)), b.scalar(1)));
  },
});

export const powerRules: Readonly<Record<string, Rule>> = {
  Exp: exponential,
  Log: logarithm,
  Sqrt: root,
  Reciprocal: inverse,
  Pow: pow,
};
