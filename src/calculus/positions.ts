import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { concat, reshape, scale, swap, transpose } from "../graph/operators.ts";
import { count } from "../graph/tensor.ts";
import { patches } from "./patches.ts";

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
  if (use.kind === "convolution") return patches(b, use.node);
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

/** [K, B, G, d, T] to [B, G, T, K · d]: the columns of one sample side by side, for one product with its features. */
export function columnsSideBySide(b: Builder, value: ValueId): ValueId {
  const [columns, batch, groups, d, positions] = b.dims(value) as [number, number, number, number, number];
  // Only whole maps are moved; the runtime fuses the last swap into the product that follows.
  const moved = transpose(b, value, [1, 2, 0, 3, 4]);
  return swap(b, reshape(b, moved, [batch, groups, columns * d, positions]));
}
