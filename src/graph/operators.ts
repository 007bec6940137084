import type { Builder } from "./builder.ts";
import type { ValueId } from "./graph.ts";
import { ints } from "./graph.ts";
import type { Dims, ElementType } from "./tensor.ts";
import { count, Tensor } from "./tensor.ts";
import { elementTypes } from "./onnx-tensors.ts";

// The operators that derivative and measure graphs are made of, as functions of a builder.

/** Operands of which one was only repeated to the dims of the other are taken as they were: elementwise operators repeat them. */
function unrepeated(b: Builder, x: ValueId, y: ValueId): [ValueId, ValueId] {
  const repeated = (value: ValueId) => {
    const made = b.isEmitted(value) ? b.producerOf(value) : undefined;
    return made?.op === "Expand" ? (made.inputs[0] as ValueId) : value;
  };
  const fits = b.dims(x).join() === b.dims(y).join();
  if (!fits) return [x, y];
  const small = repeated(x);
  return small === x ? [x, repeated(y)] : [small, y];
}

export function add(b: Builder, x: ValueId, y: ValueId): ValueId {
  return b.add("Add", unrepeated(b, x, y));
}

export function sub(b: Builder, x: ValueId, y: ValueId): ValueId {
  return b.add("Sub", unrepeated(b, x, y));
}

export function mul(b: Builder, x: ValueId, y: ValueId): ValueId {
  return b.add("Mul", unrepeated(b, x, y));
}

export function div(b: Builder, x: ValueId, y: ValueId): ValueId {
  return b.add("Div", unrepeated(b, x, y));
}

export function square(b: Builder, x: ValueId): ValueId {
  return b.add("Mul", [x, x]);
}

export function sqrt(b: Builder, x: ValueId): ValueId {
  return b.add("Sqrt", [x]);
}

export function scale(b: Builder, x: ValueId, factor: number): ValueId {
  if (factor === 1) return x;
  const made = b.isEmitted(x) ? b.producerOf(x) : undefined;
  if (made?.op === "Expand") return expand(b, scale(b, made.inputs[0] as ValueId, factor), b.dims(x));
  return b.add("Mul", [x, b.scalar(factor)]);
}

export function matMul(b: Builder, x: ValueId, y: ValueId): ValueId {
  return b.add("MatMul", [x, y]);
}

/** The same elements in other dimensions. What only reshaped before is passed over. */
export function reshape(b: Builder, x: ValueId, dims: Dims): ValueId {
  const from = b.dims(x);
  if (from.length === dims.length && from.every((size, axis) => size === dims[axis])) return x;
  const made = b.isEmitted(x) ? b.producerOf(x) : undefined;
  if (made?.op === "Reshape") return reshape(b, made.inputs[0] as ValueId, dims);
  return b.add("Reshape", [x, b.integers(dims)], { allowzero: 1 });
}

export function transpose(b: Builder, x: ValueId, order: readonly number[]): ValueId {
  return order.every((axis, index) => axis === index) ? x : b.add("Transpose", [x], { perm: order });
}

/** Swaps the last two axes; of what was swapped the original. */
export function swap(b: Builder, x: ValueId): ValueId {
  const rank = b.rank(x);
  const order = Array.from({ length: rank }, (_, axis) => axis);
  const swapped = [...order.slice(0, -2), rank - 1, rank - 2];
  const made = b.isEmitted(x) ? b.producerOf(x) : undefined;
  const before = made?.op === "Transpose" ? ints(made, "perm") : undefined;
  if (made && before && before.every((axis, index) => axis === swapped[index])) return made.inputs[0] as ValueId;
  return transpose(b, x, swapped);
}

export function concat(b: Builder, parts: readonly ValueId[], axis: number): ValueId {
  return parts.length === 1 ? (parts[0] as ValueId) : b.add("Concat", parts, { axis });
}

