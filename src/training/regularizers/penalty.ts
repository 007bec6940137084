import type { ValueId } from "../../graph/graph.ts";
import type { Scored } from "../scored.ts";

/** What is added to the loss of a batch, times a number among the step's. */
export interface Penalty {
  /** Of the number that it is multiplied by. */
  readonly name: string;
  /** Equal for penalties with the same graph. */
  readonly key: string;
  /** Values of the model that it reads. */
  readonly reads: readonly ValueId[];
  /** Whether it sweeps through the network, which then must be as it was written. */
  readonly sweeps: boolean;
  /** Inputs of random signs, drawn anew for each step, and how many. */
  readonly signs: ReadonlyMap<ValueId, number>;
  /** A scalar. */
  value(forward: Scored): ValueId;
}
