import { ModelError } from "../errors.ts";
import { Builder } from "../graph/builder.ts";
import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { reads } from "../graph/graph.ts";

/** What rewrites a graph node by node, in order. */
export interface Rewrite {
  /** Emits what a node does in another way, if it does; whoever reads its outputs asks for them by `restore`. */
  lower(node: Node): boolean;
  /** Makes a value of the original there under its own name, if it is not. */
  restore(value: ValueId): void;
}

/**
 * A graph's nodes in a builder of their own, each lowered where the rewrite does it and as it was elsewhere.
 *
 * @param rewriting the rewrite that grows this builder; none leaves all as it was
 * @throws ModelError for inputs whose shape is not fixed
 */
export function replayed(graph: Graph, rewriting?: (b: Builder) => Rewrite): Builder {
  const b = new Builder(graph);
  for (const { name, type, dims } of graph.inputs) {
    if (type === undefined || !dims?.every((size) => typeof size === "number")) {
      throw new ModelError(
        `input ${name}: expected a fixed shape, got ${dims ? `[${dims.map((size) => size ?? "?").join(", ")}]` : "none"}`,
      );
    }
    b.input(name, type, dims as readonly number[]);
  }
  for (const [name, tensor] of graph.constants) b.constant(tensor, name);
  const rewrite = rewriting?.(b);
  for (const node of graph.nodes) {
    if (rewrite?.lower(node)) continue;
    if (rewrite) for (const value of reads(node)) rewrite.restore(value);
    b.node(node);
  }
  if (rewrite) for (const { name } of graph.outputs) rewrite.restore(name);
  return b;
}
