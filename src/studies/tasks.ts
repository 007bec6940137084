import type { RecipeInput } from "../training/recipe.ts";
import type { DataChoice, MeasureChoice, Sampling, SyntheticMake } from "./schema.ts";

/** Counts up when training or measuring comes to give other numbers for the same task: what is kept then is made again. */
export const RESULTS_VERSION = 6;

/** What a study knows of a run beside its settings. */
interface Named {
  readonly run: string;
  readonly settings: Readonly<Record<string, string | number | boolean>>;
}

/** Train a network, unless it is kept from before, and measure it. */
export interface TrainTask extends Named {
  readonly kind: "train";
  /** Of the trained network: it follows from recipe and data, and not from what is measured. */
  readonly networkKey: string;
  readonly recipe: RecipeInput;
  readonly sampling: Sampling;
  readonly record: number | null;
  readonly measure: MeasureChoice;
}

/** Measure a model that is there. */
export interface ModelTask extends Named {
  readonly kind: "model";
  readonly model: string;
  readonly weights: string | null;
  readonly data: DataChoice;
  readonly test: DataChoice;
  readonly measure: MeasureChoice;
}

/** Sample, fit and measure a batch of synthetic data sets: too quick, each, for a task of its own. */
export interface SyntheticTask {
  readonly kind: "synthetic";
  readonly make: Omit<SyntheticMake, "separations" | "repetitions">;
  readonly separation: number;
  readonly first: number;
  readonly count: number;
}

export type StudyTask = TrainTask | ModelTask | SyntheticTask;

/** The file of a task's directory that holds its runs. */
export const RUNS_FILE = "runs.json";
