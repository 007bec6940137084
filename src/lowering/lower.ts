import type { Builder } from "../graph/builder.ts";
import type { Graph } from "../graph/graph.ts";
import { blockConvolutions } from "./blocked-channels.ts";
import { replayed } from "./replay.ts";
import { lowerSmallConvolutions } from "./small-convolutions.ts";
import { standardizedByRuntime } from "./standardization.ts";
import { readTurned } from "./turned-operands.ts";

/** Where a graph is to run. */
export interface Target {
  /** Execution provider, such as cpu, cuda, webgpu. */
  readonly provider: string;
}

/**
 * The same function in operators that run faster forwards and backwards, ready to grow: values and gradients are equal up to the order of
 * float32 sums. Inputs, outputs and every value that a node which is not lowered reads have the names that they had.
 *
 * The gain is in training, where patches are read twice and gradients go the same way back; for a forward pass alone the runtime's own
 * kernels are as good. A weight that is to be differentiated must be an input or come from one: what is made of constants is folded.
 *
 * @param graph of fixed shapes
 * @throws ModelError for inputs whose shape is not fixed
 */
export function lower(graph: Graph, { provider }: Target): Builder {
  return provider === "cpu" ? lowerSmallConvolutions(graph) : replayed(graph);
}

/**
 * The same function, gradients and all, in operators that run faster; it cannot be differentiated any more.
 *
 * @param graph of fixed shapes
 * @param block channels of the runtime's blocks, where it has them
 */
export function lowerWhole(graph: Graph, { provider }: Target, block: number | undefined): Graph {
  if (provider !== "cpu") return graph;
  const standardized = standardizedByRuntime(graph);
  return readTurned(block === undefined ? standardized : blockConvolutions(standardized, block));
}
