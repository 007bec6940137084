import type { Builder } from "../graph/builder.ts";
import { fromNumbers } from "../graph/fold.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { concat, pad, reshape, scale, slice, swap, transpose } from "../graph/operators.ts";
import { count } from "../graph/tensor.ts";
import { windowOf } from "./rules/linear.ts";

/**
 * Features of a layer at all its positions, [B, G, m/G, T]: columns φ_t. Convolutions read patches, whose order
 * (channel and position in the kernel) is not that of W's columns: only inner products of features may be taken.
 */
export function featuresAt(b: Builder, layer: Layer): ValueId {
  const parts = layer.uses.map((use) => scale(b, featuresOfUse(b, layer, use), use.scale));
  return concat(b, parts, 3);
}

/**
 * Columns pulled back to a layer's pre-activations, [K, B, G, d/G, T].
 *
 * @param pulled cotangents of each use's pre-activation, [K, …its dims]
 */
export function columnsAt(b: Builder, layer: Layer, pulled: ReadonlyMap<ValueId, ValueId>): ValueId {
  const parts = layer.uses.flatMap((use) => {
    const value = pulled.get(use.preactivation);
    return value === undefined ? [] : [columnsOfUse(b, layer, use, value)];
  });
  return concat(b, parts, 4);
}

function featuresOfUse(b: Builder, layer: Layer, use: Use): ValueId {
  const dims = b.dims(use.features);
  const [batch] = dims as [number];
  if (use.kind === "convolution") return patches(b, layer, use);
  if (use.kind === "dense-left") return reshape(b, use.features, [batch, 1, layer.m, count(dims.slice(1)) / layer.m]);
  const positions = count(dims.slice(1, -1));
  return swap(b, reshape(b, use.features, [batch, 1, positions, layer.m]));
}

function columnsOfUse(b: Builder, layer: Layer, use: Use, value: ValueId): ValueId {
  const dims = b.dims(value);
  const [columns, batch] = dims as [number, number];
  const { d, groups } = layer;
  const positions = count(dims.slice(2)) / d;
  if (use.kind !== "dense") return reshape(b, value, [columns, batch, groups, d / groups, positions]);
  return swap(b, reshape(b, value, [columns, batch, 1, positions, d]));
}

/**
 * The patches that a convolution's kernel meets, [B, G, channels · kernel, T]. The last axis is taken by slices, the others by
 * gathering whole rows: each element is copied about once.
 */
function patches(b: Builder, layer: Layer, use: Use): ValueId {
  const { kernel, strides, dilations, pads } = windowOf(b, use.node);
  const [batch, channels] = b.dims(use.features) as [number, number];
  const rank = kernel.length;
  const output = b.dims(use.preactivation).slice(2);
  const padded = pad(b, use.features, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  const at = (list: readonly number[], axis: number) => list[axis] as number;
  const last = rank - 1;
  const size = b.dims(padded).slice(2);
  const taps = Array.from({ length: at(kernel, last) }, (_, tap) => {
    const start = tap * at(dilations, last);
    const end = start + (at(output, last) - 1) * at(strides, last) + 1;
    const whole = start === 0 && end === at(size, last) && at(strides, last) === 1;
    const taken = whole ? padded : slice(b, padded, [last + 2], [start], [end], [at(strides, last)]);
    return reshape(b, taken, [batch, layer.groups, channels / layer.groups, ...size.slice(0, last), at(output, last)]);
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

/** [K, B, G, d, T] to [B, G, T, K · d]: the columns of one sample side by side, for one product with its features. */
export function columnsSideBySide(b: Builder, value: ValueId): ValueId {
  const [columns, batch, groups, d, positions] = b.dims(value) as [number, number, number, number, number];
  // Only whole maps are moved; the runtime fuses the last swap into the product that follows.
  const moved = transpose(b, value, [1, 2, 0, 3, 4]);
  return swap(b, reshape(b, moved, [batch, groups, columns * d, positions]));
}
