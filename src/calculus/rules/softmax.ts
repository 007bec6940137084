import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { expand, mul, reduceSum, sub } from "../../graph/operators.ts";
import { sum, sumOfSquares, type Jet } from "../jets.ts";
import { negative } from "./arithmetic.ts";
import { cotangent, type Differentiated, type Rule } from "./rule.ts";

/** The axis that the probabilities sum to 1 along, from the end. */
function axisOf({ b, node }: Differentiated): number {
  const axis = int(node, "axis", -1);
  return axis < 0 ? axis : axis - b.rank(node.inputs[0] as ValueId);
}

function total(at: Differentiated, value: ValueId): ValueId {
  return reduceSum(at.b, value, [axisOf(at)], true);
}

/** u − Σ s u. */
function centred(at: Differentiated, s: ValueId, u: ValueId): ValueId {
  return sub(at.b, u, total(at, mul(at.b, s, u)));
}

/**
 * y = s, y' = s (x' − Σ s x'), y'' = s (u − Σ s u) with u = x'' + Σ_r (x'_r − Σ s x'_r)². Everything is a difference of x'
 * within a row, times s: the error is that of rounding x', however confident the row, and where s = 0 (a mask of −∞) all is 0.
 */
const softmax: Rule = {
  linearity: "smooth",
  vjp: (at) => {
    const s = at.node.outputs[0] as ValueId;
    return [mul(at.b, s, centred(at, s, cotangent(at)))];
  },
  taylor: (at) => {
    const { b, node } = at;
    const s = node.outputs[0] as ValueId;
    const { first, second } = at.jet(0) as Jet;
    const d = centred(at, s, first);
    const u = at.order === 2 ? sum(b, second, sumOfSquares(b, d)) : undefined;
    return [{ root: { first: d, second: u && centred(at, s, u) }, c1: s }];
  },
};

/** y' = x' − Σ s x', y'' = x'' − Σ s x'' − Σ_r Var_s(x'_r), the variance under the probabilities s of the row. */
const logSoftmax: Rule = {
  linearity: "smooth",
  vjp: (at) => {
    const given = cotangent(at);
    return [sub(at.b, given, mul(at.b, probabilities(at), total(at, given)))];
  },
  taylor: (at) => {
    const { b, node } = at;
    const s = probabilities(at);
    const { first, second } = at.jet(0) as Jet;
    const d = centred(at, s, first);
    if (at.order === 1) return [{ root: { first: d } }];
    const variance = total(at, mul(b, s, sumOfSquares(b, d)));
    const bent = second
      ? sub(b, centred(at, s, second), variance)
      : expand(b, negative(b, variance), b.dims(node.outputs[0] as ValueId));
    return [{ root: { first: d, second: bent } }];
  },
};

function probabilities(at: Differentiated): ValueId {
  return at.b.add("Softmax", [at.node.inputs[0] as ValueId], { axis: axisOf(at) });
}

export const softmaxRules: Readonly<Record<string, Rule>> = {
  Softmax: softmax,
  LogSoftmax: logSoftmax,
};
