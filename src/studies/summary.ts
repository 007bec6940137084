import type { Exclusion } from "./selection.ts";

// The summary of a study, schema version 1: summary.json. null stands for a number that there is none of.

export interface Summary {
  readonly schema: 1;
  readonly study: string;
  readonly title: string;
  readonly about: string;
  readonly deviations: readonly string[];
  /** What the measures are compared with. */
  readonly target: string;
  /** The coefficient of figures and strata. */
  readonly correlation: CorrelationName;
  readonly confidence: number;
  readonly equalLoss: number | null;
  readonly runs: {
    readonly total: number;
    readonly compared: number;
    readonly excluded: readonly Exclusion[];
    readonly failed: readonly FailedTask[];
  };
  /** Smallest, median and largest of the numeric facts. */
  readonly facts: Readonly<Record<string, readonly [low: number, median: number, high: number]>>;
  readonly measures: readonly MeasureSummary[];
  readonly groups: readonly GroupSummary[];
  readonly versions: { readonly flatness: string; readonly onnxruntime: string | null };
}

export type CorrelationName = "pearson" | "spearman" | "kendall";

export interface FailedTask {
  readonly task: string;
  readonly reason: string;
  readonly attempts: number;
  readonly output: readonly string[];
}

/** How one measure of one layer goes with the target. */
export interface MeasureSummary {
  readonly measure: string;
  readonly layer: string | null;
  readonly n: number;
  readonly correlations: Readonly<Record<CorrelationName, CorrelationSummary>>;
  /** Given all controls together: of the ranks (Spearman), and of the values (Pearson). */
  readonly partial: {
    readonly controls: readonly string[];
    readonly spearman: number | null;
    readonly pearson: number | null;
  } | null;
  readonly strata: readonly StrataSummary[];
  readonly granulated: { readonly axes: Readonly<Record<string, number | null>>; readonly mean: number | null } | null;
  readonly signError: {
    readonly environments: number;
    readonly mean: number;
    readonly ninetieth: number;
    readonly worst: number;
    readonly worstEnvironment: string;
  } | null;
  readonly warnings: readonly string[];
}

export interface CorrelationSummary {
  readonly value: number | null;
  readonly interval: readonly [low: number, high: number] | null;
  readonly pValue: number | null;
  /** Benjamini and Hochberg's, over all measures of the study. */
  readonly adjusted: number | null;
  readonly null: readonly [low: number, high: number] | null;
}

export interface StrataSummary {
  readonly by: string;
  readonly within: number | null;
  /** Of a permutation test within the groups. */
  readonly pValue: number | null;
  readonly signDiffers: boolean;
  readonly strata: readonly { readonly name: string; readonly n: number; readonly value: number | null }[];
}

/** The runs of one value of the study's `by` column. */
export interface GroupSummary {
  readonly by: string;
  readonly value: string | number;
  readonly n: number;
  /** Means of the numeric facts. */
  readonly facts: Readonly<Record<string, number>>;
  readonly measures: readonly {
    readonly measure: string;
    readonly layer: string | null;
    readonly mean: number | null;
    readonly correlation: CorrelationSummary;
  }[];
}
