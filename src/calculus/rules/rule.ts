import type { Builder } from "../../graph/builder.ts";
import { UnsupportedOperatorError } from "../../errors.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { describe } from "../../graph/graph.ts";
import { mul, reduceSum, reshape, sumOfRows } from "../../graph/operators.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import { throughFunction, type Chain, type Jet } from "../jets.ts";

/**
 * What an operator is as a function of its varying inputs. `constant`: its derivative is zero almost everywhere, as of a
 * comparison. `unsupported`: with these attributes it has no rule.
 */
export type Linearity = "constant" | "linear" | "piecewise-linear" | "smooth" | "unsupported";

/** A node being differentiated. */
export interface Differentiated {
  readonly b: Builder;
  readonly node: Node;
  /** Whether an input depends on what is differentiated. */
  varies(index: number): boolean;
}

export interface Pullback extends Differentiated {
  /**
   * Leading axes of a cotangent that the value does not have: 0 for a gradient, 1 for K columns at once. Rules
   * count axes from the end or add `lead`.
   */
  readonly lead: number;
  /** Cotangents of the outputs, [lead…, dims of the output]; undefined where nothing flows back. */
  readonly cotangents: readonly (ValueId | undefined)[];
}

export interface Pushforward extends Differentiated {
  /** 1: no second-order coefficients are asked for. */
  readonly order: 1 | 2;
  /** The jet of an input as a chain of elementwise functions; undefined where it does not vary. */
  chain(index: number): Chain | undefined;
  /** The jet of an input, products made. */
  jet(index: number): Jet | undefined;
}

/** How derivatives go through one operator. */
export interface Rule {
  readonly linearity: Linearity | ((at: Differentiated) => Linearity);
  /** Cotangents of the inputs; undefined where an input does not vary. */
  readonly vjp: (at: Pullback) => (ValueId | undefined)[];
  /** Jets of the outputs; undefined where an output does not vary. */
  readonly taylor: (at: Pushforward) => (Chain | undefined)[];
}

/** An elementwise function of one input by its derivatives at it. */
export function elementwise(
  linearity: Linearity,
  slope: (at: Differentiated) => ValueId,
  bend?: (at: Differentiated) => ValueId,
): Rule {
  return {
    linearity,
    vjp: (at) => {
      onlyFirst(at);
      return [masked(at.b, cotangent(at), slope(at))];
    },
    taylor: (at) => {
      onlyFirst(at);
      const chain = at.chain(0) as Chain;
      return [throughFunction(at.b, chain, slope(at), at.order === 2 ? bend?.(at) : undefined)];
    },
  };
}

/**
 * An operator that is linear in its first input, the others constant.
 *
 * @param push applies it, without constant terms, to a value with `lead` more axes in front
 * @param pull applies its transpose to the cotangent
 */
export function linear(
  push: (at: Differentiated, value: ValueId, lead: number) => ValueId,
  pull: (at: Pullback) => ValueId,
): Rule {
  return {
    linearity: linearInFirst,
    vjp: (at) => {
      onlyFirst(at);
      return [pull(at)];
    },
    taylor: (at) => {
      onlyFirst(at);
      return [{ root: pushed(at.jet(0) as Jet, (value, lead) => push(at, value, lead)) }];
    },
  };
}

/** A function that is constant almost everywhere: comparisons, rounding, indices. */
export const constant: Rule = { linearity: "constant", vjp: () => [], taylor: () => [undefined] };

/** The linearity of a rule at a node. */
export function linearityOf({ linearity }: Rule, at: Differentiated): Linearity {
  return typeof linearity === "function" ? linearity(at) : linearity;
}

/** Both coefficients of a jet through a linear map. */
export function pushed(jet: Jet, map: (value: ValueId, lead: number) => ValueId): Jet {
  return { first: map(jet.first, 1), second: jet.second === undefined ? undefined : map(jet.second, 0) };
}

