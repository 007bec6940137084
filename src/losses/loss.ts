import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Dims, ElementType, TypedArray } from "../graph/tensor.ts";

/** An array of labels as the data has it: n samples in the first dimension. */
export interface Labels {
  readonly type: ElementType;
  readonly dims: Dims;
  readonly data: TypedArray;
}

/** Labels as the graph reads them: class indices [n, T], −1 where a term is ignored, or targets [n, T, C]. */
export interface PreparedLabels {
  readonly type: "int64" | "float32";
  readonly dims: Dims;
  readonly data: BigInt64Array | Float32Array;
}

/** How the network's outputs are T loss terms of C scores a sample: one for a classifier, one a token for a language model. */
export interface Terms {
  readonly terms: number;
  readonly classes: number;
  /** The outputs as scores [B, T, C]. */
  arrange(b: Builder, outputs: ValueId): ValueId;
}

export interface LabelOptions {
  /** Terms with this label do not count. */
  readonly ignoreIndex: number;
  /** The number by which messages call the label at an index. */
  sample(index: number): number;
}

/** Taylor coefficients of the scores: first [R, B, T, C], second [B, T, C]. */
export interface ScoresJet {
  readonly first: ValueId;
  readonly second?: ValueId;
}

/**
 * A loss ℓ(f(x), y) of the network's raw outputs: its graph, its second derivatives, and a factor R of its Hessian in the
 * scores, R Rᵀ = ∂²ℓ/∂f∂f, whose columns r_c the Gauss-Newton form pulls back. A sample's loss is the sum over its terms.
 */
export interface Loss {
  readonly name: string;
  readonly source: string;
  /** Whether the outputs are scores of classes, so that there is an accuracy and labels are class indices. */
  readonly classification: boolean;
  /** Whether it is one of raw scores and contains a final Softmax or Sigmoid itself, as a squared error does not. */
  readonly ofScores: boolean;
  /**
   * Which of the outputs are the terms.
   *
   * @param outputs dims of the network's output, the batch first
   * @param labels dims of one sample's labels
   * @throws DataError when they do not fit
   */
  terms(outputs: Dims, labels: Dims): Terms;
  /**
   * Labels in the form that the graph reads.
   *
   * @throws DataError naming the sample whose label does not fit
   */
  prepare(labels: Labels, terms: Terms, options: LabelOptions): PreparedLabels;
  /** Σ_t ℓ_it over the terms that count, [B]. */
  perSample(b: Builder, scores: ValueId, labels: ValueId): ValueId;
  /** How many terms of each sample count, [B]; absent where all do. */
  counted?(b: Builder, scores: ValueId, labels: ValueId): ValueId | undefined;
  /** How many terms have their largest score at the label, [B]. */
  correct?(b: Builder, scores: ValueId, labels: ValueId): ValueId;
  /** How many columns the exact factor has. */
  columnCount(terms: Pick<Terms, "terms" | "classes">): number;
  /**
   * The columns of R, [K, B, T, C], each within one term. Exact.
   *
   * @param chunk only these columns, each times its weight (0 for padding)
   */
  columns(b: Builder, scores: ValueId, labels: ValueId, chunk?: ColumnChunk): ValueId;
  /** How many columns the estimate has; as many as the exact factor means that there is nothing to gain. */
  estimatedCount(terms: Pick<Terms, "terms" | "classes">): number;
  /** How many independent ±1 the estimate takes a sample. */
  signCount(terms: Pick<Terms, "terms" | "classes">): number;
  /** Fewer columns whose squares have the same expectation. @param signs [B, signCount] */
  estimatedColumns?(b: Builder, scores: ValueId, labels: ValueId, signs: ValueId): EstimatedColumns;
  /**
   * Tr(Vᵀ (∂²ℓ/∂f∂f) V) of each term, [B, T], for the rows v_1 … v_C of a C×r matrix V: the closed form of the last layer,
   * where the scores are z + constant. V = W gives relative flatness over ‖φ‖², V = I the trace.
   */
  quadraticForm(b: Builder, scores: ValueId, labels: ValueId, rows: RowDistances): ValueId;
  /** ∂ℓ/∂f · x' for each direction, [R, B]. @param first [R, B, T, C] */
  firstOrder(b: Builder, scores: ValueId, labels: ValueId, first: ValueId): ValueId;
  /** (∂²ℓ/∂f∂f) x', of the dims of x'. @param values [lead…, B, T, C] */
  hessianProduct(b: Builder, scores: ValueId, labels: ValueId, values: ValueId): ValueId;
  /** Σ_r of the second derivative along R directions, and the part of it that the scores' own curvature has no share in, [B]. */
  secondOrder(b: Builder, scores: ValueId, labels: ValueId, jet: ScoresJet): { hessian: ValueId; gaussNewton: ValueId };
}

export interface EstimatedColumns {
  /** [K, B, T, C] */
  readonly columns: ValueId;
  /** [B]: how large each sample's random part may be, up to a factor, where the scores tell. */
  readonly spread?: ValueId;
}

/** A choice of columns made at run time, each int64 or float32 [size]. */
export interface ColumnChunk {
  readonly size: number;
  /** The term of each column, and which of the term's columns it is. */
  readonly terms: ValueId;
  readonly slots: ValueId;
  readonly weights: ValueId;
}

/** Distances and squared norms of the rows of V, and V itself where distances would be too many. */
export interface RowDistances {
  readonly rows: number;
  /** ‖v_j − v_k‖² for all pairs, rows × rows, made in float64. */
  distances(): Float32Array;
  /** ‖v_j‖² of each row. */
  norms(): Float32Array;
  /** V as float32, rows × width; undefined stands for the identity. */
  readonly matrix?: { readonly width: number; readonly values: Float32Array };
}
