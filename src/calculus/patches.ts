import type { Builder } from "../graph/builder.ts";
import { fromNumbers } from "../graph/fold.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { int, ints, string } from "../graph/graph.ts";
import { concat, pad, reshape, slice, transpose } from "../graph/operators.ts";
import { convolutionWindow, type Window } from "../graph/shapes/linear.ts";
import { count, type Dims } from "../graph/tensor.ts";

/** Sliding-window attributes of a convolution with every default written out. */
export function windowOf(b: Builder, node: Node): Window {
  const types = node.inputs.map((input) => b.typeIfKnown(input));
  const kernel = b.dims(node.inputs[1] as ValueId).slice(2);
  return convolutionWindow({ node, inputs: types, constant: () => undefined }, kernel);
}

/** What a sliding window reads from a padded input. */
interface Sliding {
  readonly kernel: Dims;
  readonly strides: Dims;
  readonly dilations: Dims;
  readonly output: Dims;
  readonly groups: number;
}

/**
 * The patches that a convolution's kernel meets, [B, G, features of one group, T].
 *
 * @param x what the node reads, or other numbers in its place
 */
export function patches(b: Builder, node: Node, x = node.inputs[0] as ValueId): ValueId {
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  const rank = kernel.length;
  const padded = pad(b, x, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  const output = b.dims(node.outputs[0] as ValueId).slice(2);
  const sliding = { kernel, strides, dilations, output, groups: int(node, "group", 1) };
  if (kernel.every((size) => size === 1)) return meshPatches(b, padded, sliding);
  return isTiled(sliding) ? tiles(b, padded, sliding) : slidingPatches(b, padded, sliding);
}

/** Whether the window of one output row is that of the row before, a row further down: {@link kernelRows} and {@link columnTaps} are for these. */
export function rowsShift(b: Builder, node: Node): boolean {
  const { kernel, strides } = windowOf(b, node);
  return kernel.length === 2 && strides[0] === 1 && (kernel[0] as number) > 1;
}

/**
 * What each row of the kernel meets, [B, G, kw · C/G, T]: slices of whole rows of one array, where {@link patches} are as many copies as the
 * kernel has rows.
 *
 * @param x what the node reads, or other numbers in its place
 */
export function kernelRows(b: Builder, node: Node, x?: ValueId): ValueId[] {
  const images = concat(b, columnTaps(b, node, x, true), 2);
  const { kernel, dilations } = windowOf(b, node);
  const [rows, columns] = b.dims(node.outputs[0] as ValueId).slice(2) as [number, number];
  return Array.from({ length: kernel[0] as number }, (_, tap) => {
    const start = tap * (dilations[0] as number) * columns;
    return slice(b, images, [3], [start], [start + rows * columns]);
  });
}

/** What each column of the kernel meets in the rows of the input, padded or as they are, [B, G, C/G, rows · columns of the output]. */
export function columnTaps(b: Builder, node: Node, x = node.inputs[0] as ValueId, padsRows = false): ValueId[] {
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  const [top, left, bottom, right] = pads as [number, number, number, number];
  const padded = pad(b, x, padsRows ? [0, 0, top, left, 0, 0, bottom, right] : [0, 0, 0, left, 0, 0, 0, right]);
  const output = b.dims(node.outputs[0] as ValueId).slice(2);
  const sliding = { kernel, strides, dilations, output, groups: int(node, "group", 1) };
  // A column that meets the input as it is needs no copy.
  const asItIs = (tap: number) =>
    !padsRows && strides[1] === 1 && tap * (dilations[1] as number) === left && output[1] === b.dims(x)[3];
  return lastAxisTaps(b, padded, sliding).map((taken, tap) => {
    const [batch, groups, channels, ...spatial] = b.dims(taken) as [number, number, number, ...number[]];
    return reshape(b, asItIs(tap) ? x : taken, [batch, groups, channels, count(spatial)]);
  });
}

/**
 * What a transposed convolution adds up at each output position: the patches of its input with zeros between the elements. Like
 * {@link patches}; the kernel's places come in reverse.
 */
export function transposedPatches(b: Builder, node: Node, x = node.inputs[0] as ValueId): ValueId {
  const [, w = ""] = node.inputs;
  const kernel = b.dims(w).slice(2);
  const rank = kernel.length;
  const ones = kernel.map(() => 1);
  const strides = ints(node, "strides") ?? ones;
  const dilations = ints(node, "dilations") ?? ones;
  const output = b.dims(node.outputs[0] as ValueId).slice(2);
  const at = (list: Dims, axis: number) => list[axis] as number;
  const begins = transposedPads(b, node, kernel, strides, dilations, output);
  let value = x;
  for (let axis = 0; axis < rank; axis++) value = spaced(b, value, axis + 2, at(strides, axis));
  const lengths = b.dims(value).slice(2);
  const left = kernel.map((size, axis) => (size - 1) * at(dilations, axis) - at(begins, axis));
  const right = kernel.map(
    (size, axis) => at(output, axis) + (size - 1) * at(dilations, axis) - at(left, axis) - at(lengths, axis),
  );
  const padded = pad(b, value, [0, 0, ...left, 0, 0, ...right]);
  return slidingPatches(b, padded, { kernel, strides: ones, dilations, output, groups: int(node, "group", 1) });
}

/** Begin pads of a transposed convolution, as the specification derives them from what is given. */
function transposedPads(b: Builder, node: Node, kernel: Dims, strides: Dims, dilations: Dims, output: Dims): number[] {
  const mode = string(node, "auto_pad", "NOTSET");
  const given = ints(node, "pads");
  if (mode === "NOTSET" && !ints(node, "output_shape")) return kernel.map((_, axis) => given?.[axis] ?? 0);
  const extra = ints(node, "output_padding");
  const input = b.dims(node.inputs[0] as ValueId).slice(2);
  return kernel.map((size, axis) => {
    const at = (list: Dims) => list[axis] as number;
    const total = at(strides) * (at(input) - 1) + (extra?.[axis] ?? 0) + (size - 1) * at(dilations) + 1 - at(output);
    return mode === "SAME_UPPER" ? Math.floor(total / 2) : total - Math.floor(total / 2);
  });
}

/** A value with stride − 1 zeros between its elements along an axis. */
function spaced(b: Builder, value: ValueId, axis: number, stride: number): ValueId {
  if (stride === 1) return value;
  const dims = b.dims(value);
  const size = dims[axis] as number;
  const column = reshape(b, value, [...dims.slice(0, axis + 1), 1, ...dims.slice(axis + 1)]);
  const none = b.dims(column).map(() => 0);
  const widened = pad(b, column, [...none, ...none.with(axis + 1, stride - 1)]);
  return slice(b, reshape(b, widened, dims.with(axis, size * stride)), [axis], [0], [(size - 1) * stride + 1]);
}

/** What each place of the kernel's last axis meets, [B, G, C/G, …, length of the output], the other axes whole. */
function lastAxisTaps(b: Builder, padded: ValueId, { kernel, strides, dilations, output, groups }: Sliding): ValueId[] {
  const [batch, channels, ...size] = b.dims(padded) as [number, number, ...number[]];
  const axis = kernel.length - 1;
  const [stride, dilation, length] = [strides, dilations, output].map((list) => list[axis]) as [number, number, number];
  return Array.from({ length: kernel[axis] as number }, (_, tap) => {
    const taken = everyOfLast(b, padded, { start: tap * dilation, length, stride });
    return reshape(b, taken, [batch, groups, channels / groups, ...size.with(axis, length)]);
  });
}

/** `length` elements of the last axis from `start` on, one in every `stride`, for which the last axis has room. */
function everyOfLast(
  b: Builder,
  x: ValueId,
  { start, length, stride }: { start: number; length: number; stride: number },
): ValueId {
  if (stride > 1) {
    const [phase, place] = [start % stride, Math.floor(start / stride)];
    const taken = slice(b, phases(b, x, stride), [0, 2], [phase, place], [phase + 1, place + length]);
    return reshape(b, taken, b.dims(x).with(-1, length));
  }
  return length === b.dims(x).at(-1) ? x : slice(b, x, [b.rank(x) - 1], [start], [start + length]);
}

/**
 * The elements of the last axis apart by their place modulo `stride`, [stride, rows, size / stride], with zeros up to a whole number: one
 * transposition, where the runtime slices in strides element by element. Rows are one axis, or the runtime slices first.
 */
function phases(b: Builder, x: ValueId, stride: number): ValueId {
  const dims = b.dims(x);
  const size = dims.at(-1) as number;
  const none = dims.map(() => 0);
  const whole = pad(b, x, [...none, ...none.with(-1, (stride - (size % stride)) % stride)]);
  const length = Math.ceil(size / stride);
  const rows = count(dims.slice(0, -1));
  const apart = transpose(b, reshape(b, whole, [...dims.slice(0, -1), length, stride]), [dims.length, ...dims.keys()]);
  return reshape(b, apart, [stride, rows, length]);
}

/** What windows of one element meet. */
function meshPatches(b: Builder, padded: ValueId, { strides, output, groups }: Sliding): ValueId {
  const [batch, channels] = b.dims(padded) as [number, number];
  const ends = output.map((length, axis) => (length - 1) * (strides[axis] as number) + 1);
  const rows = corner(b, padded, ends.slice(0, -1), strides);
  const met = everyOfLast(b, rows, { start: 0, length: output.at(-1) as number, stride: strides.at(-1) as number });
  return reshape(b, met, [batch, groups, channels / groups, count(output)]);
}

/** A map up to an end along the first axes, every so many elements. */
function corner(b: Builder, map: ValueId, ends: Dims, strides: Dims): ValueId {
  const size = b.dims(map).slice(2);
  if (ends.every((end, axis) => end === size[axis] && strides[axis] === 1)) return map;
  const axes = ends.map((_, axis) => axis + 2);
  const starts = ends.map(() => 0);
  return slice(b, map, axes, starts, ends, strides.slice(0, ends.length));
}

/** Whether square windows lie side by side: each element belongs to one. */
function isTiled({ kernel, strides, dilations }: Sliding): boolean {
  const [side] = kernel;
  const beside = kernel.every((size, axis) => size === side && strides[axis] === side && dilations[axis] === 1);
  return kernel.length === 2 && beside;
}

/** What windows side by side meet is the input in another order. */
function tiles(b: Builder, padded: ValueId, { kernel, output, groups }: Sliding): ValueId {
  const [batch, channels] = b.dims(padded) as [number, number];
  const [side] = kernel as [number];
  const covered = corner(
    b,
    padded,
    output.map((length) => length * side),
    kernel.map(() => 1),
  );
  const blocks = b.add("SpaceToDepth", [covered], { blocksize: side });
  // From the kernel's rows, its columns, channels.
  const split = reshape(b, blocks, [batch, side, side, groups, channels / groups, count(output)]);
  const moved = transpose(b, split, [0, 3, 2, 4, 1, 5]);
  return reshape(b, moved, [batch, groups, (channels / groups) * side ** 2, count(output)]);
}

/**
 * Windows of a padded input, [B, G, channels · kernel, T]. The last axis is taken by slices, the others by gathering whole rows:
 * each element is copied about once.
 */
function slidingPatches(b: Builder, padded: ValueId, sliding: Sliding): ValueId {
  const { kernel, strides, dilations, output } = sliding;
  const at = (list: readonly number[], axis: number) => list[axis] as number;
  const last = kernel.length - 1;
  const size = b.dims(padded).slice(2);
  let value = concat(b, lastAxisTaps(b, padded, sliding), 2);
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
