import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { concat, pad, reshape, scale, slice, swap, transpose } from "../graph/operators.ts";
import { count } from "../graph/tensor.ts";
import { windowOf } from "./rules/linear.ts";

/**
 * Features of a layer at all its positions, [B, G, m/G, T]: columns φ_t. Convolutions read patches, whose order
 * (kernel position, then channel) is not that of W's columns: only inner products of features may be taken.
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

/** The patches that a convolution's kernel meets, as slices of its padded input: [B, G, kernel · channels, T]. */
function patches(b: Builder, layer: Layer, use: Use): ValueId {
  const { kernel, strides, dilations, pads } = windowOf(b, use.node);
  const [batch, channels] = b.dims(use.features) as [number, number];
  const rank = kernel.length;
  const output = b.dims(use.preactivation).slice(2);
  const padded = pad(b, use.features, [0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]);
  const axes = kernel.map((_, axis) => axis + 2);
  const group = [batch, layer.groups, channels / layer.groups, count(output)];
  const parts = offsets(kernel).map((offset) => {
    const starts = offset.map((tap, axis) => tap * (dilations[axis] as number));
    const ends = starts.map((start, axis) => start + ((output[axis] as number) - 1) * (strides[axis] as number) + 1);
    return reshape(b, slice(b, padded, axes, starts, ends, strides), group);
  });
  return concat(b, parts, 2);
}

/** All positions inside a kernel, the last axis fastest. */
function offsets(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (list, size) => list.flatMap((offset) => Array.from({ length: size }, (_, tap) => [...offset, tap])),
    [[]],
  );
}

/** [K, B, G, d, T] to [B, G, T, K · d]: the columns of one sample side by side, for one product with its features. */
export function columnsSideBySide(b: Builder, value: ValueId): ValueId {
  const [columns, batch, groups, d, positions] = b.dims(value) as [number, number, number, number, number];
  const moved = transpose(b, value, [1, 2, 4, 0, 3]);
  return reshape(b, moved, [batch, groups, positions, columns * d]);
}
