import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { add, cast, div, expand, mul, reduceSum, reshape, scale, sub } from "../../graph/operators.ts";
import { count, Tensor, type Dims } from "../../graph/tensor.ts";
import { sum, sumOfSquares, type Jet } from "../jets.ts";
import { negative } from "./arithmetic.ts";
import { cotangent, linear, type Differentiated, type Linearity, type Pushforward, type Rule } from "./rule.ts";

function input(at: Differentiated): ValueId {
  return at.node.inputs[0] as ValueId;
}

/**
 * The axes that are reduced, from the end; none where the node says that no axes means none. The runtime then squares, takes
 * logarithms or magnitudes all the same, as a reduction over no axes does.
 */
export function axesOf(at: Differentiated): readonly number[] {
  const { b, node } = at;
  const rank = b.rank(input(at));
  const given = Array.from(b.constantOf(node.inputs[1] ?? "")?.numbers() ?? []);
  if (given.length > 0) return given.map((axis) => (axis < 0 ? axis : axis - rank));
  return int(node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, axis) => axis - rank);
}

/** Σ over the reduced axes of a value [lead…, x's dims], kept as the node keeps them. */
function total(at: Differentiated, value: ValueId): ValueId {
  return reduceSum(at.b, value, axesOf(at), int(at.node, "keepdims", 1) === 1);
}

/** A value [lead…, y's dims] with the reduced axes of size 1. */
function kept(at: Differentiated, value: ValueId): ValueId {
  const { b, node } = at;
  const dims = b.dims(input(at));
  const axes = new Set(axesOf(at).map((axis) => axis + dims.length));
  const lead = b.rank(value) - b.rank(node.outputs[0] as ValueId);
  return reshape(b, value, [...b.dims(value).slice(0, lead), ...dims.map((size, axis) => (axes.has(axis) ? 1 : size))]);
}

/** The same repeated along the reduced axes: [lead…, x's dims]. */
function spread(at: Differentiated, value: ValueId): ValueId {
  const { b, node } = at;
  const lead = b.rank(value) - b.rank(node.outputs[0] as ValueId);
  return expand(b, kept(at, value), [...b.dims(value).slice(0, lead), ...b.dims(input(at))]);
}

/** How many elements make one. */
export function elements({ b, node }: Differentiated): number {
  return count(b.dims(node.inputs[0] as ValueId)) / count(b.dims(node.outputs[0] as ValueId));
}

const summed = linear(total, (at) => spread(at, cotangent(at)));

const averaged = linear(
  (at, value) => {
    const axes = axesOf(at);
    if (axes.length === 0) return value;
    return at.b.add("ReduceMean", [value, at.b.integers(axes)], { keepdims: int(at.node, "keepdims", 1) });
  },
  (at) => spread(at, div(at.b, cotangent(at), at.b.scalar(elements(at)))),
);

/**
 * A reduction y of x by its derivatives.
 *
 * @param gradient ∂y/∂x, x's dims
 * @param bend Σ_r D²y[x'_r, x'_r] from x' and y', y's dims
 */
function reduction(
  linearity: Linearity,
  gradient: (at: Differentiated) => ValueId,
  bend?: (at: Pushforward, first: ValueId, pushed: ValueId) => ValueId,
): Rule {
  return {
    linearity,
    vjp: (at) => [mul(at.b, kept(at, cotangent(at)), gradient(at))],
    taylor: (at) => {
      const { b } = at;
      const { first, second } = at.jet(0) as Jet;
      const slope = gradient(at);
      const pushed = total(at, mul(b, first, slope));
      const through = second && total(at, mul(b, second, slope));
      const bent = at.order === 2 ? bend?.(at, first, pushed) : undefined;
      return [{ root: { first: pushed, second: sum(b, through, bent) } }];
    },
  };
}

const sumSquare = reduction(
  "smooth",
  (at) => scale(at.b, input(at), 2),
  (at, first) => scale(at.b, total(at, sumOfSquares(at.b, first)), 2),
);

/** y = √Σx²: D²y[x',x'] = Σ (x' − y' x/y)² / y. At 0, where there is no derivative, it counts as 0. */
const norm = reduction("smooth", unit, (at, first, pushed) => {
  const across = sub(at.b, first, mul(at.b, kept(at, pushed), unit(at)));
  return mul(at.b, total(at, sumOfSquares(at.b, across)), inverse(at, at.node.outputs[0] as ValueId));
});

function unit(at: Differentiated): ValueId {
  return mul(at.b, input(at), kept(at, inverse(at, at.node.outputs[0] as ValueId)));
}

