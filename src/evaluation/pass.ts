import type { Graph, ValueId } from "../graph/graph.ts";
import type { RuntimeArray } from "../runtime/session.ts";

/** What a number per sample is: `loss`, or a form of a layer's curvature such as `weighted/fc1`. */
export type QuantityKey = string;

/** One run of a pass's graph on a batch: what goes in besides the data, and which outputs are taken for what. */
export interface Run {
  readonly feeds: ReadonlyMap<ValueId, RuntimeArray>;
  /** Output of the graph → the quantities that its values are added to. */
  readonly takes: ReadonlyMap<string, readonly QuantityKey[]>;
}

/** What a batch needs before its runs: a graph of its own, whose outputs become further inputs. */
export interface Prologue {
  readonly graph: Graph;
  derive(outputs: ReadonlyMap<string, RuntimeArray>): ReadonlyMap<ValueId, RuntimeArray>;
}

/** The network below a pass's graph: it runs at a smaller batch size, and its outputs, stacked, are inputs of the graph. */
export interface Trunk {
  readonly graph: Graph;
  readonly inputs: ReadonlySet<ValueId>;
  /** Samples at once, a divisor of the pass's. */
  readonly batch: number;
}

/** A graph whose outputs are per-sample numbers, and the runs that one batch needs; the values of all runs are added. */
export interface Pass {
  readonly graph: Graph;
  /** Names of the graph's inputs. */
  readonly inputs: ReadonlySet<ValueId>;
  /** Samples at once. */
  readonly batch: number;
  readonly prologue?: Prologue;
  readonly trunk?: Trunk;
  /**
   * Quantities with a random part: they are drawn twice on some samples, so that the part's size is known. A quantity SPREAD, where
   * there is one, tells beforehand which samples have a large one.
   */
  readonly random: ReadonlySet<QuantityKey>;
  /** Takes what else a batch's first run gives; its first n samples are not padding. Second draws are not shown to it. */
  observe?(outputs: ReadonlyMap<string, RuntimeArray>, n: number): void;
  /**
   * @param n samples of the batch that are not padding
   * @param again places of these samples among all, when this is their second draw
   */
  runs(n: number, again: Int32Array | undefined): Iterable<Run>;
}

export function inputsOf(graph: Graph): ReadonlySet<ValueId> {
  return new Set(graph.inputs.map((input) => input.name));
}
