import { ModelError } from "../../errors.ts";
import type { Node, ValueType } from "../graph.ts";
import { describe } from "../graph.ts";
import type { Dims, ElementType, Tensor } from "../tensor.ts";

/** What a shape rule may look at: the node, its inputs' static types, and inputs that are constants. */
export interface ShapeQuery {
  readonly node: Node;
  readonly inputs: readonly (ValueType | undefined)[];
  /** The constant at an input, or undefined when the input is computed. */
  constant(index: number): Tensor | undefined;
}

/** Types of a node's outputs from those of its inputs. */
export type ShapeRule = (query: ShapeQuery) => readonly ValueType[];

export function input(query: ShapeQuery, index: number): ValueType {
  const type = query.inputs[index];
  if (!type) throw new ModelError(`node ${describe(query.node)}: input ${index} is absent`);
  return type;
}

/** A constant input as integers: axes, shapes, pads. */
export function integers(query: ShapeQuery, index: number): number[] {
  const tensor = query.constant(index);
  if (!tensor) {
    throw new ModelError(
      `node ${describe(query.node)}: input ${query.node.inputs[index]} is computed from the data; a static shape needs a constant`,
    );
  }
  return Array.from(tensor.data as ArrayLike<number | bigint>, Number);
}

/** An axis counted from the front. */
export function axisOf(query: ShapeQuery, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!(positive >= 0 && positive < rank)) {
    throw new ModelError(`node ${describe(query.node)}: axis ${axis} is outside a rank of ${rank}`);
  }
  return positive;
}

/** NumPy's broadcasting. */
export function broadcast(query: ShapeQuery, ...shapes: Dims[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, position) => {
    let size = 1;
    for (const dims of shapes) {
      const dim = dims[dims.length - rank + position] ?? 1;
      if (dim === 1 || dim === size) continue;
      if (size !== 1) {
        throw new ModelError(
          `node ${describe(query.node)}: shapes ${shapes.map((s) => `[${s.join(", ")}]`).join(" and ")} do not fit together`,
        );
      }
      size = dim;
    }
    return size;
  });
}

export function typed(type: ElementType, dims: Dims): ValueType[] {
  return [{ type, dims }];
}

/** The output is as the first input. */
export const same: ShapeRule = (query) => [input(query, 0)];
