import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { concat, matMul, scale, slice, swap } from "../graph/operators.ts";
import { count } from "../graph/tensor.ts";
import { rowPatches, windowOf } from "./patches.ts";
import { columnsSideBySide, featuresAt } from "./positions.ts";
import { scaledFeatures } from "./scaled-features.ts";

/**
 * U_c = Σ_t γ_ct φ_tᵀ of every column, [B, G, d/G · K, features of one group]: the K columns of a row side by side. The features' order is
 * not that of W's columns.
 *
 * @param columns γ at the layer's positions, [K, B, G, d/G, T]
 */
export function columnProducts(b: Builder, layer: Layer, columns: ValueId): ValueId {
  const rows = columnsSideBySide(b, columns);
  const [use, ...others] = layer.uses;
  if (use && others.length === 0 && isNarrow(b, use)) return byKernelRows(b, layer, use, rows);
  return matMul(b, rows, swap(b, featuresAt(b, layer)));
}

/** The runtime multiplies by so many columns of a matrix at once; what is left over takes as long. */
const STRIP = 16;
/** What one row of a kernel meets: where that is wider, patches cost little beside the product with them. */
const NARROW = 32;

/** Whether a product for each row of a kernel is as much work as one for all of them. */
function isNarrow(b: Builder, { kind, node }: Use): boolean {
  if (kind !== "convolution") return false;
  const { kernel, strides } = windowOf(b, node);
  if (kernel.length !== 2 || strides[0] !== 1) return false;
  const [, channels, tall, wide] = b.dims(node.inputs[1] as ValueId) as [number, number, number, number];
  const strips = (width: number) => Math.ceil(width / STRIP);
  return channels * wide <= NARROW && tall * strips(channels * wide) === strips(tall * channels * wide);
}

/**
 * A row of a kernel meets the same rows of an image as the one above it, a row further down: each is a slice of one array, where patches
 * would be as many copies as the kernel has rows.
 */
function byKernelRows(b: Builder, layer: Layer, use: Use, rows: ValueId): ValueId {
  const images = scale(b, rowPatches(b, use.node, scaledFeatures(b, layer, use)), use.scale);
  const output = b.dims(use.preactivation).slice(2);
  const [, width] = output as [number, number];
  const { kernel, dilations } = windowOf(b, use.node);
  const [tall] = kernel as [number];
  const parts = Array.from({ length: tall }, (_, tap) => {
    const start = tap * (dilations[0] as number) * width;
    return matMul(b, rows, swap(b, slice(b, images, [3], [start], [start + count(output)])));
  });
  return concat(b, parts, 3);
}
