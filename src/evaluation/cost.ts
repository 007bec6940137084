import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { count } from "../graph/tensor.ts";

/** Multiplications of one forward pass through a layer, a sample. */
export function forwardWork(layer: Layer): number {
  return layer.positions * layer.d * layer.m;
}

/**
 * Predicted cost of the Gauss-Newton form with `columns` columns for some layers, in forward passes of the model: a
 * forward pass, every column pulled back through the layers above the lowest, and the products with the features.
 */
export function columnCost(all: readonly Layer[], asked: readonly Layer[], columns: number): number {
  const forward = all.reduce((sum, layer) => sum + forwardWork(layer), 0) || 1;
  const lowest = Math.min(...asked.map((layer) => all.indexOf(layer)));
  const pulled = all.slice(lowest + 1).reduce((sum, layer) => sum + forwardWork(layer), 0);
  const products = asked.reduce((sum, layer) => {
    const square = (layer.d / layer.groups) * layer.d * layer.m;
    return (
      sum + (layer.positions === 1 ? forwardWork(layer) : forwardWork(layer) + Math.min(square, forwardWork(layer)))
    );
  }, 0);
  return 1 + (columns * (pulled + products)) / forward;
}

/** Elements of the largest value of a pass, a sample: what memory follows. */
export function largestValue(b: Builder, values: Iterable<ValueId>, batch: number): number {
  let largest = 1;
  for (const value of values) largest = Math.max(largest, count(b.typeIfKnown(value)?.dims ?? []) / batch);
  return largest;
}
