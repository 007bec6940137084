import { UnsupportedOperatorError } from "../../errors.ts";
import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { describe, float, int, reads } from "../../graph/graph.ts";
import { add, div, expand, mul, reduceSum, reshape, scale, sqrt, square, sub } from "../../graph/operators.ts";
import type { Dims } from "../../graph/tensor.ts";
import {
  broadcastJet,
  jetOf,
  productJet,
  sum,
  sumOfJets,
  sumOfSquares,
  throughFunction,
  type Chain,
  type Jet,
} from "../jets.ts";
import { inverse } from "./reduction.ts";
import type { Differentiated, Rule } from "./rule.ts";
import { cotangent, each, pushed, unbroadcast } from "./rule.ts";

/** Vectors x along some axes, each divided by its own size: y = x/σ(x), with Dσ[x'] = total(dual · x'). */
interface Normalized {
  /** y. */
  readonly unit: ValueId;
  /** 1/σ, the axes of size 1. */
  readonly shrink: ValueId;
  readonly dual: ValueId;
  /** The sum or the mean along the axes, which are kept. */
  total(value: ValueId): ValueId;
  /** Σ_r D²σ[x'_r, x'_r] from w_r = x'_r − y Dσ[x'_r] and k_r = Dσ[x'_r]; absent where σ is piecewise linear. */
  bend?(w: ValueId, k: ValueId): ValueId;
}

/** y' = w/σ, y'' = (x'' − y Dσ[x''] − 2 Σ_r k_r w_r/σ − y Σ_r D²σ[x'_r, x'_r])/σ: no difference of large terms. */
function throughNormalization(b: Builder, n: Normalized, { first, second }: Jet, order: 1 | 2): Chain {
  const along = (value: ValueId) => n.total(mul(b, n.dual, value));
  const k = along(first);
  const w = sub(b, first, mul(b, n.unit, k));
  const c1 = expand(b, n.shrink, b.dims(n.unit));
  if (order === 1) return { root: { first: w }, c1 };
  const turned = mul(b, scale(b, n.shrink, -2), reduceSum(b, mul(b, k, w), [0]));
  const flat = sum(b, second, turned) as ValueId;
  const radial = sum(b, second && along(second), n.bend?.(w, k));
  return { root: { first: w, second: radial === undefined ? flat : sub(b, flat, mul(b, n.unit, radial)) }, c1 };
}

/** The transpose of x' ↦ y'. */
function backThroughNormalization(b: Builder, n: Normalized, given: ValueId): ValueId {
  return mul(b, n.shrink, sub(b, given, mul(b, n.dual, n.total(mul(b, n.unit, given)))));
}

/** Which elements a node standardizes together: the last axes of a view of x. Its scale and bias, shaped to meet that view. */
interface Groups {
  readonly view: Dims;
  /** From the end. */
  readonly axes: readonly number[];
  readonly parameters: Dims;
}

/** The last axes, from the end. */
function lastAxes(count: number): number[] {
  return Array.from({ length: count }, (_, axis) => axis - count);
}

function layerGroups({ b, node }: Differentiated): Groups {
  const [x = "", gain = ""] = node.inputs;
  const view = b.dims(x);
  const axis = int(node, "axis", -1);
  return { view, axes: lastAxes(axis < 0 ? -axis : view.length - axis), parameters: b.dims(gain) };
}

function instanceGroups({ b, node }: Differentiated): Groups {
  const view = b.dims(node.inputs[0] as ValueId);
  const [, channels = 1, ...spatial] = view;
  return { view, axes: lastAxes(spatial.length), parameters: [channels, ...spatial.map(() => 1)] };
}

/** As opset 18 has it: one scale and one bias a group. */
function channelGroups({ b, node }: Differentiated): Groups {
  const [batch = 1, channels = 1, ...spatial] = b.dims(node.inputs[0] as ValueId);
  const groups = int(node, "num_groups", 1);
  const view = [batch, groups, channels / groups, ...spatial];
  return { view, axes: lastAxes(spatial.length + 1), parameters: [groups, 1, ...spatial.map(() => 1)] };
}

/** A value in other dims behind any leading axes that it has. */
function seen(b: Builder, value: ValueId, lead: number, dims: Dims): ValueId {
  return reshape(b, value, [...b.dims(value).slice(0, lead), ...dims]);
}

