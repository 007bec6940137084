import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { jetOf, type Chain, type Jet } from "./jets.ts";
import { ruleOf } from "./rules/table.ts";
import { dependents, unsupported } from "./vjp.ts";

/**
 * Forward mode of order 1 or 2: pushes Taylor coefficients of some values to others. The second order is collapsed over the
 * directions (Dangel et al. 2025), so that R directions cost R first-order coefficients and one of second order.
 *
 * @param seeds jets of the values where the sweep starts, or chains whose root is smaller than they are; the node that makes such a value is not looked at
 * @param targets values whose jets are asked for
 * @returns the jet of each target that depends on a seed
 * @throws UnsupportedOperatorError when an operator on the way has no rule
 */
export function pushForward(
  b: Builder,
  seeds: ReadonlyMap<ValueId, Jet | Chain>,
  targets: readonly ValueId[],
  order: 1 | 2,
): Map<ValueId, Jet> {
  const nodes = [...b.nodes];
  const needed = new Set(targets);
  for (const node of nodes.toReversed()) {
    if (!node.outputs.some((output) => needed.has(output) && !seeds.has(output))) continue;
    for (const input of node.inputs) needed.add(input);
  }
  const varying = dependents(nodes, new Set(seeds.keys()));
  const chains = new Map<ValueId, Chain>(
    [...seeds].map(([value, seed]) => [value, "root" in seed ? seed : { root: seed }]),
  );
  const made = new Map<Chain, Jet>();
  const materialized = (chain: Chain): Jet => {
    const known = made.get(chain) ?? jetOf(b, chain);
    made.set(chain, known);
    return known;
  };
  for (const node of nodes) {
    if (!node.outputs.some((output) => needed.has(output) && !seeds.has(output))) continue;
    if (!node.inputs.some((input) => varying.has(input))) continue;
    const rule = ruleOf(node);
    if (!rule) throw unsupported(node);
    const chain = (index: number) => chains.get(node.inputs[index] ?? "");
    const jet = (index: number) => {
      const known = chain(index);
      return known && materialized(known);
    };
    // A value that depends on the seeds through comparisons alone does not vary.
    const varies = (index: number) => chain(index) !== undefined;
    if (!node.inputs.some((_, index) => varies(index))) continue;
    rule.taylor({ b, node, order, varies, chain, jet }).forEach((result, index) => {
      const output = node.outputs[index];
      if (result && output && !seeds.has(output)) chains.set(output, result);
    });
  }
  return new Map(
    targets.flatMap((target) => {
      const chain = chains.get(target);
      return chain ? [[target, materialized(chain)] as const] : [];
    }),
  );
}
