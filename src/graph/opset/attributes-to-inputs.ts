import type { Node } from "../graph.ts";
import { float, int, ints } from "../graph.ts";
import { filled } from "./filled.ts";
import type { Rewriting } from "./rewriting.ts";
import { integer, revise, without } from "./rewriting.ts";

/** Squeeze, Unsqueeze (13), ReduceSum (13) and the other reductions (18). */
export function axesToInput(node: Node, rewriting: Rewriting): Node {
  const axes = ints(node, "axes");
  if (!axes) return node;
  const [data = ""] = node.inputs;
  // No axes at all means all of them, before and after.
  const inputs = axes.length > 0 ? [data, rewriting.integers(node, "axes", axes)] : [data];
  return revise(node, { inputs, attributes: without(node, "axes") });
}

/** The sizes became an input (13); without them the number of parts has to be said (18). */
export function split(node: Node, rewriting: Rewriting): Node {
  const sizes = ints(node, "split");
  const [data = "", given] = node.inputs;
  if (given) return node;
  const attributes = without(node, "split");
  if (sizes) return revise(node, { inputs: [data, rewriting.integers(node, "split", sizes)], attributes });
  return revise(node, { attributes: { ...attributes, num_outputs: integer(node.outputs.length) } });
}

export function clip(node: Node, rewriting: Rewriting): Node {
  if (!node.attributes.min && !node.attributes.max) return node;
  const [data = ""] = node.inputs;
  const bound = (name: string) => {
    if (!node.attributes[name]) return "";
    const value = filled(rewriting.floatType(data), [], float(node, name, 0));
    return rewriting.constant(node, name, value);
  };
  return revise(node, { inputs: [data, bound("min"), bound("max")], attributes: without(node, "min", "max") });
}

export function slice(node: Node, rewriting: Rewriting): Node {
  const [data = ""] = node.inputs;
  const roles = ["starts", "ends", "axes"].filter((role) => ints(node, role));
  const inputs = roles.map((role) => rewriting.integers(node, role, (ints(node, role) ?? []).map(clamped)));
  return revise(node, { inputs: [data, ...inputs], attributes: without(node, ...roles) });
}

/** "To the end" is written as INT64_MAX, which as a double is 2⁶³ and would wrap to the smallest integer. */
function clamped(index: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(index, Number.MAX_SAFE_INTEGER));
}

export function pad(node: Node, rewriting: Rewriting): Node {
  const [data = ""] = node.inputs;
  const pads = rewriting.integers(node, "pads", ints(node, "pads") ?? []);
  const fill = float(node, "value", 0);
  const value = fill === 0 ? "" : rewriting.constant(node, "value", filled(rewriting.floatType(data), [], fill));
  return revise(node, { inputs: [data, pads, value], attributes: without(node, "pads", "value") });
}

export function topK(node: Node, rewriting: Rewriting): Node {
  const [data = ""] = node.inputs;
  const k = rewriting.integers(node, "k", [int(node, "k", 1)]);
  return revise(node, { inputs: [data, k], attributes: without(node, "k") });
}
