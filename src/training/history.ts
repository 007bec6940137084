import type { ResultRow } from "../evaluation/result.ts";
import type { Score } from "./evaluate.ts";

/** What is recorded of an epoch: a line of metrics.jsonl. */
export interface Epoch {
  readonly epoch: number;
  /** Steps since the start. */
  readonly steps: number;
  /** Of the epoch's last step. */
  readonly learningRate: number;
  /** Means over the epoch's batches, each before its step: the loss, what regularizers added to it, and the gradient's norm. */
  readonly batchLoss: number;
  readonly penalty?: number;
  readonly gradientNorm: number;
  /** On all training and test samples, at the epochs that are evaluated. */
  readonly train?: Score;
  readonly test?: Score;
  /** Norm of the gradient on all training samples, where a rule asks for it. */
  readonly gradient?: number;
  /** What the recipe measures, at the epochs that are measured. */
  readonly measures?: readonly MeasuredRow[];
  /** Since the start. */
  readonly seconds: number;
}

export type MeasuredRow = Pick<ResultRow, "layer" | "measure" | "value" | "standardError" | "method">;
