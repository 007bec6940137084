import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { add, mul, scale, square, sub } from "../../graph/operators.ts";
import { negative } from "./arithmetic.ts";
import { operand } from "./operands.ts";
import { elementwise, type Differentiated, type Rule } from "./rule.ts";
import { bounded } from "./smooth.ts";

// Circular and hyperbolic functions and their inverses.

function output({ node }: Differentiated): ValueId {
  return node.outputs[0] as ValueId;
}

function of(op: string): (at: Differentiated) => ValueId {
  return (at) => at.b.add(op, [operand(at)]);
}

function minus(value: (at: Differentiated) => ValueId): (at: Differentiated) => ValueId {
  return (at) => negative(at.b, value(at));
}

/** 1 + x². */
function onePlusSquare(b: Builder, x: ValueId): ValueId {
  return add(b, square(b, x), b.scalar(1));
}

/** tan' = 1 + tan², tan'' = 2 tan · tan'. */
const tangent = elementwise(
  "smooth",
  (at) => onePlusSquare(at.b, output(at)),
  (at) => scale(at.b, mul(at.b, output(at), onePlusSquare(at.b, output(at))), 2),
);

/** Beyond this the slope of Atan is nothing, and x² still a number. */
const ATAN_BOUND = 1e15;

/** x and s = 1 / (1 + x²). */
function arcTangentTerms({ b, node }: Differentiated): readonly [x: ValueId, slope: ValueId] {
  const x = bounded(b, node.inputs[0] as ValueId, ATAN_BOUND);
  return [x, b.add("Reciprocal", [onePlusSquare(b, x)])];
}

/** s and −2x s². */
const arcTangent = elementwise(
  "smooth",
  (at) => arcTangentTerms(at)[1],
  (at) => {
    const [x, slope] = arcTangentTerms(at);
    return scale(at.b, mul(at.b, mul(at.b, x, slope), slope), -2);
  },
);

/** (1 − x)(1 + x): 1 − x² cancels near ±1. */
function oneMinusSquare(b: Builder, x: ValueId): ValueId {
  return mul(b, sub(b, b.scalar(1), x), add(b, x, b.scalar(1)));
}

/** (x − 1)(x + 1). */
function squareMinusOne(b: Builder, x: ValueId): ValueId {
  return mul(b, sub(b, x, b.scalar(1)), add(b, x, b.scalar(1)));
}

/** ±s and ±x s³ with s = 1/√f(x) for f = 1 − x², the latter of opposite sign for f = x² ± 1. */
function inverseRoot(radicand: (b: Builder, x: ValueId) => ValueId, first: 1 | -1, second: 1 | -1): Rule {
  const share = ({ b, node }: Differentiated) =>
    b.add("Reciprocal", [b.add("Sqrt", [radicand(b, node.inputs[0] as ValueId)])]);
  return elementwise(
    "smooth",
    (at) => scale(at.b, share(at), first),
    (at) => {
      const s = share(at);
      return scale(at.b, mul(at.b, mul(at.b, operand(at), s), square(at.b, s)), second);
    },
  );
}

/** s = 1/(1 − x²) and 2x s². */
const hyperbolicArcTangent = elementwise(
  "smooth",
  (at) => at.b.add("Reciprocal", [oneMinusSquare(at.b, operand(at))]),
  (at) => {
    const s = at.b.add("Reciprocal", [oneMinusSquare(at.b, operand(at))]);
    return scale(at.b, mul(at.b, mul(at.b, operand(at), s), s), 2);
  },
);

export const trigonometricRules: Readonly<Record<string, Rule>> = {
  Sin: elementwise("smooth", of("Cos"), minus(output)),
  Cos: elementwise("smooth", minus(of("Sin")), minus(output)),
  Tan: tangent,
  Asin: inverseRoot(oneMinusSquare, 1, 1),
  Acos: inverseRoot(oneMinusSquare, -1, -1),
  Atan: arcTangent,
  Sinh: elementwise("smooth", of("Cosh"), output),
  Cosh: elementwise("smooth", of("Sinh"), output),
  Asinh: inverseRoot(onePlusSquare, 1, -1),
  Acosh: inverseRoot(squareMinusOne, 1, -1),
  Atanh: hyperbolicArcTangent,
};
