import { UnsupportedOperatorError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { describe, reads } from "../graph/graph.ts";
import { add } from "../graph/operators.ts";
import { ruleOf, rules } from "./rules/table.ts";

/**
 * Reverse mode: pulls cotangents at outputs of the graph back to inner values.
 *
 * @param seeds cotangents [lead…, dims of the value] of the values where the pull starts
 * @param targets values whose cotangents are asked for
 * @param lead leading axes of every cotangent that the values do not have: 1 for K columns at once
 * @returns the cotangent of each target that the seeds depend on
 * @throws UnsupportedOperatorError when an operator on the way has no rule
 */
export function pullBack(
  b: Builder,
  seeds: ReadonlyMap<ValueId, ValueId>,
  targets: Iterable<ValueId>,
  lead: number,
): Map<ValueId, ValueId> {
  const wanted = new Set(targets);
  const nodes = [...b.nodes];
  const varying = dependents(nodes, wanted);
  const cotangents = new Map(seeds);
  for (const node of nodes.toReversed()) {
    const given = node.outputs.map((output) => cotangents.get(output));
    if (given.every((value) => value === undefined)) continue;
    if (!node.inputs.some((input) => varying.has(input))) continue;
    const rule = ruleOf(node);
    if (!rule) throw unsupported(node);
    const varies = (index: number) => varying.has(node.inputs[index] ?? "");
    const pulled = rule.vjp({ b, node, lead, cotangents: given, varies });
    pulled.forEach((value, index) => {
      const input = node.inputs[index] as ValueId;
      if (value === undefined || !varying.has(input)) return;
      const known = cotangents.get(input);
      cotangents.set(input, known === undefined ? value : add(b, known, value));
    });
  }
  return new Map(
    [...wanted].flatMap((value) => {
      const found = cotangents.get(value);
      return found === undefined ? [] : [[value, found] as const];
    }),
  );
}

/**
 * The values that vary with any of the sources, the sources themselves among them. What depends on them through comparisons or
 * rounding alone does not vary.
 */
export function dependents(nodes: readonly Node[], sources: ReadonlySet<ValueId>): Set<ValueId> {
  const varying = new Set(sources);
  for (const node of nodes) {
    if (!reads(node).some((input) => varying.has(input)) || ruleOf(node)?.linearity === "constant") continue;
    for (const output of node.outputs) if (output !== "") varying.add(output);
  }
  return varying;
}

export function unsupported(node: Node): UnsupportedOperatorError {
  const known = Object.keys(rules).sort().join(", ");
  return new UnsupportedOperatorError(
    `node ${describe(node)}: no derivative rule for ${node.domain ? `${node.domain}.` : ""}${node.op}; there are rules for ${known}`,
  );
}
