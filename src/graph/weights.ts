import type { Builder } from "./builder.ts";
import type { Node, ValueId } from "./graph.ts";
import { ints } from "./graph.ts";
import { inRowMajor } from "./row-major.ts";
import type { Dims, Tensor } from "./tensor.ts";
import { count } from "./tensor.ts";

/** A constant seen through the operators that exporters put in front of weights. */
export interface Weight {
  /** The initializer, or the Constant node's output, at the root. */
  readonly initializer: ValueId;
  readonly dims: Dims;
  /** Where the elements went since the initializer: equal for the same matrix, however it was written. */
  readonly moves: readonly Move[];
  /** The elements in C order at `dims`. Costs a copy where a Transpose is seen through. */
  values(): Float32Array | Float64Array;
  /** Where in the initializer each of these elements stands. */
  places(): Float64Array;
}

/** A permutation of axes of these sizes, axes of one element left out. */
interface Move {
  readonly dims: Dims;
  readonly order: readonly number[];
}

const sameElements = new Set(["Identity", "Cast", "Dropout", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

/** The weight that a value is: a constant itself, or one behind Identity, Cast, Transpose or a reshape. */
export function weightOf(
  builder: Builder,
  made: Pick<ReadonlyMap<ValueId, Node>, "get">,
  value: ValueId,
): Weight | undefined {
  const tensor = builder.constantOf(value);
  if (tensor) {
    if (!tensor.type.includes("float")) return undefined;
    const places = () => Float64Array.from({ length: tensor.size }, (_, index) => index);
    return { initializer: value, dims: tensor.dims, moves: [], values: () => floats(tensor), places };
  }
  const node = made.get(value);
  const type = builder.typeIfKnown(value);
  if (!node || !type || node.domain !== "") return undefined;
  const moved = node.op === "Transpose";
  if (!moved && !sameElements.has(node.op)) return undefined;
  const inner = weightOf(builder, made, node.inputs[0] ?? "");
  if (!inner) return undefined;
  if (!moved) return { ...inner, dims: type.dims };
  const order = ints(node, "perm") ?? inner.dims.map((_, axis) => inner.dims.length - 1 - axis);
  return {
    initializer: inner.initializer,
    dims: type.dims,
    moves: afterMove(inner.moves, inner.dims, order),
    values: () => transposed(inner.values(), inner.dims, order),
    places: () => transposed(inner.places(), inner.dims, order) as Float64Array,
  };
}

/** The moves with one more. Two that follow each other are one, and none when the second takes back the first. */
export function afterMove(moves: readonly Move[], dims: Dims, order: readonly number[]): readonly Move[] {
  const kept = order.filter((axis) => dims[axis] !== 1);
  const axes = kept.toSorted((left, right) => left - right);
  const move = { dims: axes.map((axis) => dims[axis] as number), order: kept.map((axis) => axes.indexOf(axis)) };
  const last = moves.at(-1);
  const follows = last && last.order.map((axis) => last.dims[axis]).join() === move.dims.join();
  const whole = follows ? { dims: last.dims, order: move.order.map((axis) => last.order[axis] as number) } : move;
  const before = follows ? moves.slice(0, -1) : moves;
  return whole.order.every((axis, index) => axis === index) ? before : [...before, whole];
}

function floats(tensor: Tensor): Float32Array | Float64Array {
  const values = tensor.numbers();
  return values instanceof Float64Array || values instanceof Float32Array ? values : Float32Array.from(values);
}

/** The elements of a C-order array after its axes are permuted. */
export function transposed<T extends Float32Array | Float64Array | Int32Array>(
  values: T,
  dims: Dims,
  order: readonly number[],
): T {
  const strides = order.map((axis) => count(dims.slice(axis + 1)));
  const turned = order.map((axis) => dims[axis] as number);
  return inRowMajor(values, turned, strides);
}
