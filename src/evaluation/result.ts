/** The result document, schema version 1: what `--format json` prints and scripts rely on. */
export interface Result {
  readonly schema: 1;
  readonly model: {
    readonly file: string;
    readonly sha256: string;
    readonly opset: number;
    readonly producer?: string;
    /** The file whose weights were put in place of the model's own. */
    readonly weights?: Weights;
    /** What the file computes in, where it was measured in float32 all the same. */
    readonly precision?: "float16" | "bfloat16";
    /** The value that was taken for the logits, and a trailing activation that was measured on its input. */
    readonly output: string;
    readonly activation?: "Softmax" | "LogSoftmax" | "Sigmoid";
  };
  readonly data: {
    readonly source: string;
    readonly sha256: string;
    /** What the hash is of, where that is not all bytes. */
    readonly hashed?: "names and sizes";
    readonly n: number;
    readonly split?: string;
    readonly preprocess?: string;
    readonly samples?: string;
    /** Names of the classes in the order of the labels, where the source has them. */
    readonly classes?: readonly string[];
  };
  readonly loss: {
    readonly kind: string;
    readonly value: number;
    /** null for a single sample. */
    readonly standardError: number | null;
    /** Share of samples whose largest output is the label; absent for a regression loss. */
    readonly accuracy?: number;
  };
  /** The data that `generalization-gap` is against, where some was given. */
  readonly test?: TestData;
  readonly layers: readonly LayerRow[];
  readonly results: readonly ResultRow[];
  /** How far measures are the same for other networks of the same function, where that was asked for. */
  readonly invariance?: readonly InvarianceRow[];
  /** Measures of the whole network that cannot be had, and why. */
  readonly skipped?: readonly { readonly measure: string; readonly reason: string }[];
  readonly warnings: readonly Warning[];
  readonly environment: Environment;
  readonly seconds: { readonly total: number; readonly [part: string]: number };
}

/** Test data, with the loss and accuracy on it. */
export interface TestData extends Pick<Result["data"], "source" | "sha256" | "n" | "split" | "preprocess"> {
  readonly loss: Omit<Result["loss"], "kind">;
}

/** A file of weights, or one part of it: `ema` of `checkpoint.pt#ema`. */
export interface Weights {
  readonly file: string;
  readonly sha256: string;
  readonly part?: string;
}

/** Several results on the same data: of one model with the weights of several files, or of several models. */
export interface Runs {
  readonly schema: 1;
  readonly runs: readonly Result[];
}

export interface LayerRow {
  readonly name: string;
  readonly node: string;
  readonly initializer: string;
  readonly d: number;
  readonly m: number;
  readonly positions: number;
  readonly groups: number;
  /** Features that do not vary, which a normalization drops: columns of W, or input channels of a convolution. */
  readonly dropped?: readonly number[];
  /** Why the layer was not measured. */
  readonly skipped?: string;
}

export interface ResultRow {
  /** null for a measure of the whole network. */
  readonly layer: string | null;
  readonly measure: string;
  readonly value: number;
  /** null for a value that is no average over data, such as a norm; its data part is null for a single sample. */
  readonly standardError: { readonly data: number | null; readonly probe: number } | null;
  readonly n: number;
  readonly method: string;
  readonly curvature: "hessian" | "gauss-newton" | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** Nodes, ascending, and weights of a spectral density, and of how many eigenvalues it is: the number of weights of the layer. */
  readonly density?: { readonly values: readonly number[]; readonly weights: readonly number[]; readonly size: number };
  /** The noise on the weights that a PAC-Bayes measure is made of. */
  readonly noise?: {
    readonly sigma: number;
    readonly standardError: { readonly data: number; readonly probe: number };
    readonly drop: number;
    readonly draws: number;
  };
  /** Where the Hessian was swept: the same with the Gauss-Newton matrix, and what the Hessian has more. */
  readonly gaussNewton?: { readonly value: number; readonly difference: number };
}

/** The largest relative change of a measure from a network to random ones of the same function. */
export interface InvarianceRow extends Pick<ResultRow, "layer" | "measure" | "options"> {
  /** How the others were drawn: layers times factors, neurons times factors, or all scores moved alike. */
  readonly rewriting: "layer-wise" | "neuron-wise" | "softmax-shift";
  /** null where the value is 0 and another's is not, or where another has none. */
  readonly largestChange: number | null;
  /** How many others. */
  readonly twins: number;
}

/** Stable: docs/warnings.md has a section on each. */
export type WarningCode =
  | "batch-rewritten"
  | "dead-features"
  | "equal-features-different-labels"
  | "features-dropped"
  | "few-samples"
  | "gauss-newton-differs"
  | "gauss-newton-is-not-hessian"
  | "gradient-not-small"
  | "half-precision-widened"
  | "held-out-seen"
  | "iteration-not-converged"
  | "labels-unknown"
  | "not-rescalable"
  | "regression-labels"
  | "relative-error-not-met"
  | "teacher-disagrees"
  | "trailing-activation"
  | "twin-differs"
  | "variance-normalization"
  | "weights-by-shape"
  | "weights-kept";

export interface Warning {
  readonly code: WarningCode;
  readonly text: string;
  readonly layer?: string;
}

export interface Environment {
  readonly flatness: string;
  readonly onnxruntime: string;
  readonly provider: string;
  readonly threads: number;
  readonly batch: number;
  readonly seed: number;
}

/** A value per sample for one layer and measure, in sample order: what --per-sample writes and histograms show. */
export interface PerSample {
  readonly layer: string | null;
  readonly measure: string;
  readonly values: Float32Array;
}
