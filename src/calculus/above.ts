import type { Builder } from "../graph/builder.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { describe, producers } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { count, type Dims } from "../graph/tensor.ts";
import { linearityOf } from "./rules/rule.ts";
import { ruleOf } from "./rules/table.ts";
import { dependents } from "./vjp.ts";

/** What the network does with a layer's pre-activations on their way to the outputs. */
export type Above =
  /** The outputs are z plus a constant. */
  | { readonly kind: "logits" }
  /** Gauss-Newton and Hessian coincide. */
  | { readonly kind: "piecewise-linear" }
  | { readonly kind: "smooth"; readonly node: string; readonly op: string }
  /** A node applies the same weight to what it made: the outputs are a polynomial in W. */
  | { readonly kind: "reused"; readonly node: string; readonly op: string }
  /** A value that the layer reads or makes does not have the samples as its first axis, or its shape is unknown. */
  | { readonly kind: "mixed-samples"; readonly value: ValueId; readonly dims: Dims | undefined }
  /** An operator without a derivative rule. */
  | { readonly kind: "unsupported"; readonly node: string; readonly op: string }
  /** The outputs do not depend on the layer. */
  | { readonly kind: "disconnected" };

/** Why the curvature of a layer cannot be had; undefined where it can. */
export function obstacle(above: Above): string | undefined {
  switch (above.kind) {
    case "disconnected":
      return "the outputs do not depend on it";
    case "mixed-samples":
      return above.dims
        ? `value ${above.value} of shape [${above.dims.join(", ")}] does not have the samples as its first axis`
        : `the shape of ${above.value} is unknown, as an operator before it has no shape rule`;
    case "unsupported":
      return `no derivative rule for operator ${above.op} of node ${above.node} above it`;
    default:
      return undefined;
  }
}

/** Classifies the network above a layer, which decides how its Hessian can be had. */
export function classifyAbove(b: Builder, layer: Layer, outputs: ValueId): Above {
  if (isLast(b, layer, outputs)) return { kind: "logits" };
  const sources = new Set(layer.uses.map((use) => use.preactivation));
  const varying = dependents(b.nodes, sources);
  if (!varying.has(outputs)) return { kind: "disconnected" };
  const batch = b.typeIfKnown(outputs)?.dims[0];
  for (const value of layer.uses.flatMap((use) => [use.features, use.preactivation])) {
    const dims = b.typeIfKnown(value)?.dims;
    if (dims === undefined || dims[0] !== batch) return { kind: "mixed-samples", value, dims };
  }
  const needed = ancestors(b.nodes, outputs);
  let smooth: Node | undefined;
  const reused = layer.uses.find((use) => varying.has(use.features) && needed.has(use.preactivation))?.node;
  for (const node of b.nodes) {
    if (!node.outputs.some((output) => needed.has(output))) continue;
    if (!node.inputs.some((input) => varying.has(input)) && !node.captures?.some((value) => varying.has(value)))
      continue;
    const rule = ruleOf(node);
    const at = { b, node, varies: (index: number) => varying.has(node.inputs[index] ?? "") };
    const linearity = rule && linearityOf(rule, at);
    if (linearity === undefined || linearity === "unsupported") {
      return { kind: "unsupported", node: describe(node), op: node.op };
    }
    if (linearity === "smooth") smooth ??= node;
  }
  if (reused) return { kind: "reused", node: describe(reused), op: reused.op };
  return smooth ? { kind: "smooth", node: describe(smooth), op: smooth.op } : { kind: "piecewise-linear" };
}

/** Values that an output is made from. */
function ancestors(nodes: readonly Node[], output: ValueId): Set<ValueId> {
  const needed = new Set([output]);
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((value) => needed.has(value))) continue;
    for (const input of [...node.inputs, ...(node.captures ?? [])]) needed.add(input);
  }
  return needed;
}

/** Whether the outputs are the layer's own z plus a constant, one position a term. */
function isLast(b: Builder, layer: Layer, outputs: ValueId): boolean {
  const [use] = layer.uses;
  if (!use || layer.uses.length > 1 || use.kind !== "dense") return false;
  const made = producers(b.nodes);
  const dims = b.typeIfKnown(outputs)?.dims;
  if (dims?.length !== 3) return false;
  let value = outputs;
  while (value !== use.preactivation) {
    const node = made.get(value);
    if (!node || node.domain !== "") return false;
    if (node.op === "Identity" || node.op === "Dropout" || node.op === "Cast") value = node.inputs[0] as ValueId;
    else if (node.op === "Reshape" || node.op === "Flatten" || node.op === "Squeeze" || node.op === "Unsqueeze")
      value = node.inputs[0] as ValueId;
    else if (node.op === "Add") {
      const rest = node.inputs.filter((input) => !b.constantOf(input));
      if (rest.length !== 1) return false;
      value = rest[0] as ValueId;
    } else return false;
  }
  if (b.typeIfKnown(value)?.dims[0] !== dims[0]) return false;
  // One output that a constant spreads over several is not z itself; each term is one position, its classes the rows of W.
  return dims[2] === layer.d && count(dims) === count(b.typeIfKnown(use.preactivation)?.dims ?? []);
}
