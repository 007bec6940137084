/** One thing that was measured: a network, a network at an epoch, a fitted head. */
export interface StudyRun {
  /** The same for all records of one network. */
  readonly run: string;
  /** Epoch of a record; null where there is one only. */
  readonly epoch: number | null;
  /** Where the run stands in the grid. */
  readonly settings: Readonly<Record<string, string | number | boolean>>;
  /** What is known of it: train-loss, generalization-gap, …; null where there is none. */
  readonly facts: Readonly<Record<string, number | string | null>>;
  readonly values: readonly MeasuredValue[];
  readonly origin: Origin;
}

/** A measure's value, with how it was got. */
export interface MeasuredValue {
  /** null for a measure of the whole network. */
  readonly layer: string | null;
  readonly measure: string;
  readonly value: number;
  readonly errorData: number | null;
  readonly errorProbe: number | null;
  readonly n: number;
  readonly method: string;
  readonly curvature: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** Codes of the warnings that concern it. */
  readonly warnings: readonly string[];
}

export interface Origin {
  readonly model: string | null;
  readonly data: string;
  readonly flatness: string;
  readonly onnxruntime: string | null;
  readonly provider: string | null;
  readonly threads: number | null;
  readonly batch: number | null;
  readonly seed: number;
}
