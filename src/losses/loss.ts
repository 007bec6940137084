import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Dims, ElementType, TypedArray } from "../graph/tensor.ts";

/** An array of labels as the data has it: n samples in the first dimension. */
export interface Labels {
  readonly type: ElementType;
  readonly dims: Dims;
  readonly data: TypedArray;
}

/** Labels as the graph reads them: class indices or targets. */
export interface PreparedLabels {
  readonly type: "int64" | "float32";
  readonly dims: Dims;
  readonly data: BigInt64Array | Float32Array;
}

/**
 * A loss ℓ(f(x), y) of the network's raw outputs: its graph, and a factor R of its Hessian in the outputs,
 * R Rᵀ = ∂²ℓ/∂f∂f, whose columns r_c the Gauss-Newton form pulls back.
 */
export interface Loss {
  readonly name: string;
  readonly source: string;
  /** Whether the outputs are scores of classes, so that there is an accuracy and labels are integers. */
  readonly classification: boolean;
  /**
   * Labels in the form that the graph reads.
   *
   * @param outputs dims of the network's output, the batch first
   * @param sample the number by which messages call the label at an index
   * @throws DataError when they do not fit the outputs
   */
  prepare(labels: Labels, outputs: Dims, sample: (index: number) => number): PreparedLabels;
  /** ℓ_i, [B]. */
  perSample(b: Builder, outputs: ValueId, labels: ValueId): ValueId;
  /** 1 where the largest output is the label, else 0, [B]. */
  correct?(b: Builder, outputs: ValueId, labels: ValueId): ValueId;
  /** How many columns the exact factor has for C outputs. */
  columnCount(outputs: number): number;
  /**
   * The columns of R, [K, B, C]. Exact.
   *
   * @param chunk only these columns, each times its weight (0 for padding)
   */
  columns(b: Builder, outputs: ValueId, chunk?: ColumnChunk): ValueId;
  /**
   * Fewer columns whose squares have the same expectation: the largest exact, one Rademacher probe on the rest.
   * Absent where the exact columns are as few.
   *
   * @param signs independent ±1, [B, C]
   */
  estimatedColumns?(b: Builder, outputs: ValueId, signs: ValueId): ValueId;
  /** How many columns the estimate has; as many as the exact factor means that there is nothing to gain. */
  estimatedCount(outputs: number): number;
  /**
   * Tr(Vᵀ (∂²ℓ/∂f∂f) V) of each sample, [B], for rows v_1 … v_C of a C×r matrix V: the closed form of the last layer, where
   * the outputs are z + constant. V = W gives relative flatness over ‖φ‖², V = I the trace.
   */
  quadraticForm(b: Builder, outputs: ValueId, rows: RowDistances): ValueId;
}

/** A choice of columns made at run time: numbers in 0 … K − 1, int64 [k], and weights, float32 [k]. */
export interface ColumnChunk {
  readonly numbers: ValueId;
  readonly weights: ValueId;
  readonly size: number;
}

/** Squared norms and distances of the rows of V, and V itself where distances would be too many. */
export interface RowDistances {
  readonly rows: number;
  /** ‖v_j − v_k‖² for all pairs, rows × rows, made in float64. */
  distances(): Float32Array;
  /** Σ_j ‖v_j‖². */
  squaredNorm(): number;
  /** V as float32, rows × width; undefined stands for the identity. */
  readonly matrix?: { readonly width: number; readonly values: Float32Array };
}
