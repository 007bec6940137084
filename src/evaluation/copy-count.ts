import type { Builder } from "../graph/builder.ts";
import { isCopyable } from "../graph/copies.ts";
import type { Graph } from "../graph/graph.ts";
import { count } from "../graph/tensor.ts";

/** Copies of a part of a graph that one run takes at most, and nodes of them together. */
const MOST_COPIES = 64;
const MOST_NODES = 1024;

/**
 * Copies of a part that one run takes: as many as make up for what a run costs by itself.
 *
 * @param cached elements of the largest value that the caches bear
 */
export function copyCount(b: Builder, part: Graph, cached: number): number {
  if (!isCopyable(part)) return 1;
  const most = Math.min(MOST_COPIES, MOST_NODES / part.nodes.length, cached / largestOf(b, part));
  return Math.max(1, Math.floor(most));
}

/** Elements of the largest value that the nodes of a part make. */
function largestOf(b: Builder, { nodes }: Graph): number {
  const sizes = nodes.flatMap(({ outputs }) => outputs.map((output) => count(b.typeIfKnown(output)?.dims ?? [])));
  return sizes.reduce((most, size) => Math.max(most, size), 1);
}
