import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { string } from "../../graph/graph.ts";
import { add, mul, scale, square, sub } from "../../graph/operators.ts";
import { negative } from "./arithmetic.ts";
import { operand } from "./operands.ts";
import { elementwise, type Differentiated, type Rule } from "./rule.ts";
import { below, bounded, bySign, logistic, logisticSlope } from "./smooth.ts";

// The error function, and Gelu, which is x times the normal distribution or an approximation of it.

/** Beyond this exp(−x²/2) is 0, in float64 times x² too. */
const BOUND = 40;

/** exp(−k x²). */
function bell(b: Builder, x: ValueId, k: number): ValueId {
  return b.add("Exp", [scale(b, square(b, x), -k)]);
}

/** 2/√π exp(−x²). The factor is in the exponent, which saves a pass. */
function erfSlope({ b, node }: Differentiated): ValueId {
  const top = b.scalar(Math.log(2 / Math.sqrt(Math.PI)));
  return b.add("Exp", [sub(b, top, square(b, bounded(b, node.inputs[0] as ValueId, BOUND)))]);
}

const erf = elementwise("smooth", erfSlope, (at) =>
  scale(at.b, mul(at.b, bounded(at.b, operand(at), BOUND), erfSlope(at)), -2),
);

/** The density φ of the normal distribution. */
function density(b: Builder, x: ValueId): ValueId {
  return scale(b, bell(b, x, 0.5), 1 / Math.sqrt(2 * Math.PI));
}

/**
 * Φ(−z)/φ(z) for z = |x|, to 1.2e-7: t exp(P(t)) with t = 1/(1 + z/√8), after erfc in Press et al., Numerical Recipes, 6.2. It is smooth
 * and of moderate size where 1 − erf has cancelled.
 */
function millsRatio(b: Builder, z: ValueId): ValueId {
  const t = b.add("Reciprocal", [add(b, scale(b, z, Math.SQRT1_2 / 2), b.scalar(1))]);
  const [first = 0, ...others] = MILLS;
  const exponent = others.reduce((sum, c) => add(b, mul(b, sum, t), b.scalar(c)), b.scalar(first));
  return scale(b, mul(b, t, b.add("Exp", [exponent])), Math.sqrt(Math.PI / 2));
}

const MILLS = [
  0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368,
  -1.26551223,
]; // prettier-ignore

/** Φ(x) + xφ(x): k = φ(z)(z − Φ(−z)/φ(z)), z = |x|, is 1 short of it above and minus it below. */
function exactSlope(b: Builder, given: ValueId): ValueId {
  const x = bounded(b, given, BOUND);
  const z = negative(b, below(b, x));
  const k = mul(b, density(b, x), sub(b, z, millsRatio(b, z)));
  return bySign(b, x, add(b, k, b.scalar(1)), negative(b, k));
}

/** φ(x)(2 − x²). */
function exactBend(b: Builder, given: ValueId): ValueId {
  const x = bounded(b, given, BOUND);
  return mul(b, density(b, x), sub(b, b.scalar(2), square(b, x)));
}

/** The approximation xσ(v) with v = 2√(2/π)(x + c x³) = 2u: v', v'' and what σ makes of v. */
function approximation(b: Builder, given: ValueId) {
  const [root, c] = [2 * Math.sqrt(2 / Math.PI), 0.044715];
  const x = bounded(b, given, BOUND);
  const xx = square(b, x);
  const v = mul(b, scale(b, x, root), add(b, scale(b, xx, c), b.scalar(1)));
  const slope = add(b, scale(b, xx, 3 * c * root), b.scalar(root));
  return { x, v, slope, bend: scale(b, x, 6 * c * root), gate: logisticSlope(b, v) };
}

/** σ(v) + x σ'(v) v'. */
function approximateSlope(b: Builder, given: ValueId): ValueId {
  const { x, v, slope, gate } = approximation(b, given);
  return add(b, logistic(b, v), mul(b, gate, mul(b, x, slope)));
}

/** σ'(v)(2v' + x(v'' − tanh(v/2) v'²)). */
function approximateBend(b: Builder, given: ValueId): ValueId {
  const { x, v, slope, bend, gate } = approximation(b, given);
  const curve = sub(b, bend, mul(b, b.add("Tanh", [scale(b, v, 0.5)]), square(b, slope)));
  return mul(b, gate, add(b, scale(b, slope, 2), mul(b, x, curve)));
}

function isApproximate({ node }: Differentiated): boolean {
  return string(node, "approximate", "none") === "tanh";
}

const gelu = elementwise(
  "smooth",
  (at) => (isApproximate(at) ? approximateSlope : exactSlope)(at.b, operand(at)),
  (at) => (isApproximate(at) ? approximateBend : exactBend)(at.b, operand(at)),
);

export const gaussianRules: Readonly<Record<string, Rule>> = { Erf: erf, Gelu: gelu };
