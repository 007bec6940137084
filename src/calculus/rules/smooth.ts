import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { float } from "../../graph/graph.ts";
import { add, cast, div, mul, scale, square } from "../../graph/operators.ts";
import { negative } from "./arithmetic.ts";
import { operand } from "./operands.ts";
import { elementwise, type Differentiated, type Rule } from "./rule.ts";

// Smooth activations. Their derivatives are made of e = exp(−|x|) ≤ 1, so that tails neither cancel nor overflow: 1 − tanh² has no
// digit left at |x| = 9, and the runtime's Sigmoid is 17 % off at −15.

/** −|x|, with the derivative of the side x ≤ 0 at 0: what is smooth there stays so when it is differentiated again. */
export function below(b: Builder, x: ValueId): ValueId {
  return b.add("Min", [x, negative(b, x)]);
}

/** One value where x > 0, another elsewhere. */
export function bySign(b: Builder, x: ValueId, above: ValueId, otherwise: ValueId): ValueId {
  return b.add("Where", [b.add("Greater", [x, b.scalar(0)]), above, otherwise]);
}

/** x, cut where what it is multiplied by has long vanished: ∞·0 is not a number. */
export function bounded(b: Builder, x: ValueId, bound: number): ValueId {
  return b.add("Clip", [x, b.scalar(-bound), b.scalar(bound)]);
}

/** exp(−|x|). */
function decay(b: Builder, x: ValueId): ValueId {
  return b.add("Exp", [below(b, x)]);
}

function plusOne(b: Builder, x: ValueId): ValueId {
  return add(b, x, b.scalar(1));
}

/** σ(x). */
export function logistic(b: Builder, x: ValueId): ValueId {
  const e = decay(b, x);
  return div(b, bySign(b, x, b.scalar(1), e), plusOne(b, e));
}

/** σ'(x) = σ(x) σ(−x) = e / (1 + e)². */
export function logisticSlope(b: Builder, x: ValueId): ValueId {
  const e = decay(b, x);
  return div(b, e, square(b, plusOne(b, e)));
}

/** σ'' = −tanh(x/2) σ'. */
const sigmoid = elementwise(
  "smooth",
  ({ b, node }) => logisticSlope(b, node.inputs[0] as ValueId),
  ({ b, node }) => {
    const [x = ""] = node.inputs;
    return negative(b, mul(b, b.add("Tanh", [scale(b, x, 0.5)]), logisticSlope(b, x)));
  },
);

/** tanh' = 4 σ'(2x), tanh'' = −2 tanh · tanh'. */
function tanhSlope({ b, node }: Differentiated): ValueId {
  return scale(b, logisticSlope(b, scale(b, node.inputs[0] as ValueId, 2)), 4);
}

const tanh = elementwise("smooth", tanhSlope, (at) =>
  scale(at.b, mul(at.b, at.node.outputs[0] as ValueId, tanhSlope(at)), -2),
);

const softplus = elementwise(
  "smooth",
  (at) => logistic(at.b, operand(at)),
  (at) => logisticSlope(at.b, operand(at)),
);

/** 1 / (1 + |x|). */
function softsignShare(at: Differentiated): ValueId {
  return at.b.add("Reciprocal", [plusOne(at.b, at.b.add("Abs", [operand(at)]))]);
}

/** r² and −2 sign(x) r³, r = 1 / (1 + |x|). */
const softsign = elementwise(
  "smooth",
  (at) => square(at.b, softsignShare(at)),
  (at) => {
    const share = softsignShare(at);
    const cube = mul(at.b, square(at.b, share), share);
    return scale(at.b, mul(at.b, at.b.add("Sign", [operand(at)]), cube), -2);
  },
);

