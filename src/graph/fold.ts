import type { Node, ValueType } from "./graph.ts";
import { int, ints } from "./graph.ts";
import { elementTypes } from "./onnx-tensors.ts";
import { sliceRanges, shapeSlice } from "./shapes/movement.ts";
import type { Dims, ElementType, TypedArray } from "./tensor.ts";
import { clampedInt64, count, Tensor } from "./tensor.ts";

/** Constants larger than this are masks and tables: they are left to the runtime. */
const LARGEST_FOLDED = 4096;
/** Floats larger than this are weights, which must stay where the layer finder sees them. */
const LARGEST_FOLDED_FLOATS = 8;
/** What `fromNumbers` makes of numbers without a loss; half precision is left to the runtime. */
const made: readonly ElementType[] = ["float32", "float64", "int64", "int32", "uint8", "bool"];

/**
 * Evaluates the constant arithmetic that exporters leave (shapes, axes, small scales) at static shapes.
 * Undefined when the node is not of that kind.
 */
export function fold(
  node: Node,
  types: readonly (ValueType | undefined)[],
  constants: readonly (Tensor | undefined)[],
  output: ValueType,
): Tensor | undefined {
  const float = output.type.startsWith("float");
  const largest = float ? LARGEST_FOLDED_FLOATS : LARGEST_FOLDED;
  if (node.domain !== "" || count(output.dims) > largest || !made.includes(output.type)) return undefined;
  if (node.op === "Shape" && types[0]) {
    const dims = types[0].dims;
    return Tensor.int64(shapeSlice(dims.length, { node }).map((axis) => dims[axis] as number));
  }
  if (node.op === "Size" && types[0]) return Tensor.int64(count(types[0].dims));
  const inputs: Operand[] = [];
  for (const [index, name] of node.inputs.entries()) {
    const tensor = constants[index];
    if (name === "") continue;
    if (!tensor || tensor.type === "string" || tensor.size > largest) return undefined;
    // However small, a matrix of floats is a weight.
    if (float && tensor.type.includes("float") && tensor.dims.length > 1) return undefined;
    inputs.push({ dims: tensor.dims, values: tensor.numbers() });
  }
  const query = { node, inputs: types, constant: (index: number) => constants[index] };
  const values = evaluate(node, inputs, output, () => sliceRanges(query));
  if (!values || float) return values && fromNumbers(output.type, output.dims, values);
  // A division by zero, or a place outside the data: the runtime may say what it is.
  const whole = Array.from(values, Math.trunc);
  return whole.every(Number.isFinite) ? fromNumbers(output.type, output.dims, whole) : undefined;
}

interface Operand {
  readonly dims: Dims;
  readonly values: ArrayLike<number>;
}

const unaries: Readonly<Record<string, (x: number) => number>> = {
  Neg: (x) => -x,
  Abs: Math.abs,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Sqrt: Math.sqrt,
  Not: (x) => (x ? 0 : 1),
};

const binaries: Readonly<Record<string, (x: number, y: number) => number>> = {
  Add: (x, y) => x + y,
  Sub: (x, y) => x - y,
  Mul: (x, y) => x * y,
  Div: (x, y) => x / y,
  Pow: (x, y) => x ** y,
  Min: Math.min,
  Max: Math.max,
  Equal: (x, y) => Number(x === y),
  Greater: (x, y) => Number(x > y),
  Less: (x, y) => Number(x < y),
  GreaterOrEqual: (x, y) => Number(x >= y),
  LessOrEqual: (x, y) => Number(x <= y),
  And: (x, y) => Number(x !== 0 && y !== 0),
  Or: (x, y) => Number(x !== 0 || y !== 0),
};

const reductions: Readonly<Record<string, (values: number[]) => number>> = {
  ReduceProd: (values) => values.reduce((product, value) => product * value, 1),
  ReduceSum: (values) => values.reduce((sum, value) => sum + value, 0),
  ReduceMax: (values) => Math.max(...values),
  ReduceMin: (values) => Math.min(...values),
};

