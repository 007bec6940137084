import { ModelError } from "../errors.ts";
import type { Graph, Node, ValueId } from "./graph.ts";
import { consumers, makersOf, producers } from "./graph.ts";
import type { Layer } from "./layers.ts";

/**
 * The model in which a layer's weight is read by that layer alone: where others read it too (a table of embeddings that is also
 * the head), the layer gets a copy, so that its weight can be changed and theirs not.
 *
 * @param instance the nodes of the instantiated model, in which the layer was found
 * @returns the model, and the name of the layer's initializer in it
 * @throws ModelError where the nodes that read it are not the model's own
 */
export function withOwnWeight(
  graph: Graph,
  layer: Layer,
  instance: readonly Node[],
): { graph: Graph; initializer: ValueId } {
  const { initializer, uses } = layer;
  const made = producers(graph.nodes);
  const read = consumers(instance);
  const own = new Set(uses.map((use) => use.preactivation));
  const readers = (value: ValueId): Node[] =>
    (read.get(value) ?? []).flatMap((node) =>
      leadsToWeight(node) && !own.has(node.outputs[0] as ValueId) ? readers(node.outputs[0] as ValueId) : [node],
    );
  if (readers(initializer).every((node) => own.has(node.outputs[0] as ValueId))) return { graph, initializer };
  const missing = uses.find((use) => !made.has(use.preactivation));
  const tensor = graph.constants.get(initializer);
  if (missing || !tensor) {
    throw new ModelError(
      `layer ${layer.name}: its weight ${initializer} is that of other layers too, and cannot be changed alone`,
    );
  }
  const copy = (value: ValueId): ValueId => `flatness/own ${value}`;
  const copied = new Set<ValueId>([initializer]);
  for (const node of graph.nodes) {
    if (leadsToWeight(node) && copied.has(node.inputs[0] ?? "")) copied.add(node.outputs[0] as ValueId);
  }
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const output = node.outputs[0] as ValueId;
    if (own.has(output)) return [renamed(node, copied, copy)];
    if (!copied.has(output)) return [node];
    return [node, { ...renamed(node, copied, copy), name: copy(node.name), outputs: [copy(output)] }];
  });
  const constants = new Map([...graph.constants, [copy(initializer), tensor] as const]);
  return { graph: pruned({ ...graph, nodes, constants }), initializer: copy(initializer) };
}

const rearranging = new Set(["Identity", "Transpose", "Reshape", "Cast", "Squeeze", "Unsqueeze", "Flatten", "Dropout"]);

/** Whether a node only hands its first input on, as those between an initializer and the layer do. */
function leadsToWeight({ op, domain }: Node): boolean {
  return domain === "" && rearranging.has(op);
}

function renamed(node: Node, copied: ReadonlySet<ValueId>, copy: (value: ValueId) => ValueId): Node {
  const inputs = node.inputs.map((input) => (copied.has(input) ? copy(input) : input));
  return { ...node, inputs, source: undefined };
}

/** Without nodes that nothing needs. */
function pruned(graph: Graph): Graph {
  const outputs = graph.outputs.map((output) => output.name);
  return { ...graph, nodes: makersOf(graph.nodes, outputs).nodes };
}
