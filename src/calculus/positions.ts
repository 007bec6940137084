import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { cast, concat, mul, reshape, scale, swap, transpose } from "../graph/operators.ts";
import { count, Tensor } from "../graph/tensor.ts";
import { patches, transposedPatches } from "./patches.ts";
import { inverse, scaledFeatures } from "./scaled-features.ts";

/**
 * Features of a layer at all its positions, [B, G, m/G, T]: columns φ_t. Convolutions read patches, whose order
 * (channel and position in the kernel) is not that of W's columns: only inner products of features may be taken.
 */
export function featuresAt(b: Builder, layer: Layer): ValueId {
  if (layer.uses.every((use) => use.kind === "embedding")) return tokenFeatures(b, layer);
  const parts = layer.uses.map((use) => scale(b, featuresOfUse(b, layer, use), use.scale));
  return concat(b, parts, 3);
}

/**
 * Rows that stand for all features of one group in sums over them: the features themselves, or, where positions are fewer, a factor
 * L of the positions' inner products, L Lᵀ = ΦᵀΦ.
 */
export function rowCount(layer: Layer): number {
  return Math.min(featureWidth(layer), layer.positions);
}

/** Features of one group: m, but for an embedding no more than there are positions. */
export function featureWidth({ uses, m, positions }: Layer): number {
  return uses.every((use) => use.kind === "embedding") ? Math.min(m, positions) : m;
}

/**
 * Tokens as rows with a one: at the token itself, or, where the vocabulary is larger than the positions are many, at the first
 * position that has the same token. Inner products are the same.
 */
function tokenFeatures(b: Builder, layer: Layer): ValueId {
  const parts = layer.uses.map((use) => {
    const dims = b.dims(use.features);
    return reshape(b, use.features, [dims[0] as number, count(dims.slice(1))]);
  });
  const tokens = concat(b, parts, 1);
  const [batch, positions] = b.dims(tokens) as [number, number];
  const width = featureWidth(layer);
  const [column, row] = [reshape(b, tokens, [batch, positions, 1]), reshape(b, tokens, [batch, 1, positions])];
  const first = () => b.add("ArgMax", [cast(b, b.add("Equal", [column, row]), "float32")], { axis: 2, keepdims: 0 });
  const values = b.constant(Tensor.float32([2], [0, 1]));
  const places = width < layer.m ? first() : tokens;
  const rows = b.add("OneHot", [places, b.constant(Tensor.int64([width])), values], { axis: -1 });
  const columns = swap(b, reshape(b, rows, [batch, 1, positions, width]));
  if (!layer.scaling) return columns;
  const scales = inverse(layer.scaling.scales);
  const own = b.add("Gather", [b.constant(Tensor.float32([scales.length], scales)), tokens], { axis: 0 });
  return mul(b, columns, reshape(b, own, [batch, 1, 1, positions]));
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
  const features = scaledFeatures(b, layer, use);
  if (use.kind === "convolution") return patches(b, use.node, features);
  if (use.kind === "transposed-convolution") return transposedPatches(b, use.node, features);
  if (use.kind === "dense-left") {
    return reshape(b, rowsFirst(b, features, 1), [batch, 1, layer.m, count(dims.slice(1)) / layer.m]);
  }
  const positions = count(dims.slice(1, -1));
  return swap(b, reshape(b, features, [batch, 1, positions, layer.m]));
}

function columnsOfUse(b: Builder, layer: Layer, use: Use, value: ValueId): ValueId {
  const dims = b.dims(value);
  const [columns, batch] = dims as [number, number];
  const { d, groups } = layer;
  const positions = count(dims.slice(2)) / d;
  if (!positionsFirst(use)) {
    const rows = use.kind === "dense-left" ? rowsFirst(b, value, 2) : value;
    return reshape(b, rows, [columns, batch, groups, d / groups, positions]);
  }
  return swap(b, reshape(b, value, [columns, batch, 1, positions, d]));
}

/** The last axis but one, of features or of z, before every other but the first `kept`. */
function rowsFirst(b: Builder, value: ValueId, kept: number): ValueId {
  const axes = Array.from({ length: b.rank(value) }, (_, axis) => axis);
  const rows = axes.at(-2) as number;
  return transpose(b, value, [...axes.slice(0, kept), rows, ...axes.slice(kept).filter((axis) => axis !== rows)]);
}

/**
 * Rows at all positions as the pre-activation of a use, [R, …its dims]: what {@link columnsAt} takes apart.
 *
 * @param value [R, B, d, T]
 */
export function asPreactivation(b: Builder, use: Use, value: ValueId): ValueId {
  const [directions = 1] = b.dims(value);
  const dims = b.dims(use.preactivation);
  if (positionsFirst(use)) return reshape(b, swap(b, value), [directions, ...dims]);
  if (use.kind !== "dense-left") return reshape(b, value, [directions, ...dims]);
  const [batch = 1, ...own] = dims;
  const rows = own.length - 2;
  const apart = reshape(b, value, [directions, batch, own[rows] as number, ...own.toSpliced(rows, 1)]);
  // The rows go back to the last place but one.
  const between = own.slice(0, rows).map((_, axis) => axis + 3);
  return transpose(b, apart, [0, 1, ...between, 2, own.length + 1]);
}

/** Whether z has its positions before its rows: [B, T, d]. */
export function positionsFirst({ kind }: Use): boolean {
  return kind === "dense" || kind === "embedding";
}

/** [K, B, G, d, T] to [B, G, d · K, T]: the columns of one sample side by side, for one product with its features. */
export function columnsSideBySide(b: Builder, value: ValueId): ValueId {
  const [columns, batch, groups, d, positions] = b.dims(value) as [number, number, number, number, number];
  return reshape(b, transpose(b, value, [1, 2, 3, 0, 4]), [batch, groups, d * columns, positions]);
}
