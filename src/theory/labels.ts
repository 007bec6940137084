import type { LayerBatch } from "../evaluation/layer-changes.ts";

/** Labels in the form of a data set's. */
export type Labels = LayerBatch["labels"];

/**
 * y(φ): the labels of features, where they are known; a teacher network, or the labelling of a synthetic distribution.
 *
 * @param features [n, m]
 */
export type LabelFunction = (features: Float32Array, n: number) => Promise<Labels> | Labels;
