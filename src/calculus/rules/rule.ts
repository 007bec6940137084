import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { mul, reduceSum, reshape } from "../../graph/operators.ts";
import { count, type Dims } from "../../graph/tensor.ts";

/** What an operator is as a function of its varying inputs. */
export type Linearity = "linear" | "piecewise-linear" | "smooth";

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

/** How derivatives go through one operator. */
export interface Rule {
  readonly linearity: Linearity | ((at: Differentiated) => Linearity);
  /** Cotangents of the inputs; undefined where an input does not vary. */
  readonly vjp: (at: Pullback) => (ValueId | undefined)[];
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
  const summed = reduceSum(b, value, gone);
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
  const inner = maker?.op === "Reshape" ? b.producerOf(maker.inputs[0] as ValueId) : maker;
  const [given = "", known = ""] = inner?.inputs ?? [];
  const ours = inner?.op === "Mul" && b.isEmitted(inner.outputs[0] as ValueId);
  if (!ours || count(b.dims(known)) !== count(b.dims(mask)) || count(b.dims(known)) === count(b.dims(value))) {
    return mul(b, value, mask);
  }
  const both = mul(b, reshape(b, mask, b.dims(known)), known);
  return reshape(b, mul(b, given, both), b.dims(value));
}
