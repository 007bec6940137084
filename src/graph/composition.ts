import type { Graph, Node, ValueId } from "./graph.ts";
import { makersOf } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

/** Elements of the constants that are compared. */
const LARGEST_COMPARED = 1 << 16;

/**
 * One graph after another: inputs of the second that `bound` names are outputs of the first, other inputs of the same name are shared. What
 * both do with shared inputs and equal constants is done once.
 *
 * @param bound input of the second → output of the first
 * @param kept outputs of the first that the whole has too, in place of outputs of the second with the same name
 */
export function followedBy(
  first: Graph,
  second: Graph,
  bound: ReadonlyMap<ValueId, ValueId>,
  kept: readonly ValueId[],
): Graph {
  const free = second.inputs.filter(({ name }) => !bound.has(name)).map(({ name }) => name);
  const called = new Map<ValueId, ValueId>([["", ""], ...free.map((name) => [name, name] as const), ...bound]);
  const inside = (name: ValueId): ValueId => called.get(name) ?? `then/${name}`;
  const constants = new Map(first.constants);
  const equal = new Map([...first.constants].map(([name, tensor]) => [contentOf(tensor), name]));
  for (const [name, tensor] of second.constants) {
    const known = equal.get(contentOf(tensor));
    if (known === undefined) constants.set(inside(name), tensor);
    else called.set(name, known);
  }
  const done = new Map(first.nodes.map((node) => [workOf(node), node.outputs]));
  const nodes: Node[] = [];
  for (const node of second.nodes) {
    const then = { ...node, name: `then/${node.name}`, inputs: node.inputs.map(inside), source: undefined };
    const known = done.get(workOf(then));
    if (known?.length === node.outputs.length) {
      for (const [index, output] of node.outputs.entries()) if (output) called.set(output, known[index] as ValueId);
    } else nodes.push({ ...then, outputs: node.outputs.map(inside) });
  }
  const outputs = second.outputs.filter(({ name }) => !kept.includes(name));
  const named = outputs.map(({ name }) => ({
    op: "Identity",
    domain: "",
    name,
    inputs: [inside(name)],
    outputs: [name],
    attributes: {},
  }));
  const known = new Set(first.inputs.map(({ name }) => name));
  const given = [...first.outputs.filter(({ name }) => kept.includes(name)), ...outputs];
  // The runtime would run what only outputs that are left out are made of.
  const made = makersOf(
    [...first.nodes, ...nodes, ...named],
    given.map(({ name }) => name),
  );
  return {
    ...first,
    inputs: [...first.inputs, ...second.inputs.filter(({ name }) => !bound.has(name) && !known.has(name))],
    outputs: given,
    nodes: made.nodes,
    constants: new Map([...constants].filter(([name]) => made.needed.has(name))),
    declared: new Map(),
    source: undefined,
  };
}

/** Equal for equal constants. Large ones count as different: weights that are alike are no chance worth looking for. */
function contentOf(tensor: Tensor): string | Tensor {
  return tensor.size > LARGEST_COMPARED ? tensor : `${tensor.type}[${tensor.dims.join()}]${tensor.bytes.join()}`;
}

/** Equal for nodes that make the same of the same; a node that draws, or holds a graph or a tensor, is like no other. */
function workOf(node: Node): string | Node {
  const attributes = Object.entries(node.attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  const opaque = attributes.some(([, { kind }]) => kind === "kept" || kind === "tensor");
  if (opaque || node.captures || /^(Random|Dropout|Multinomial|Bernoulli)/.test(node.op)) return node;
  return JSON.stringify([node.domain, node.op, attributes, node.inputs]);
}
