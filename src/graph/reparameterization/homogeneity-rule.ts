import type { Node } from "../graph.ts";
import type { ShapeQuery } from "../shapes/shape-rule.ts";
import type { Dims } from "../tensor.ts";
import type { ScaleClasses } from "./scale-classes.ts";
import type { ScaleMap } from "./scale-map.ts";

/** A node on the way of scales: what its inputs are scaled by, and what may be asked of them. */
export interface Flow {
  readonly node: Node;
  /** Types of inputs, and constants: those that are computed from shapes too. */
  readonly query: ShapeQuery;
  readonly classes: ScaleClasses;
  /** What messages call the node. */
  readonly who: string;
  /** Dims of an output. */
  output(index: number): Dims;
  /** The scale of an input's elements. A constant's is free: it is scaled as what it is added to. */
  scale(index: number): ScaleMap;
  /** Demands that an input keeps its values; they are ANY where they are zero. */
  hold(index: number): ScaleMap;
  /** Whether an input is made of constants alone. */
  isConstant(index: number): boolean;
  /** Whether an input keeps its values anyway, or can as it is made of constants. */
  isHeld(index: number): boolean;
}

/**
 * How an operator carries positive scales: the scales of its outputs, given those of its inputs, after demanding what must be
 * equal or 1 for that. Undefined where it is not positively homogeneous of degree 1 in what is scaled: f(c·x) = c·f(x), c > 0,
 * for one c or for one of each channel.
 */
export type HomogeneityRule = (flow: Flow) => readonly ScaleMap[] | undefined;
