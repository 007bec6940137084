import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { matMul, pad, reshape, transpose } from "../graph/operators.ts";
import { fromNumbers } from "../graph/fold.ts";
import type { Window } from "../graph/shapes/linear.ts";
import { count, type Dims } from "../graph/tensor.ts";

// Images as [H, C, W, N], the batch innermost: what a window reads are blocks of N numbers that stand together in memory, and a
// convolution's output has the layout of its input.

/** [N, C, H, W] as [H, C, W, N]. */
export function batchInnermost(b: Builder, images: ValueId): ValueId {
  const [batch, channels, height, width] = b.dims(images) as [number, number, number, number];
  const columns = transpose(b, reshape(b, images, [batch, channels * height * width]), [1, 0]);
  return reordered(b, columns, [channels, height, width, batch]);
}

/** [H, C, W, N] as [N, C, H, W]. */
export function batchFirst(b: Builder, images: ValueId): ValueId {
  const [height, channels, width, batch] = b.dims(images) as [number, number, number, number];
  const columns = reshape(b, reordered(b, images, b.dims(images)), [channels * height * width, batch]);
  return reshape(b, transpose(b, columns, [1, 0]), [batch, channels, height, width]);
}

/**
 * The first two axes swapped, as a gather of whole rows: two Transpose operators in a row the runtime would make one, which moves
 * numbers one by one.
 */
function reordered(b: Builder, images: ValueId, [first, second, ...row]: Dims): ValueId {
  const [outer, inner] = [first as number, second as number];
  const order = Array.from(
    { length: outer * inner },
    (_, place) => (place % outer) * inner + Math.floor(place / outer),
  );
  const rows = reshape(b, images, [outer * inner, count(row)]);
  return reshape(b, b.add("Gather", [rows, b.integers(order)], { axis: 0 }), [inner, outer, ...row]);
}

/**
 * What a window reads at each of its places, [rows, kh · C · kw, columns · N]: two gathers of whole blocks.
 *
 * @param output rows and columns of the window's places
 */
function patches(b: Builder, images: ValueId, { kernel, strides, pads }: Window, output: Dims): ValueId {
  const [top, left, bottom, right] = pads as [number, number, number, number];
  const padded = pad(b, images, [top, 0, left, 0, bottom, 0, right, 0]);
  const [, channels, , batch] = b.dims(padded) as [number, number, number, number];
  const [tall, wide] = kernel as [number, number];
  const [down, along] = strides as [number, number];
  const [rows, columns] = output as [number, number];
  // [rows, kh, C, W, N], then [rows, kh, C, kw, columns, N].
  const inRows = gatherGrid(b, padded, 0, { size: rows, step: down }, { size: tall, step: 1 });
  const inBoth = gatherGrid(b, inRows, 3, { size: wide, step: 1 }, { size: columns, step: along });
  return reshape(b, inBoth, [rows, tall * channels * wide, columns * batch]);
}

interface Steps {
  readonly size: number;
  readonly step: number;
}

/** An axis as two: place (i, j) reads i · outer.step + j · inner.step. */
function gatherGrid(b: Builder, value: ValueId, axis: number, outer: Steps, inner: Steps): ValueId {
  const places = Array.from({ length: outer.size }, (_, i) =>
    Array.from({ length: inner.size }, (__, j) => i * outer.step + j * inner.step),
  );
  return b.add("Gather", [value, b.constant(fromNumbers("int64", [outer.size, inner.size], places.flat()))], { axis });
}

/**
 * A convolution of images [H, C, W, N] as one product a row of its output, [rows, O, columns, N].
 *
 * @param kernels [O, C, kh, kw]
 * @param output rows and columns of the output
 */
export function convolved(b: Builder, images: ValueId, kernels: ValueId, window: Window, output: Dims): ValueId {
  const [channels] = b.dims(kernels) as [number];
  const batch = b.dims(images)[3] as number;
  const [rows, columns] = output as [number, number];
  const matrix = reshape(b, transpose(b, kernels, [0, 2, 1, 3]), [channels, count(b.dims(kernels).slice(1))]);
  return reshape(b, matMul(b, matrix, patches(b, images, window, output)), [rows, channels, columns, batch]);
}

/** A bias of each channel, [C], added to images [H, C, W, N]. */
export function biased(b: Builder, images: ValueId, bias: ValueId = ""): ValueId {
  if (bias === "") return images;
  return b.add("Add", [images, reshape(b, bias, [b.dims(bias)[0] as number, 1, 1])]);
}