/** 1/size of a size ≥ 0, and 0 where that is 0. */
export function inverse({ b }: Differentiated, size: ValueId): ValueId {
  const some = cast(b, b.add("Greater", [size, b.scalar(0)]), "float32");
  return div(b, some, add(b, size, sub(b, b.scalar(1), some)));
}

const absolute = reduction("piecewise-linear", (at) => at.b.add("Sign", [input(at)]));

/** y = log Σ exp x: D²y[x',x'] is the variance of x' under the softmax of x. */
const logSumExp = reduction("smooth", shares, (at, first, pushed) => {
  const across = sub(at.b, first, kept(at, pushed));
  return total(at, mul(at.b, shares(at), sumOfSquares(at.b, across)));
});

/** exp(x − y), divided by its sum: y is rounded, by much where it is large. */
function shares(at: Differentiated): ValueId {
  const { b, node } = at;
  const powers = b.add("Exp", [sub(b, input(at), kept(at, node.outputs[0] as ValueId))]);
  return div(b, powers, kept(at, total(at, powers)));
}

/** y = log Σx: D²y[x',x'] = −y'². */
const logSum = reduction(
  "smooth",
  (at) => spread(at, div(at.b, at.b.scalar(1), total(at, input(at)))),
  (at, _, pushed) => negative(at.b, sumOfSquares(at.b, pushed)),
);

/** Of equal extremes the first, in C order, takes all: a derivative that the function has on one side, and MaxPool's. */
const extreme = reduction("piecewise-linear", (at) => {
  const { b, node } = at;
  const dims = b.dims(input(at));
  const axes = new Set(axesOf(at).map((axis) => axis + dims.length));
  const places = dims.map((size, axis) => (axes.has(axis) ? size : 1));
  const number = b.constant(
    Tensor.of(
      "int64",
      places,
      BigInt64Array.from({ length: count(places) }, (_, i) => BigInt(i)),
    ),
  );
  const reached = b.add("Equal", [input(at), kept(at, node.outputs[0] as ValueId)]);
  const candidates = b.add("Where", [reached, number, b.constant(Tensor.int64(count(places)))]);
  const first =
    axes.size === 0 ? candidates : b.add("ReduceMin", [candidates, b.integers(axesOf(at))], { keepdims: 1 });
  return cast(b, b.add("Equal", [number, first]), "float32");
});

/** An axis of the input from the end. */
function fromEnd(at: Differentiated, axis: number): number {
  return axis < 0 ? axis : axis - at.b.rank(input(at));
}

/** The places of the values that TopK chose, repeated for `lead` more axes in front of a value. */
function chosen({ b, node }: Differentiated, outer: Dims): ValueId {
  const indices = b.widen(node);
  return expand(b, indices, [...outer, ...b.dims(indices)]);
}

const topK: Rule = {
  ...linear(
    (at, value, lead) =>
      at.b.add("GatherElements", [value, chosen(at, at.b.dims(value).slice(0, lead))], {
        axis: fromEnd(at, int(at.node, "axis", -1)),
      }),
    (at) => {
      const { b, node, lead } = at;
      const outer = b.dims(cotangent(at)).slice(0, lead);
      const zeros = b.add("ConstantOfShape", [b.integers([...outer, ...b.dims(input(at))])]);
      const axis = fromEnd(at, int(node, "axis", -1));
      return b.add("ScatterElements", [zeros, chosen(at, outer), cotangent(at)], { axis });
    },
  ),
  linearity: "piecewise-linear",
};

function accumulated(at: Differentiated, value: ValueId, reverse: number): ValueId {
  const { b, node } = at;
  const [axis = 0] = b.constantOf(node.inputs[1] ?? "")?.numbers() ?? [];
  const where = b.constant(Tensor.int64(fromEnd(at, axis)));
  return b.add("CumSum", [value, where], { exclusive: int(node, "exclusive", 0), reverse });
}

/** Sums up to each element; its transpose sums from each element on. */
const cumulated: Rule = {
  ...linear(
    (at, value) => accumulated(at, value, int(at.node, "reverse", 0)),
    (at) => accumulated(at, cotangent(at), 1 - int(at.node, "reverse", 0)),
  ),
  linearity: ({ b, node }) => (b.constantOf(node.inputs[1] ?? "") ? "linear" : "unsupported"),
};

export const reductionRules: Readonly<Record<string, Rule>> = {
  ReduceSum: summed,
  ReduceMean: averaged,
  ReduceSumSquare: sumSquare,
  ReduceL1: absolute,
  ReduceL2: norm,
  ReduceLogSum: logSum,
  ReduceLogSumExp: logSumExp,
  ReduceMax: extreme,
  ReduceMin: extreme,
  TopK: topK,
  CumSum: cumulated,
};
