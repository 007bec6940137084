/** The result document, schema version 1: what `--format json` prints and scripts rely on. */
export interface Result {
  readonly schema: 1;
  readonly model: {
    readonly file: string;
    readonly sha256: string;
    readonly opset: number;
    readonly producer?: string;
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
  };
  readonly loss: {
    readonly kind: string;
    readonly value: number;
    /** null for a single sample. */
    readonly standardError: number | null;
    /** Share of samples whose largest output is the label; absent for a regression loss. */
    readonly accuracy?: number;
  };
  readonly layers: readonly LayerRow[];
  readonly results: readonly ResultRow[];
  readonly warnings: readonly Warning[];
  readonly environment: Environment;
  readonly seconds: { readonly total: number; readonly [part: string]: number };
}

export interface LayerRow {
  readonly name: string;
  readonly node: string;
  readonly initializer: string;
  readonly d: number;
  readonly m: number;
  readonly positions: number;
  readonly groups: number;
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
  /** Nodes and weights of a spectral density. */
  readonly density?: { readonly values: readonly number[]; readonly weights: readonly number[] };
  /** Where the Hessian was swept: the same with the Gauss-Newton matrix, and what the Hessian has more. */
  readonly gaussNewton?: { readonly value: number; readonly difference: number };
}

export interface Warning {
  /** Stable: documented under this name. */
  readonly code: string;
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
