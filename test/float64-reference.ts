import type { Graph, Node, ValueId } from "../src/graph/graph.ts";
import { float, int, ints } from "../src/graph/graph.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { map, product, stridesOf, taken, walk, zip, type Array64 } from "./float64-array.ts";
import { averagePool, convolution, maxima, poolDims } from "./float64-windows.ts";

/**
 * What was decided at the kinks of a network: slopes of piecewise linear functions, places of maxima. With the decisions
 * of one run kept, a piecewise linear network is affine, so that its derivatives are exact differences.
 */
export type Decisions = Map<Node, Float64Array | Int32Array>;

/**
 * Runs a graph in float64 by plain loops: a second route to the values that the runtime gives in float32.
 *
 * @param given values of inputs; also of constants, in place of the graph's own
 * @param kept decisions to follow; without them they are made anew
 * @param made takes the decisions of this run
 */
export function run(
  graph: Graph,
  given: ReadonlyMap<ValueId, Array64>,
  { kept, made }: { kept?: Decisions; made?: Decisions } = {},
): Map<ValueId, Array64> {
  const values = new Map<ValueId, Array64>([...graph.constants].map(([name, tensor]) => [name, constantOf(tensor)]));
  for (const [name, value] of given) values.set(name, value);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => values.get(name));
    const decide = <T extends Float64Array | Int32Array>(fresh: () => T): T => {
      const decision = (kept?.get(node) as T | undefined) ?? fresh();
      made?.set(node, decision);
      return decision;
    };
    values.set(node.outputs[0]!, evaluate(node, inputs, decide));
  }
  return values;
}

const constants = new WeakMap<Tensor, Array64>();

export function constantOf(tensor: Tensor): Array64 {
  const known = constants.get(tensor) ?? { dims: tensor.dims, data: Float64Array.from(tensor.numbers()) };
  constants.set(tensor, known);
  return known;
}

type Decide = <T extends Float64Array | Int32Array>(fresh: () => T) => T;

function evaluate(node: Node, inputs: readonly (Array64 | undefined)[], decide: Decide): Array64 {
  const [x, y, z] = inputs as [Array64, Array64, Array64];
  switch (node.op) {
    case "Identity":
    case "Dropout":
    case "Cast":
      return x;
    case "Neg":
      return map(x, (value) => -value);
    case "Add":
    case "Sum":
      return (inputs as Array64[]).reduce((sum, operand) => zip(sum, operand, (a, b) => a + b));
    case "Sub":
      return zip(x, y, (a, b) => a - b);
    case "Mul":
      return zip(x, y, (a, b) => a * b);
    case "Div":
      return zip(x, y, (a, b) => a / b);
    case "Tanh":
      return map(x, Math.tanh);
    case "Relu":
      return sloped(x, decide, (value) => (value > 0 ? 1 : 0));
    case "LeakyRelu":
      return sloped(x, decide, (value) => (value > 0 ? 1 : float(node, "alpha", 0.01)));
    case "Clip":
      return clipped(x, y?.data[0] ?? -Infinity, z?.data[0] ?? Infinity, decide);
    case "MatMul":
      return matMul(x, y);
    case "Gemm":
      return gemm(node, x, y, z);
    case "Conv":
      return convolution(node, x, y, z);
    case "AveragePool":
      return averagePool(node, x);
    case "MaxPool":
      return taken(
        x,
        poolDims(node, x),
        decide(() => maxima(node, x)),
      );
    case "GlobalAveragePool":
      return globalAverage(x);
    case "BatchNormalization":
      return batchNormalization(node, inputs as Array64[]);
    default:
      return moved(node, inputs);
  }
}

/** Operators that only move elements. */
function moved(node: Node, inputs: readonly (Array64 | undefined)[]): Array64 {
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
      return padded(x, y.data, inputs[2]?.data[0] ?? 0, inputs[3]?.data ?? dims.map((_, axis) => axis));
    case "Slice":
      return sliced(x, ...(inputs.slice(1).map((input) => Array.from(input!.data)) as [number[], number[], number[]]));
    default:
      throw new TypeError(`the reference has no ${node.op}`);
  }
}

/** A function of slope s on this side of its kink, through the origin. */
function sloped(x: Array64, decide: Decide, slope: (value: number) => number): Array64 {
  const slopes = decide(() => x.data.map(slope));
  return map(x, (value, index) => value * slopes[index]!);
}

function clipped(x: Array64, low: number, high: number, decide: Decide): Array64 {
  const sides = decide(() => x.data.map((value) => (value <= low ? -1 : value >= high ? 1 : 0)));
  return map(x, (value, index) => (sides[index] === 0 ? value : sides[index]! < 0 ? low : high));
}

