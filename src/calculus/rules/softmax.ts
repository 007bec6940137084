import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { expand, mul, reduceSum, sub, swap } from "../../graph/operators.ts";
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
 * Σ_k s_k u_k where s weighs the rows of V, as attention does, and u is G Vᵀ: that is Σ_d G_d (s V)_d, of as many terms as V has columns
 * (Dao et al. 2022, FlashAttention, appendix B). Undefined where it is not so, or s is no longer than those.
 */
function totalBehind(at: Differentiated, s: ValueId, u: ValueId): ValueId | undefined {
  const { b } = at;
  const [given = "", turned = ""] = (b.producerOf(u)?.op === "MatMul" && b.producerOf(u)?.inputs) || [];
  if (axisOf(at) !== -1 || given === "" || (b.dims(given).at(-1) as number) >= (b.dims(s).at(-1) as number))
    return undefined;
  const weighed = b.nodes.find(
    ({ op, inputs }) => op === "MatMul" && inputs[0] === s && swap(b, inputs[1] as ValueId) === turned,
  );
  return weighed && total(at, mul(b, given, weighed.outputs[0] as ValueId));
}

/**
 * y = s, y' = s (x' − Σ s x'), y'' = s (u − Σ s u) with u = x'' + Σ_r (x'_r − Σ s x'_r)². Everything is a difference of x'
 * within a row, times s: the error is that of rounding x', however confident the row, and where s = 0 (a mask of −∞) all is 0.
 */
const softmax: Rule = {
  linearity: "smooth",
  vjp: (at) => {
    const s = at.node.outputs[0] as ValueId;
    const u = cotangent(at);
    return [mul(at.b, s, sub(at.b, u, totalBehind(at, s, u) ?? total(at, mul(at.b, s, u))))];
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