const asTheyAre = new Set(["Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

function evaluate(
  node: Node,
  inputs: readonly Operand[],
  output: ValueType,
  ranges: () => { begin: number; step: number; length: number }[],
): ArrayLike<number> | undefined {
  const [first, second] = inputs;
  const { dims } = output;
  const size = count(dims);
  if (node.op === "ConstantOfShape") {
    const value = node.attributes["value"];
    const filling = value?.kind === "tensor" ? (value.value.numbers()[0] ?? 0) : 0;
    return Array.from({ length: size }, () => filling);
  }
  if (!first) return undefined;
  if (asTheyAre.has(node.op)) return first.values;
  if (node.op === "Cast") {
    const to = elementTypes[int(node, "to", 1)];
    if (to === "bool") return Array.from(first.values, (value) => Number(value !== 0));
    return first.values;
  }
  const unary = unaries[node.op];
  if (unary) return Array.from(first.values, unary);
  const binary = node.op === "Mod" ? modulo(node) : binaries[node.op];
  // Min and Max take any number of operands.
  if (binary && second) return elementwise(dims, inputs, (...values) => values.reduce((x, y) => binary(x, y)));
  if (node.op === "Where") return elementwise(dims, inputs, (test, x, y) => (test ? x : y) as number);
  if (node.op === "Expand") return elementwise(dims, [first], (x) => x as number);
  const reduction = reductions[node.op];
  if (reduction && size === 1) return [reduction(Array.from(first.values))];
  switch (node.op) {
    case "Range":
      return Array.from({ length: size }, (_, index) => (first.values[0] ?? 0) + index * (inputs[2]?.values[0] ?? 1));
    case "Concat":
      return concatenate(inputs, node, output);
    case "Gather":
      return second && gather(first, second, node, size);
    case "Slice": {
      const list = ranges();
      return pick(dims, first, (axis, index) => (list[axis]?.begin ?? 0) + index * (list[axis]?.step ?? 1));
    }
    case "Transpose": {
      const order = ints(node, "perm") ?? first.dims.map((_, axis) => first.dims.length - 1 - axis);
      const strides = stridesOf(first.dims);
      return fill(
        dims,
        (at) => first.values[order.reduce((sum, axis, index) => sum + (at[index] ?? 0) * (strides[axis] ?? 0), 0)],
      );
    }
    default:
      return undefined;
  }
}

/** The remainder has the sign of the divisor, or of the dividend as in C. */
function modulo(node: Node): (x: number, y: number) => number {
  return int(node, "fmod", 0) === 1 ? (x, y) => x % y : (x, y) => x - y * Math.floor(x / y);
}

function stridesOf(dims: Dims): number[] {
  return dims.map((_, axis) => count(dims.slice(axis + 1)));
}

/** Fills an array of these dimensions from a function of the multi-index. */
function fill(dims: Dims, value: (at: number[]) => number | undefined): number[] {
  const strides = stridesOf(dims);
  return Array.from({ length: count(dims) }, (_, flat) => {
    return value(dims.map((size, axis) => Math.floor(flat / (strides[axis] as number)) % size)) ?? 0;
  });
}

function pick(dims: Dims, from: Operand, source: (axis: number, index: number) => number): number[] {
  const strides = stridesOf(from.dims);
  return fill(
    dims,
    (at) => from.values[at.reduce((sum, index, axis) => sum + source(axis, index) * (strides[axis] ?? 0), 0)],
  );
}

function elementwise(dims: Dims, operands: readonly Operand[], apply: (...values: number[]) => number): number[] {
  const strides = operands.map((operand) => {
    const missing = dims.length - operand.dims.length;
    const own = stridesOf(operand.dims);
    return dims.map((_, axis) =>
      axis < missing || operand.dims[axis - missing] === 1 ? 0 : (own[axis - missing] ?? 0),
    );
  });
  return fill(dims, (at) =>
    apply(
      ...operands.map((operand, index) => {
        const flat = at.reduce((sum, position, axis) => sum + position * (strides[index]?.[axis] ?? 0), 0);
        return operand.values[flat] as number;
      }),
    ),
  );
}

function concatenate(inputs: readonly Operand[], node: Node, output: ValueType): number[] {
  const axis = (int(node, "axis", 0) + output.dims.length) % output.dims.length;
  const outer = count(output.dims.slice(0, axis));
  return Array.from({ length: outer }, (_, row) =>
    inputs.flatMap((operand) => {
      const chunk = count(operand.dims.slice(axis));
      return Array.from({ length: chunk }, (__, index) => operand.values[row * chunk + index] as number);
    }),
  ).flat();
}

function gather(data: Operand, indices: Operand, node: Node, size: number): number[] {
  const axis = (int(node, "axis", 0) + data.dims.length) % data.dims.length;
  const length = data.dims[axis] as number;
  const inner = count(data.dims.slice(axis + 1));
  const rows = indices.values.length;
  return Array.from({ length: size }, (_, flat) => {
    const index = indices.values[Math.floor(flat / inner) % rows] as number;
    const outer = Math.floor(flat / (inner * rows));
    return data.values[(outer * length + (index < 0 ? index + length : index)) * inner + (flat % inner)] as number;
  });
}

/** A tensor of any numeric type from numbers. */
export function fromNumbers(type: ElementType, dims: Dims, values: ArrayLike<number>): Tensor {
  const makers: Partial<Record<ElementType, () => TypedArray>> = {
    float32: () => Float32Array.from(values),
    float64: () => Float64Array.from(values),
    int64: () => BigInt64Array.from(Array.from(values, clampedInt64)),
    int32: () => Int32Array.from(values),
    uint8: () => Uint8Array.from(values),
    bool: () => Uint8Array.from(values),
  };
  const make = makers[type];
  if (!make) throw new TypeError(`cannot make a constant of type ${type}`);
  return Tensor.of(type, dims, make());
}
