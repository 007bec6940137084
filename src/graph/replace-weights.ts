import type { Graph, ValueId } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

/**
 * The model with other values for these constants. Where a name is the output of an Identity, the constant takes its place:
 * what the exporter merged is apart again.
 */
export function replaceWeights(graph: Graph, replacements: ReadonlyMap<ValueId, Tensor>): Graph {
  return {
    ...graph,
    nodes: graph.nodes.filter(({ op, outputs }) => op !== "Identity" || !replacements.has(outputs[0] ?? "")),
    constants: new Map([...graph.constants, ...replacements]),
  };
}