function matMul(x: Array64, y: Array64): Array64 {
  const left = x.dims.length === 1 ? [1, ...x.dims] : x.dims;
  const right = y.dims.length === 1 ? [...y.dims, 1] : y.dims;
  const [rows, inner, columns] = [left.at(-2)!, left.at(-1)!, right.at(-1)!];
  const [leftBatch, rightBatch] = [left.slice(0, -2), right.slice(0, -2)];
  const rank = Math.max(leftBatch.length, rightBatch.length);
  const size = (dims: readonly number[], axis: number) => dims[axis - rank + dims.length] ?? 1;
  const batch = Array.from({ length: rank }, (_, axis) => Math.max(size(leftBatch, axis), size(rightBatch, axis)));
  const places = (dims: readonly number[]) => {
    const strides = stridesOf(dims);
    return walk(
      batch,
      batch.map((_, axis) => (size(dims, axis) === 1 ? 0 : strides[axis - rank + dims.length]!)),
    );
  };
  const [lefts, rights] = [places(leftBatch), places(rightBatch)];
  const data = new Float64Array(product(batch) * rows * columns);
  lefts.forEach((leftPlace, index) => {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          sum +=
            x.data[(leftPlace * rows + row) * inner + k]! * y.data[(rights[index]! * inner + k) * columns + column]!;
        }
        data[(index * rows + row) * columns + column] = sum;
      }
    }
  });
  const ends = [...(x.dims.length > 1 ? [rows] : []), ...(y.dims.length > 1 ? [columns] : [])];
  return { dims: [...batch, ...ends], data };
}

function gemm(node: Node, x: Array64, y: Array64, c?: Array64): Array64 {
  const turned = (a: Array64) => taken(a, [a.dims[1]!, a.dims[0]!], walk([a.dims[1]!, a.dims[0]!], [1, a.dims[1]!]));
  const result = matMul(int(node, "transA", 0) ? turned(x) : x, int(node, "transB", 0) ? turned(y) : y);
  const [alpha, beta] = [float(node, "alpha", 1), float(node, "beta", 1)];
  const scaled = map(result, (value) => alpha * value);
  return c ? zip(scaled, c, (a, b) => a + beta * b) : scaled;
}

function globalAverage({ dims, data }: Array64): Array64 {
  const size = product(dims.slice(2));
  const maps = Float64Array.from({ length: data.length / size }, (_, map) =>
    data.subarray(map * size, (map + 1) * size).reduce((sum, value) => sum + value / size, 0),
  );
  return { dims: dims.map((length, axis) => (axis < 2 ? length : 1)), data: maps };
}

function batchNormalization(node: Node, [x, gain, bias, mean, variance]: readonly Array64[]): Array64 {
  const channel = walk(
    x!.dims,
    x!.dims.map((_, axis) => (axis === 1 ? 1 : 0)),
  );
  const epsilon = float(node, "epsilon", 1e-5);
  return map(x!, (value, index) => {
    const c = channel[index]!;
    return ((value - mean!.data[c]!) / Math.sqrt(variance!.data[c]! + epsilon)) * gain!.data[c]! + bias!.data[c]!;
  });
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

function padded(x: Array64, pads: Float64Array, value: number, axes: ArrayLike<number>): Array64 {
  const [begins, ends] = [x.dims.map(() => 0), x.dims.map(() => 0)];
  for (let index = 0; index < axes.length; index++) {
    const axis = axes[index]! < 0 ? axes[index]! + x.dims.length : axes[index]!;
    [begins[axis], ends[axis]] = [pads[index]!, pads[index + axes.length]!];
  }
  const dims = x.dims.map((size, axis) => begins[axis]! + size + ends[axis]!);
  const [from, to] = [stridesOf(x.dims), stridesOf(dims)];
  const data = new Float64Array(product(dims)).map((_, place) => {
    const at = dims.map((size, axis) => (Math.floor(place / to[axis]!) % size) - begins[axis]!);
    if (at.some((index, axis) => index < 0 || index >= x.dims[axis]!)) return value;
    return x.data[at.reduce((sum, index, axis) => sum + index * from[axis]!, 0)]!;
  });
  return { dims, data };
}

function sliced(x: Array64, starts: number[], ends: number[], axes: number[]): Array64 {
  const strides = stridesOf(x.dims);
  const dims = [...x.dims];
  let start = 0;
  axes.forEach((given, index) => {
    const axis = given < 0 ? given + x.dims.length : given;
    const size = x.dims[axis]!;
    const clamp = (value: number) => Math.min(Math.max(value < 0 ? value + size : value, 0), size);
    dims[axis] = Math.max(0, clamp(ends[index]!) - clamp(starts[index]!));
    start += clamp(starts[index]!) * strides[axis]!;
  });
  return taken(x, dims, walk(dims, strides, start));
}