/** γx where x > 0, else γα(exp(x/τ) − 1): Elu, Selu and Celu. */
function exponentialBelow(parameters: (at: Differentiated) => { alpha: number; gamma?: number; tau?: number }): Rule {
  const derivative = (order: 1 | 2) => (at: Differentiated) => {
    const { b } = at;
    const x = operand(at);
    const { alpha, gamma = 1, tau = 1 } = parameters(at);
    const low = b.add("Min", [x, b.scalar(0)]);
    const e = b.add("Exp", [tau === 1 ? low : div(b, low, b.scalar(tau))]);
    return bySign(b, x, b.scalar(order === 1 ? gamma : 0), scale(b, e, (gamma * alpha) / tau ** order));
  };
  return elementwise("smooth", derivative(1), derivative(2));
}

const elu = exponentialBelow(({ node }) => ({ alpha: float(node, "alpha", 1) }));
const selu = exponentialBelow(({ node }) => ({
  alpha: float(node, "alpha", 1.67326319217681884765625),
  gamma: float(node, "gamma", 1.05070102214813232421875),
}));
const celu = exponentialBelow(({ node }) => {
  const alpha = float(node, "alpha", 1);
  return { alpha, tau: alpha };
});

/** Whether −3 < x < 3, where HardSwish is x(x + 3)/6. */
function inMiddle({ b, node }: Differentiated): ValueId {
  const [x = ""] = node.inputs;
  return b.add("And", [b.add("Greater", [x, b.scalar(-3)]), b.add("Less", [x, b.scalar(3)])]);
}

const hardSwish = elementwise(
  "smooth",
  (at) => {
    const { b } = at;
    const x = operand(at);
    const middle = add(b, scale(b, x, 1 / 3), b.scalar(0.5));
    return b.add("Where", [inMiddle(at), middle, bySign(b, x, b.scalar(1), b.scalar(0))]);
  },
  (at) => scale(at.b, cast(at.b, inMiddle(at), "float32"), 1 / 3),
);

/** Below this exp(x) is 0, in float64 times x too. */
const MISH_BOUND = 1e3;

/**
 * Mish is x t with t = tanh(softplus x) = p(p + 2q)/D, D = p² + 2pq + 2q², for exp(x) = p/q of which the larger is 1:
 * t' = 4pq²(p + q)/D², t'' = 4pq²(2q³ + 2pq² − 3p²q − 2p³)/D³.
 */
function mishTerms(b: Builder, x: ValueId) {
  const e = decay(b, x);
  const [p, q] = [bySign(b, x, b.scalar(1), e), bySign(b, x, e, b.scalar(1))];
  const [pp, qq] = [square(b, p), square(b, q)];
  const twice = scale(b, mul(b, p, q), 2);
  const size = add(b, add(b, pp, twice), scale(b, qq, 2));
  const share = scale(b, div(b, mul(b, p, qq), square(b, size)), 4);
  const value = div(b, add(b, pp, twice), size);
  const slope = mul(b, share, add(b, p, q));
  const cubic = add(
    b,
    mul(b, qq, scale(b, add(b, p, q), 2)),
    negative(b, mul(b, pp, add(b, scale(b, q, 3), scale(b, p, 2)))),
  );
  return { value, slope, bend: div(b, mul(b, share, cubic), size) };
}

/** t + x t' and 2t' + x t''. */
const mish = elementwise(
  "smooth",
  (at) => {
    const x = bounded(at.b, operand(at), MISH_BOUND);
    const { value, slope } = mishTerms(at.b, x);
    return add(at.b, value, mul(at.b, x, slope));
  },
  (at) => {
    const x = bounded(at.b, operand(at), MISH_BOUND);
    const { slope, bend } = mishTerms(at.b, x);
    return add(at.b, scale(at.b, slope, 2), mul(at.b, x, bend));
  },
);

export const smoothRules: Readonly<Record<string, Rule>> = {
  Sigmoid: sigmoid,
  Tanh: tanh,
  Softplus: softplus,
  Softsign: softsign,
  Elu: elu,
  Selu: selu,
  Celu: celu,
  HardSwish: hardSwish,
  Mish: mish,
};
