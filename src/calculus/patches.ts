import type { Builder } from "../graph/builder.ts";
import { fromNumbers } from "../graph/fold.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { int } from "../graph/graph.ts";
import { concat, pad, reshape, slice, transpose } from "../graph/operators.ts";
import { convolutionWindow, type Window } from "../graph/shapes/linear.ts";
import { count } from "../graph/tensor.ts";

/** Sliding-window attributes of a convolution with every default written out. */
export function windowOf(b: Builder, node: Node): Window {
  const types = node.inputs.map((input) => b.typeIfKnown(input));
  const kernel = b.dims(node.inputs[1] as ValueId).slice(2);
  return convolutionWindow({ node, inputs: types, constant: () => undefined }, kernel);
}

/**
 * The patches that a convolution's kernel meets, [B, G, channels · kernel, T]. The last axis is taken by slices, the others by
 * gathering whole rows: each element is copied about once.
 */
export function patches(b: Builder, node: Node): ValueId {
  const [x = ""] = node.inputs;
  const groups = int(node, "group", 1);
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  const [batch, channels] = b.dims(x) as [number, number];
  const rank = kernel.length;
  const output = b.dims(node.outputs[0] as ValueId).slice(2);
  const padded = pad(b, x, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  const at = (list: readonly number[], axis: number) => list[axis] as number;
  const last = rank - 1;
  const size = b.dims(padded).slice(2);
  const taps = Array.from({ length: at(kernel, last) }, (_, tap) => {
    const start = tap * at(dilations, last);
    const end = start + (at(output, last) - 1) * at(strides, last) + 1;
    const whole = start === 0 && end === at(size, last) && at(strides, last) === 1;
    const taken = whole ? padded : slice(b, padded, [last + 2], [start], [end], [at(strides, last)]);
    return reshape(b, taken, [batch, groups, channels / groups, ...size.slice(0, last), at(output, last)]);
  });
  let value = concat(b, taps, 2);
  // Axis 3 + axis of [B, G, ·, spatial…] becomes two: position in the kernel, position in the output.
  for (let axis = last - 1; axis >= 0; axis--) {
    const rows = Array.from({ length: at(kernel, axis) }, (_, tap) =>
      Array.from(
        { length: at(output, axis) },
        (__, position) => tap * at(dilations, axis) + position * at(strides, axis),
      ),
    );
    const whole = rows.length === 1 && at(output, axis) === at(size, axis);
    if (whole) continue;
    const gathered = b.add(
      "Gather",
      [value, b.constant(fromNumbers("int64", [rows.length, at(output, axis)], rows.flat()))],
      { axis: axis + 3 },
    );
    // The kernel's position joins the features.
    const order = Array.from({ length: b.rank(gathered) }, (_, index) => index);
    const moved = transpose(b, gathered, [
      0,
      1,
      2,
      axis + 3,
      ...order.filter((index) => index > 2 && index !== axis + 3),
    ]);
    const dims = b.dims(moved);
    value = reshape(b, moved, [...dims.slice(0, 2), at(dims, 2) * at(dims, 3), ...dims.slice(4)]);
  }
  return reshape(b, value, [...b.dims(value).slice(0, 3), count(output)]);
}

/**
 * What belongs to the features of {@link patches}, in the order of W's columns (channel, kernel axes): their order is the kernel's last
 * axis, channel, the other axes from the last but one to the first.
 *
 * @param value [rows…, features of one group]
 */
export function inKernelOrder(b: Builder, node: Node, value: ValueId): ValueId {
  const [channels, ...kernel] = b.dims(node.inputs[1] as ValueId).slice(1) as [number, ...number[]];
  const rows = b.dims(value).slice(0, -1);
  const inner = kernel.slice(0, -1).reverse();
  const split = reshape(b, value, [...rows, kernel.at(-1) as number, channels, ...inner]);
  const first = rows.length;
  const spatial = inner.map((_, index) => first + 2 + inner.length - 1 - index);
  return transpose(b, split, [...rows.keys(), first + 1, ...spatial, first]);
}
