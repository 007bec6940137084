import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { concat, matMul, scale, swap } from "../graph/operators.ts";
import { kernelRows, rowsShift } from "./patches.ts";
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
  if (kind !== "convolution" || !rowsShift(b, node)) return false;
  const [, channels, tall, wide] = b.dims(node.inputs[1] as ValueId) as [number, number, number, number];
  const strips = (width: number) => Math.ceil(width / STRIP);
  return channels * wide <= NARROW && tall * strips(channels * wide) === strips(tall * channels * wide);
}

function byKernelRows(b: Builder, layer: Layer, use: Use, rows: ValueId): ValueId {
  const met = kernelRows(b, use.node, scale(b, scaledFeatures(b, layer, use), use.scale));
  return concat(
    b,
    met.map((features) => matMul(b, rows, swap(b, features))),
    3,
  );
}
