import type { Dataset } from "../data/dataset.ts";

/** The samples of a data set that are measured on. */
export interface Sampled {
  readonly data: Dataset;
  readonly indices: Int32Array;
  readonly description: string;
}
