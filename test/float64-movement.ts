import type { Node } from "../src/graph/graph.ts";
import { int, ints, string } from "../src/graph/graph.ts";
import { product, stridesOf, taken, walk, type Array64 } from "./float64-array.ts";

/** Operators that only move elements. */
export function moved(node: Node, inputs: readonly (Array64 | undefined)[]): Array64 {
  const [x, y] = inputs as [Array64, Array64];
  const { dims, data } = x;
  const axisOf = (axis: number, rank = dims.length) => (axis < 0 ? axis + rank : axis);
  switch (node.op) {
    case "Reshape": {
      const wanted = Array.from(y.data, (size, axis) => (size === 0 ? dims[axis]! : size));
      const rest = data.length / product(wanted.filter((size) => size !== -1));
      return { dims: wanted.map((size) => (size === -1 ? rest : size)), data };
    }
    case "Flatten": {
      const axis = axisOf(int(node, "axis", 1));
      return { dims: [product(dims.slice(0, axis)), product(dims.slice(axis))], data };
    }
    case "Squeeze": {
      const gone = Array.from(y.data, (axis) => axisOf(axis));
      return { dims: dims.filter((_, axis) => !gone.includes(axis)), data };
    }
    case "Unsqueeze": {
      const added = Array.from(y.data, (axis) => axisOf(axis, dims.length + y.data.length)).sort((a, b) => a - b);
      return { dims: added.reduce<number[]>((list, axis) => list.toSpliced(axis, 0, 1), [...dims]), data };
    }
    case "Transpose": {
      const order = ints(node, "perm") ?? dims.map((_, axis) => dims.length - 1 - axis);
      const strides = stridesOf(dims);
      const target = order.map((axis) => dims[axis]!);
      return taken(
        x,
        target,
        walk(
          target,
          order.map((axis) => strides[axis]!),
        ),
      );
    }
    case "Concat":
      return concatenated(inputs as Array64[], axisOf(int(node, "axis", 0)));
    case "Pad":
      return padded(
        x,
        y.data,
        inputs[2]?.data[0] ?? 0,
        inputs[3]?.data ?? dims.map((_, axis) => axis),
        string(node, "mode", "constant"),
      );
    case "Slice":
      return sliced(
        x,
        ...(inputs.slice(1).map((input) => Array.from(input!.data)) as [number[], number[], number[], number[]?]),
      );
    default:
      throw new TypeError(`the reference has no ${node.op}`);
  }
}

function concatenated(parts: readonly Array64[], axis: number): Array64 {
  const dims = parts[0]!.dims.with(
    axis,
    parts.reduce((sum, part) => sum + part.dims[axis]!, 0),
  );
  const data = new Float64Array(product(dims));
  let begin = 0;
  for (const part of parts) {
    const strides = stridesOf(dims);
    walk(part.dims, strides, begin * strides[axis]!).forEach((place, index) => (data[place] = part.data[index]!));
    begin += part.dims[axis]!;
  }
  return { dims, data };
}

function padded(x: Array64, pads: Float64Array, value: number, axes: ArrayLike<number>, mode: string): Array64 {
  const [begins, ends] = [x.dims.map(() => 0), x.dims.map(() => 0)];
  for (let index = 0; index < axes.length; index++) {
    const axis = axes[index]! < 0 ? axes[index]! + x.dims.length : axes[index]!;
    [begins[axis], ends[axis]] = [pads[index]!, pads[index + axes.length]!];
  }
  const dims = x.dims.map((size, axis) => begins[axis]! + size + ends[axis]!);
  const [from, to] = [stridesOf(x.dims), stridesOf(dims)];
  const data = new Float64Array(product(dims)).map((_, place) => {
    const at = dims.map((size, axis) => (Math.floor(place / to[axis]!) % size) - begins[axis]!);
    const source = at.map((index, axis) => inside(index, x.dims[axis]!, mode));
    if (source.includes(-1)) return value;
    return x.data[source.reduce((sum, index, axis) => sum + index * from[axis]!, 0)]!;
  });
  return { dims, data };
}

/** Where padding takes its value from along an axis; −1 for a constant. */
function inside(index: number, size: number, mode: string): number {
  if (index >= 0 && index < size) return index;
  if (mode === "edge") return index < 0 ? 0 : size - 1;
  if (mode === "reflect") return index < 0 ? -index : 2 * (size - 1) - index;
  return -1;
}

function sliced(x: Array64, starts: number[], ends: number[], axes: number[], steps = axes.map(() => 1)): Array64 {
  const strides = stridesOf(x.dims);
  const dims = [...x.dims];
  let start = 0;
  axes.forEach((given, index) => {
    const axis = given < 0 ? given + x.dims.length : given;
    const [size, step] = [x.dims[axis]!, steps[index]!];
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const clamp = (value: number) => Math.min(Math.max(value < 0 ? value + size : value, low), high);
    const begin = Math.max(0, clamp(starts[index]!));
    dims[axis] = Math.max(0, Math.ceil((clamp(ends[index]!) - begin) / step));
    start += begin * strides[axis]!;
    strides[axis]! *= step;
  });
  return taken(x, dims, walk(dims, strides, start));
}
