import type { Layer } from "../graph/layers.ts";
import type { Labels } from "../losses/loss.ts";
import type { MeasureOptions } from "./options.ts";

/** What is asked of a layer that is run with other weights or features: the options of a measurement that matter to it. */
export type LayerOptions = Pick<
  MeasureOptions,
  "loss" | "batch" | "threads" | "provider" | "inputs" | "output" | "labels" | "ignoreIndex" | "signal"
>;

/** A layer of a model on data, whose weights, features and labels can be given anew in every run. */
export interface OpenedLayer {
  readonly layer: Layer;
  /** W, row-major, d rows of m (a group's own m where there are groups). */
  readonly matrix: Float64Array;
  readonly n: number;
  /** Names of the data's arrays that the model reads. */
  readonly arrays: readonly string[];
  /** The loss's name, and whether labels are class indices. */
  readonly loss: { readonly name: string; readonly classification: boolean };
  /** Why φ cannot be had as one vector a sample; undefined where it can. */
  readonly noVector: string | undefined;
  /** Batches of the data, each with all that does not depend on the layer's weights calculated once. */
  batches(): AsyncGenerator<LayerBatch>;
  close(): Promise<void>;
}

/** Some samples of the data: losses of each under changes of one layer. */
export interface LayerBatch {
  /** Place of the first sample among all, and how many there are. */
  readonly start: number;
  readonly n: number;
  /** How many loss terms of each sample count, [n]. */
  readonly terms: Float64Array;
  /** The data's labels of these samples. */
  readonly labels: Labels;
  /** φ_i, [n, m]. @throws UsageError for a layer with positions */
  features(): Promise<Float32Array>;
  /**
   * Σ_t ℓ_it of each sample with W replaced, [n].
   *
   * @param matrix d rows of m; the model's own where absent
   * @param labels in place of the data's
   */
  losses(matrix?: Float64Array, labels?: Labels): Promise<Float32Array>;
  /** The same for several matrices, with the data's labels: where little lies above the layer, many in one run. */
  lossesOfEach(matrices: readonly Float64Array[]): Promise<Float32Array[]>;
  /**
   * The same with the features that the layer reads replaced, and W as it is: ℓ(ψ(φ)).
   *
   * @param features [n, m]
   */
  lossesAt(features: Float32Array, labels?: Labels): Promise<Float32Array>;
  /**
   * ⟨∇ℓ_i, V⟩ and ⟨V, ∇²ℓ_i[V]⟩ of each sample, [n] each.
   *
   * @throws UnsupportedOperatorError where an operator above has no derivative rule
   */
  slopes(direction: Float64Array): Promise<{ first: Float32Array; second: Float32Array }>;
}
