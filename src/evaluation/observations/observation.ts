import type { ValueId } from "../../graph/graph.ts";
import type { RuntimeArray } from "../../runtime/session.ts";
import type { ResultRow, Warning } from "../result.ts";

/** Something about the network or its data that a reader of the numbers must know, seen in the pass that every measurement has. */
export interface Observation {
  /** What the pass's graph gives out for it, by names of its own. */
  readonly values: ReadonlyMap<string, ValueId>;
  /** Takes the outputs of a batch, whose first n samples are not padding. */
  add(outputs: ReadonlyMap<string, RuntimeArray>, n: number): void;
  /** What there is to say after the last batch. */
  warnings(seen: Seen): Warning[];
}

/** What is known by then. */
export interface Seen {
  readonly results: readonly ResultRow[];
  /** The numbers that messages call the samples by, in the order of the batches. */
  readonly indices: Int32Array;
  /** How many loss terms a sample has in the mean. */
  readonly meanTerms: number;
}