/** @throws UnsupportedOperatorError when an input that the rule takes for constant varies */
function onlyFirst({ node, varies }: Differentiated): void {
  const index = node.inputs.findIndex((input, position) => position > 0 && input !== "" && varies(position));
  if (index > 0) {
    throw new UnsupportedOperatorError(
      `node ${describe(node)}: its input ${node.inputs[index]} depends on the layer, and the rule of ${node.op} takes it for constant`,
    );
  }
}

/** The cotangent of the first output, for operators with one. */
export function cotangent(at: Pullback): ValueId {
  return at.cotangents[0] as ValueId;
}

/** Cotangents of the varying inputs, each by its own function. */
export function each(at: Pullback, ...pulls: (() => ValueId)[]): (ValueId | undefined)[] {
  return pulls.map((pull, index) => (at.varies(index) ? pull() : undefined));
}

/** Sums a cotangent over the axes along which an operand of these dimensions was broadcast. */
export function unbroadcast(b: Builder, value: ValueId, lead: number, dims: Dims): ValueId {
  const from = b.dims(value);
  const missing = from.length - lead - dims.length;
  const gone = Array.from({ length: missing }, (_, axis) => lead + axis);
  const summed = lead === 0 ? sumOfRows(b, value, missing) : reduceSum(b, value, gone);
  const kept = b.dims(summed);
  const repeated = dims.flatMap((size, axis) => (size === 1 && kept[lead + axis] !== 1 ? [lead + axis] : []));
  return reduceSum(b, summed, repeated, true);
}

/** Linear where one input varies, a product where several do. */
export function linearInEach(at: Differentiated): Linearity {
  const varying = at.node.inputs.filter((input, index) => input !== "" && at.varies(index));
  return varying.length > 1 ? "smooth" : "linear";
}

/** Linear where only the first input varies. */
export function linearInFirst(at: Differentiated): Linearity {
  return at.node.inputs.some((input, index) => index > 0 && input !== "" && at.varies(index)) ? "smooth" : "linear";
}

/**
 * A cotangent times a mask that is the same for all columns. Where the cotangent is itself such a product, the masks are
 * multiplied first: that is a product of one column's size instead of all.
 */
export function masked(b: Builder, value: ValueId, mask: ValueId): ValueId {
  const maker = b.producerOf(value);
  const reshaped = maker?.op === "Reshape";
  const inner = reshaped ? b.producerOf(maker.inputs[0] as ValueId) : maker;
  const [given = "", known = ""] = inner?.inputs ?? [];
  if (inner?.op !== "Mul" || !b.isEmitted(inner.outputs[0] as ValueId)) return mul(b, value, mask);
  // The known factor must be a mask too: all axes of the product but the columns'.
  const whole = b.dims(inner.outputs[0] as ValueId);
  const own = withoutLeadingOnes(b.dims(known));
  const behind = whole.slice(whole.length - own.length);
  const isMask = own.length > 0 && own.every((size, axis) => size === behind[axis]) && count(own) < count(whole);
  if (!isMask) return mul(b, value, mask);
  const factor = withoutLeadingOnes(b.dims(mask));
  const alike = count(factor) === count(own);
  if (!alike && (reshaped || !broadcastsTo(factor, own))) return mul(b, value, mask);
  const both = mul(b, alike ? reshape(b, mask, b.dims(known)) : mask, known);
  return reshape(b, mul(b, given, both), b.dims(value));
}

function withoutLeadingOnes(dims: Dims): Dims {
  const first = dims.findIndex((size) => size !== 1);
  return first < 0 ? [] : dims.slice(first);
}

function broadcastsTo(from: Dims, to: Dims): boolean {
  return (
    from.length <= to.length && from.every((size, axis) => size === 1 || size === to[to.length - from.length + axis])
  );
}

/** Linear in its first two inputs apart, whatever the bias does. */
export function bilinear(at: Differentiated): Linearity {
  return linearInEach({ ...at, node: { ...at.node, inputs: at.node.inputs.slice(0, 2) } });
}