export function expand(b: Builder, x: ValueId, dims: Dims): ValueId {
  const from = b.dims(x);
  if (from.length === dims.length && from.every((size, axis) => size === dims[axis])) return x;
  return b.add("Expand", [x, b.integers(dims)]);
}

/** Sums over axes; nothing to sum gives x itself, axes of length 1 a reshaping. */
export function reduceSum(b: Builder, x: ValueId, axes: readonly number[], keep = false): ValueId {
  if (axes.length === 0) return x;
  const dims = b.dims(x);
  const summed = axes.map((axis) => (axis < 0 ? axis + dims.length : axis));
  if (summed.every((axis) => dims[axis] === 1)) {
    const rest = dims.filter((_, axis) => keep || !summed.includes(axis));
    return reshape(b, x, rest);
  }
  return b.add("ReduceSum", [x, b.integers(axes)], { keepdims: keep ? 1 : 0 });
}

/** Sums over the first `gone` axes, as a product with ones where those are many: the runtime multiplies rows faster than it adds them. */
export function sumOfRows(b: Builder, x: ValueId, gone: number): ValueId {
  const { type, dims } = b.type(x);
  const rows = count(dims.slice(0, gone));
  if (rows < MANY_ROWS || type !== "float32") return reduceSum(b, x, [...dims.slice(0, gone).keys()]);
  const ones = b.constant(Tensor.float32([rows], new Float32Array(rows).fill(1)));
  const rest = dims.slice(gone);
  return reshape(b, matMul(b, ones, reshape(b, x, [rows, count(rest)])), rest);
}

const MANY_ROWS = 16;

/** Sums every axis but those first `kept`. */
export function sumBeyond(b: Builder, x: ValueId, kept: number): ValueId {
  return reduceSum(
    b,
    x,
    Array.from({ length: b.rank(x) - kept }, (_, index) => kept + index),
  );
}

/** Σ x² over every axis but the first `kept`. */
export function squaredNorm(b: Builder, x: ValueId, kept: number): ValueId {
  return sumOfSquares(
    b,
    x,
    Array.from({ length: b.rank(x) - kept }, (_, index) => kept + index),
  );
}

/**
 * Σ x² over some axes, ascending; nothing to sum gives x². The last is summed first: the runtime adds one square after
 * another in float32, which over many thousands loses digits.
 */
export function sumOfSquares(b: Builder, x: ValueId, axes: readonly number[]): ValueId {
  if (axes.length === 0) return square(b, x);
  const inner = b.add("ReduceSumSquare", [x, b.integers(axes.slice(-1))], { keepdims: 0 });
  return reduceSum(b, inner, axes.slice(0, -1));
}

export function slice(
  b: Builder,
  x: ValueId,
  axes: readonly number[],
  starts: readonly number[],
  ends: readonly number[],
  steps: readonly number[] = axes.map(() => 1),
): ValueId {
  return b.add("Slice", [x, b.integers(starts), b.integers(ends), b.integers(axes), b.integers(steps)]);
}

/** Zero padding: begins of all axes, then ends. */
export function pad(b: Builder, x: ValueId, pads: readonly number[]): ValueId {
  return pads.every((width) => width === 0) ? x : b.add("Pad", [x, b.integers(pads)]);
}

export function cast(b: Builder, x: ValueId, type: ElementType): ValueId {
  return b.type(x).type === type ? x : b.add("Cast", [x], { to: elementTypes.indexOf(type) });
}

/** Folds the first two axes into one. */
export function foldLead(b: Builder, x: ValueId): ValueId {
  const [lead, batch, ...rest] = b.dims(x) as [number, number, ...number[]];
  return reshape(b, x, [lead * batch, ...rest]);
}

/** Folds everything between the first `kept` axes and the last one into one axis of positions. */
export function foldPositions(b: Builder, x: ValueId, kept: number): ValueId {
  const dims = b.dims(x);
  return reshape(b, x, [...dims.slice(0, kept), count(dims.slice(kept, -1)), dims.at(-1) as number]);
}
