import type { ValueId } from "../graph/graph.ts";

// Names that the passes' graphs have and no model has.

export const LABELS: ValueId = "flatness/labels";
export const LOSS = "flatness/loss";
export const CORRECT = "flatness/correct";
export const COUNTED = "flatness/counted";
/** How large the random part of a sample's values is, up to a factor. */
export const SPREAD = "flatness/spread";
/** 1 for each sample of a batch, 0 for its padding, [B]. */
export const SAMPLE_WEIGHTS: ValueId = "flatness/sample-weights";
