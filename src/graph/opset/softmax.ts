import type { Node } from "../graph.ts";
import { int } from "../graph.ts";
import type { Rewriting } from "./rewriting.ts";
import { integer, revise } from "./rewriting.ts";

/**
 * Softmax, LogSoftmax and Hardmax before 13 run over all axes from `axis` (default 1) on together; since 13
 * over one axis. The two agree on the last axis; else, or where the rank is unknown, the rows are made explicit.
 */
export function softmax(node: Node, rewriting: Rewriting): Node | Node[] {
  const [data = ""] = node.inputs;
  const axis = int(node, "axis", 1);
  const rank = rewriting.rank(data) ?? rewriting.rank(node.outputs[0]);
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) {
    return node.attributes.axis ? node : revise(node, { attributes: { axis: integer(axis) } });
  }
  const expansion = rewriting.expansion(node);
  const shape = expansion.add("Shape", [data]);
  const rows = expansion.add("Flatten", [data], { axis: integer(axis) });
  return expansion.end("Reshape", [expansion.add(node.op, [rows], { axis: integer(-1) }), shape]);
}
