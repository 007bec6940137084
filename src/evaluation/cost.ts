import type { Builder } from "../graph/builder.ts";
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

/** Random directions of a sample's own, unless another number is asked for. */
export const PROBES = 4;

/** More columns than these are never pulled back for the Gauss-Newton part of a probed Hessian. */
const MOST_PART_COLUMNS = 10;
/** On fewer samples an error bar from probes alone is itself uncertain. */
const FEW_SAMPLES = 200;
/** A column that is pulled back through a smooth network costs about so many forward passes. */
const SMOOTH_COLUMN = 2;

/** The network above a layer as a share of the whole, by multiplications. */
function shareAbove(all: readonly Layer[], layer: Layer): number {
  const work = (list: readonly Layer[]) => list.reduce((sum, each) => sum + forwardWork(each), 0);
  return work(all.slice(all.indexOf(layer) + 1)) / (work(all) || 1);
}

/**
 * Predicted cost of a sweep of second order along so many directions, in forward passes of the model. As measured: each runs through the
 * network above, and what is no product of it costs a tenth of a pass.
 */
export function sweepCost(all: readonly Layer[], layer: Layer, directions: number): number {
  return 3 + directions * (shareAbove(all, layer) + 0.1);
}

/** As measured: probes cost two forward passes, and so many for the whole network above and each probe. */
function probesCost(all: readonly Layer[], layer: Layer, probes: number): number {
  return 2 + 2.5 * probes * shareAbove(all, layer);
}

function partCost(all: readonly Layer[], layer: Layer, columns: number): number {
  return SMOOTH_COLUMN * (columnCost(all, [layer], columns) - 1);
}

/**
 * Whether the Gauss-Newton part of a probed Hessian is made exact, so that the probes estimate only the rest: where its columns are few,
 * and of many samples, whose own error is five times that which four probes add, where they cost no more than the probes.
 */
export function hasExactPart(
  all: readonly Layer[],
  layer: Layer,
  columns: number,
  { probes, samples }: { readonly probes: number; readonly samples: number },
): boolean {
  if (columns > MOST_PART_COLUMNS) return false;
  return samples < FEW_SAMPLES || partCost(all, layer, columns) <= probesCost(all, layer, probes);
}

/** Predicted cost of probes of a layer's Hessian for all of many samples once, in forward passes of the model. */
export function probeCost(all: readonly Layer[], layer: Layer, columns: number, probes = PROBES): number {
  const part = hasExactPart(all, layer, columns, { probes, samples: Infinity }) ? partCost(all, layer, columns) : 0;
  return probesCost(all, layer, probes) + part;
}

/** Elements of the largest value of an instantiated model, a sample: what memory and caches follow. */
export function largestValue({ b, batch }: { readonly b: Builder; readonly batch: number }): number {
  let largest = 1;
  for (const node of b.nodes) {
    for (const output of node.outputs) {
      const dims = b.typeIfKnown(output)?.dims;
      if (dims && !b.constantOf(output)) largest = Math.max(largest, count(dims) / batch);
    }
  }
  return largest;
}

/**
 * Elements of the largest value of one run. Of columns and sweeps the caches bear as many: sweeps read theirs several times, columns once
 * or twice. A gradient is one of a few runs, the first of which waits for memory longer than it computes where that is more.
 */
const CACHED = { columns: 4e6, sweeps: 1e6, gradients: 4e5 };
/** Columns or directions × samples, whatever the size. */
const MOST_FOLDED = { columns: 288, sweeps: 160 };
const LEAST_FOLDED = 8;
const MOST_SAMPLES = { columns: 48, sweeps: 16 };
const MOST_DIRECTIONS = 32;
const FORWARD_BATCH = 32;
const PRODUCT_BATCH = 64;

/** Samples at once of a forward pass: where it runs fastest, and no more than memory bears. */
export function forwardBatch(largest: number): number {
  return Math.max(1, Math.min(FORWARD_BATCH, Math.floor(CACHED.columns / largest)));
}

/** Samples at once of a forward pass and one back. */
export function gradientBatch(largest: number): number {
  return Math.max(1, Math.min(MOST_SAMPLES.columns, Math.floor(CACHED.gradients / largest)));
}

/** Samples at once of a Hessian-vector product. */
export function productBatch(largest: number): number {
  return Math.max(1, Math.min(PRODUCT_BATCH, Math.floor(CACHED.columns / largest)));
}

/** Samples at once for so many columns. */
export function columnBatch(columns: number, largest: number): number {
  const folded = Math.min(MOST_FOLDED.columns, CACHED.columns / largest);
  return Math.max(1, Math.min(MOST_SAMPLES.columns, Math.floor(folded / columns)));
}

/** Directions of one run of an exact sweep, and samples at once. */
export function sweepSize(directions: number, largest: number): { perRun: number; batch: number } {
  const folded = Math.min(MOST_FOLDED.sweeps, Math.max(LEAST_FOLDED, CACHED.sweeps / largest));
  const perRun = evenChunk(directions, Math.min(MOST_DIRECTIONS, Math.floor(folded)));
  return { perRun, batch: Math.max(1, Math.min(MOST_SAMPLES.sweeps, Math.floor(folded / perRun))) };
}

/** Samples at once for so many probes of each. */
export function probeBatch(probes: number, largest: number): number {
  const folded = Math.min(MOST_FOLDED.sweeps, CACHED.sweeps / largest);
  return Math.max(1, Math.min(MOST_SAMPLES.sweeps, Math.floor(folded / probes)));
}

/** The size of equal chunks of at most `largest`. */
export function evenChunk(total: number, largest: number): number {
  return Math.ceil(total / Math.ceil(total / largest));
}
