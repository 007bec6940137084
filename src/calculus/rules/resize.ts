import { UnsupportedOperatorError } from "../../errors.ts";
import type { ValueId } from "../../graph/graph.ts";
import { describe, ints, string } from "../../graph/graph.ts";
import { foldLead, reshape, slice, swap } from "../../graph/operators.ts";
import { Tensor } from "../../graph/tensor.ts";
import { alongAxis } from "./axis-maps.ts";
import { cotangent, linear, type Differentiated, type Rule } from "./rule.ts";

// Resize is linear, a product of one small matrix an axis. The runtime's own kernel pushes. It also makes the matrices, of unit
// vectors when a session opens: which neighbour is nearest hangs on the last bit of a place, and versions differ in it.

const ROI = 1;
const SCALES = 2;
const SIZES = 3;

/** The axes that the scales, sizes and regions of a node are about. */
function axesOf({ b, node }: Differentiated): number[] {
  const rank = b.rank(node.inputs[0] as ValueId);
  return (ints(node, "axes") ?? Array.from({ length: rank }, (_, axis) => axis)).map((axis) => (axis + rank) % rank);
}

function numbersAt({ b, node }: Differentiated, index: number): number[] | undefined {
  const tensor = b.constantOf(node.inputs[index] ?? "");
  return tensor && Array.from(tensor.numbers());
}

/** The attributes but for the axes, and zero instead of the constant outside a region. */
function attributesOf({ node }: Differentiated) {
  const { axes: _, ...attributes } = node.attributes;
  return { ...attributes, extrapolation_value: { float: 0 } };
}

/** The matrix [in, out] of each axis; undefined where it stays as it is. */
function axisMatrices(at: Differentiated): (ValueId | undefined)[] {
  const { b, node } = at;
  const from = b.dims(node.inputs[0] as ValueId);
  const to = b.dims(node.outputs[0] as ValueId);
  // The runtime copies what keeps its size, whatever scale or region is asked for.
  if (from.every((size, axis) => size === to[axis])) return from.map(() => undefined);
  const scales = node.inputs[SIZES] ? undefined : numbersAt(at, SCALES);
  return from.map((size, axis) => {
    const scale = scales?.[axesOf(at).indexOf(axis)] ?? 1;
    return size === to[axis] && scale === 1 ? undefined : axisMatrix(at, axis, scales && scale);
  });
}

function axisMatrix(at: Differentiated, axis: number, scale: number | undefined): ValueId {
  const { b, node } = at;
  const inputs = b.dims(node.inputs[0] as ValueId)[axis] as number;
  const outputs = b.dims(node.outputs[0] as ValueId)[axis] as number;
  const identity = Float32Array.from({ length: inputs ** 2 }, (_, place) => Number(place % (inputs + 1) === 0));
  const units = b.constant(Tensor.float32([inputs, 1, 1, inputs], identity));
  // A single row becomes two like it: the runtime would copy images that keep both lengths.
  const given = [units, regionOf(at, axis), "", ""];
  if (scale === undefined) given[SIZES] = b.integers([inputs, 1, 2, outputs]);
  else given[SCALES] = b.constant(Tensor.float32([4], [1, 1, 2, scale]));
  while (given.at(-1) === "") given.pop();
  const rows = b.add("Resize", given, attributesOf(at));
  return reshape(b, slice(b, rows, [2], [0], [1]), [inputs, outputs]);
}

/** The part of an axis that is read, as the roi of [unit vectors, 1, 1, axis]. */
function regionOf(at: Differentiated, axis: number): ValueId {
  const { b, node } = at;
  if (string(node, "coordinate_transformation_mode", "half_pixel") !== "tf_crop_and_resize") return "";
  const regions = numbersAt(at, ROI);
  if (!regions) {
    throw new UnsupportedOperatorError(
      `node ${describe(node)}: no derivative rule where the region (roi) is computed from the data`,
    );
  }
  const axes = axesOf(at);
  const index = axes.indexOf(axis);
  const [start, end] = [regions[index] as number, regions[index + axes.length] as number];
  return b.constant(Tensor.float32([8], [0, 0, 0, start, 1, 1, 1, end]));
}

/** The runtime's Resize of a value whose first axis is a batch of any size. */
function resizedBatch(at: Differentiated, value: ValueId): ValueId {
  const { b, node } = at;
  const inputs = [value, ...node.inputs.slice(1)];
  const batch = b.dims(value)[0] as number;
  const sizes = numbersAt(at, SIZES)?.map((size, index) => (axesOf(at)[index] === 0 ? batch : size));
  if (sizes && batch !== b.dims(node.inputs[0] as ValueId)[0]) inputs[SIZES] = b.integers(sizes);
  const { axes } = node.attributes;
  return b.add("Resize", inputs, { ...attributesOf(at), ...(axes ? { axes } : {}) });
}

const resize: Rule = linear(
  (at, value, lead) => {
    const { b, node } = at;
    const matrices = axisMatrices(at);
    if (lead > 0 && matrices[0]) {
      // Leading axes cannot join a first axis that is resized itself.
      return matrices.reduce<ValueId>(
        (given, matrix, axis) => (matrix ? alongAxis(b, given, lead + axis, matrix) : given),
        value,
      );
    }
    const output = resizedBatch(at, lead > 0 ? foldLead(b, value) : value);
    return reshape(b, output, [...b.dims(value).slice(0, lead), ...b.dims(node.outputs[0] as ValueId)]);
  },
  (at) =>
    axisMatrices(at).reduce<ValueId>(
      (given, matrix, axis) => (matrix ? alongAxis(at.b, given, at.lead + axis, swap(at.b, matrix)) : given),
      cotangent(at),
    ),
);

export const resizeRules: Readonly<Record<string, Rule>> = { Resize: resize };