/** y = scale (x − mean)/√(variance + ε) + bias, mean and variance those of a group. */
function standardization(groupsOf: (at: Differentiated) => Groups): Rule {
  return {
    linearity: (at) => (readStatistic(at) !== undefined ? "unsupported" : at.varies(0) ? "smooth" : "linear"),
    vjp: (at) => {
      refuseStatistics(at);
      const { b, node, lead } = at;
      const [x = "", gain = "", bias = ""] = node.inputs;
      const { view, axes, parameters } = groupsOf(at);
      const n = standardized(at, view, axes);
      const given = seen(b, cotangent(at), lead, view);
      const parameter = (pulled: ValueId, input: ValueId) =>
        seen(b, unbroadcast(b, pulled, lead, parameters), lead, b.dims(input));
      return each(
        at,
        () => {
          const scaled = mul(b, given, reshape(b, gain, parameters));
          return seen(b, centred(b, backThroughNormalization(b, n, scaled), axes), lead, b.dims(x));
        },
        () => parameter(mul(b, given, n.unit), gain),
        () => parameter(given, bias),
      );
    },
    taylor: (at) => {
      refuseStatistics(at);
      const { b, node } = at;
      const { view, axes, parameters } = groupsOf(at);
      const n = standardized(at, view, axes);
      const shaped = (index: number, dims: Dims) => {
        const jet = at.jet(index);
        return jet && pushed(jet, (value, lead) => seen(b, value, lead, dims));
      };
      const jet = shaped(0, view);
      const unit =
        jet &&
        throughNormalization(
          b,
          n,
          pushed(jet, (value) => centred(b, value, axes)),
          at.order,
        );
      const gain = reshape(b, node.inputs[1] as ValueId, parameters);
      const { root, c1 } = withParameters(b, n.unit, unit, gain, shaped(1, parameters), shaped(2, parameters));
      const back = (value: ValueId, lead: number) => seen(b, value, lead, b.dims(node.outputs[0] as ValueId));
      return [{ root: pushed(root, back), c1: c1 && back(c1, 0) }];
    },
  };
}

/** scale · unit + bias, of which any may vary. */
function withParameters(
  b: Builder,
  unit: ValueId,
  chain: Chain | undefined,
  gain: ValueId,
  jetGain: Jet | undefined,
  jetBias: Jet | undefined,
): Chain {
  if (chain && !jetGain && !jetBias) return throughFunction(b, chain, gain, undefined);
  const dims = b.dims(unit);
  const times = (u: ValueId, v: ValueId) => mul(b, u, v);
  const jets = [
    (chain || jetGain) && productJet(b, times, dims.length, [unit, chain && jetOf(b, chain)], [gain, jetGain]),
    jetBias && broadcastJet(b, jetBias, dims),
  ].filter((jet) => jet !== undefined);
  return { root: jets.reduce((left, right) => sumOfJets(b, left, right)) };
}

function mean(b: Builder, value: ValueId, axes: readonly number[]): ValueId {
  return b.add("ReduceMean", [value, b.integers(axes)], { keepdims: 1 });
}

function centred(b: Builder, value: ValueId, axes: readonly number[]): ValueId {
  return sub(b, value, mean(b, value, axes));
}

/** σ = √(mean(c²) + ε) of the centred c, so that D²σ[c',c'] = (mean(w²) + ε Dσ[c']²/σ²)/σ. */
function standardized({ b, node }: Differentiated, view: Dims, axes: readonly number[]): Normalized {
  const epsilon = float(node, "epsilon", 1e-5);
  // What the first mean leaves where it is large against the deviation, the second takes.
  const c = centred(b, centred(b, reshape(b, node.inputs[0] as ValueId, view), axes), axes);
  const size = sqrt(b, add(b, mean(b, square(b, c), axes), b.scalar(epsilon)));
  const shrink = div(b, b.scalar(1), size);
  const unit = mul(b, c, shrink);
  const bend = (w: ValueId, k: ValueId) => {
    const fixed = mul(b, scale(b, square(b, shrink), epsilon), sumOfSquares(b, k));
    return mul(b, shrink, add(b, mean(b, sumOfSquares(b, w), axes), fixed));
  };
  return { unit, shrink, dual: unit, total: (value) => mean(b, value, axes), bend };
}

/** A mean or deviation that a LayerNormalization gives out and a node reads. */
function readStatistic({ b, node }: Differentiated): ValueId | undefined {
  const given = node.outputs.slice(1).filter((output) => output !== "");
  return given.find((output) => b.nodes.some((reader) => reads(reader).includes(output)));
}

function refuseStatistics(at: Differentiated): void {
  const read = readStatistic(at);
  if (read === undefined) return;
  throw new UnsupportedOperatorError(
    `node ${describe(at.node)}: its output ${read} is read, and there is a derivative rule for its first output alone`,
  );
}

/** y = x/‖x‖ for the 1-norm or the 2-norm along an axis; 0 stays 0. */
const lpNormalization: Rule = {
  linearity: "smooth",
  vjp: (at) => [backThroughNormalization(at.b, divided(at), cotangent(at))],
  taylor: (at) => [throughNormalization(at.b, divided(at), at.jet(0) as Jet, at.order)],
};

/** Of the 2-norm, D²σ[x',x'] = Σ w²/σ. */
function divided(at: Differentiated): Normalized {
  const { b, node } = at;
  const x = node.inputs[0] as ValueId;
  const axis = int(node, "axis", -1);
  const axes = b.integers([axis < 0 ? axis : axis - b.rank(x)]);
  const total = (value: ValueId) => b.add("ReduceSum", [value, axes], { keepdims: 1 });
  const one = int(node, "p", 2) === 1;
  const shrink = inverse(at, b.add(one ? "ReduceL1" : "ReduceL2", [x, axes], { keepdims: 1 }));
  const unit = mul(b, x, shrink);
  if (one) return { unit, shrink, dual: b.add("Sign", [x]), total };
  return { unit, shrink, dual: unit, total, bend: (w) => mul(b, shrink, total(sumOfSquares(b, w))) };
}

export const normalizationRules: Readonly<Record<string, Rule>> = {
  LayerNormalization: standardization(layerGroups),
  InstanceNormalization: standardization(instanceGroups),
  GroupNormalization: standardization(channelGroups),
  LpNormalization: lpNormalization,
};
