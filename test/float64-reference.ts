import type { Graph, Node, ValueId } from "../src/graph/graph.ts";
import { float, int } from "../src/graph/graph.ts";
import type { Tensor } from "../src/graph/tensor.ts";
import { map, product, stridesOf, taken, walk, zip, type Array64 } from "./float64-array.ts";
import { moved } from "./float64-movement.ts";
import { averagePool, convolution, maxima, poolDims, transposedConvolution } from "./float64-windows.ts";

/**
 * What was decided at the kinks of a network: slopes of piecewise linear functions, places of maxima. With the decisions
 * of one run kept, a piecewise linear network is affine, so that its derivatives are exact differences.
 */
export type Decisions = Map<Node, Float64Array | Int32Array>;

/** An operator's value, where it is one of these. */
export type Operators = (node: Node, inputs: readonly (Array64 | undefined)[]) => Array64 | undefined;

/**
 * Runs a graph in float64 by plain loops: a second route to the values that the runtime gives in float32.
 *
 * @param given values of inputs; also of constants, in place of the graph's own
 * @param kept decisions to follow; without them they are made anew
 * @param made takes the decisions of this run
 * @param more operators besides those that are here, looked at first
 */
export function run(
  graph: Graph,
  given: ReadonlyMap<ValueId, Array64>,
  { kept, made, more }: { kept?: Decisions; made?: Decisions; more?: Operators } = {},
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
    values.set(node.outputs[0]!, more?.(node, inputs) ?? evaluate(node, inputs, decide));
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
    case "GlobalLpPool":
      return lengths(x);
    case "Relu":
      return sloped(x, decide, (value) => (value > 0 ? 1 : 0));
    case "LeakyRelu":
      return sloped(x, decide, (value) => (value > 0 ? 1 : float(node, "alpha", 0.01)));
    case "Clip":
      return clipped(x, y?.data[0] ?? -Infinity, z?.data[0] ?? Infinity, decide);
    case "Tanh":
      return map(x, Math.tanh);
    case "Softplus":
      return map(x, (value) => Math.max(value, 0) + Math.log1p(Math.exp(-Math.abs(value))));
    case "Gather":
      return rowsAt(x, y);
    case "MatMul":
      return matMul(x, y);
    case "Gemm":
      return gemm(node, x, y, z);
    case "Conv":
      return convolution(node, x, y, z);
    case "ConvTranspose":
      return transposedConvolution(node, x, y, z);
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

/** Rows of a table at indices: Gather along axis 0. */
function rowsAt(table: Array64, { dims, data }: Array64): Array64 {
  const width = product(table.dims.slice(1));
  const rows = Array.from(data, (row) => Array.from(table.data.subarray(row * width, (row + 1) * width)));
  return { dims: [...dims, ...table.dims.slice(1)], data: Float64Array.from(rows.flat()) };
}

function globalAverage({ dims, data }: Array64): Array64 {
  const size = product(dims.slice(2));
  const maps = Float64Array.from({ length: data.length / size }, (_, map) =>
    data.subarray(map * size, (map + 1) * size).reduce((sum, value) => sum + value / size, 0),
  );
  return { dims: dims.map((length, axis) => (axis < 2 ? length : 1)), data: maps };
}

/** √Σ x² of each map. */
function lengths({ dims, data }: Array64): Array64 {
  const size = product(dims.slice(2));
  const maps = Float64Array.from({ length: data.length / size }, (_, index) =>
    Math.hypot(...data.subarray(index * size, (index + 1) * size)),
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
