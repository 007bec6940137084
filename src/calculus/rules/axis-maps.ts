import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { matMul, reshape, swap } from "../../graph/operators.ts";
import { count, Tensor } from "../../graph/tensor.ts";

// Maps of images that are a product of one small matrix an axis: average pooling, interpolation. Their transposes are as many
// products with matrices: up to three times as fast as a ConvTranspose, in any number of axes.

/** y_o = Σ_i x_i matrix[i, o] along one axis. */
export function alongAxis(b: Builder, value: ValueId, axis: number, matrix: ValueId): ValueId {
  const dims = b.dims(value);
  const [inputs, outputs] = b.dims(matrix) as [number, number];
  const behind = count(dims.slice(axis + 1));
  if (behind === 1) {
    const rows = reshape(b, value, [...dims.slice(0, axis), inputs]);
    return reshape(b, matMul(b, rows, matrix), dims.with(axis, outputs));
  }
  const columns = reshape(b, value, [count(dims.slice(0, axis)), inputs, behind]);
  return reshape(b, matMul(b, swap(b, matrix), columns), dims.with(axis, outputs));
}

/** A matrix [inputs, outputs] that is known. */
export interface AxisMap {
  readonly inputs: number;
  readonly outputs: number;
  readonly weights: Float64Array;
}

/** The map whose outputs are sums of these inputs times weights. */
export function axisMap(
  inputs: number,
  taken: readonly (readonly (readonly [input: number, weight: number])[])[],
): AxisMap {
  const outputs = taken.length;
  const weights = new Float64Array(inputs * outputs);
  taken.forEach((pairs, output) => {
    for (const [input, weight] of pairs) weights[input * outputs + output] = weight;
  });
  return { inputs, outputs, weights };
}

export function transposed({ inputs, outputs, weights }: AxisMap): AxisMap {
  const turned = new Float64Array(weights.length);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      turned[output * inputs + input] = weights[input * outputs + output] as number;
    }
  }
  return { inputs: outputs, outputs: inputs, weights: turned };
}

/** Planes of at most this many elements are mapped by one product. */
const SMALL_PLANE = 64;

/** Applies known maps to axes that follow each other, from `axis` on. */
export function throughAxes(b: Builder, value: ValueId, axis: number, maps: readonly AxisMap[]): ValueId {
  const dims = b.dims(value);
  const plane = dims.slice(axis, axis + maps.length);
  const matrix = ({ inputs, outputs, weights }: AxisMap) => b.constant(Tensor.float32([inputs, outputs], weights));
  if (count(plane) > SMALL_PLANE) {
    return maps.reduce((given, map, index) => alongAxis(b, given, axis + index, matrix(map)), value);
  }
  const [before, behind] = [dims.slice(0, axis), dims.slice(axis + maps.length)];
  const flat = reshape(b, value, [...before, count(plane), ...behind]);
  const mapped = alongAxis(b, flat, axis, matrix(maps.reduce(product)));
  return reshape(b, mapped, [...before, ...maps.map(({ outputs }) => outputs), ...behind]);
}

/** The map of a plane by those of its axes: their Kronecker product. */
function product(left: AxisMap, right: AxisMap): AxisMap {
  const [inputs, outputs] = [left.inputs * right.inputs, left.outputs * right.outputs];
  const weights = new Float64Array(inputs * outputs);
  for (let input = 0; input < inputs; input++) {
    for (let output = 0; output < outputs; output++) {
      const [above, beside] = [Math.floor(input / right.inputs), input % right.inputs];
      const [row, column] = [Math.floor(output / right.outputs), output % right.outputs];
      weights[input * outputs + output] =
        (left.weights[above * left.outputs + row] as number) *
        (right.weights[beside * right.outputs + column] as number);
    }
  }
  return { inputs, outputs, weights };
}
