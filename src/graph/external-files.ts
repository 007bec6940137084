import type { Graph } from "./graph.ts";

/** The files beside the model that hold its data, each once: names as the model has them, which may lead anywhere. */
export function externalFiles(graph: Graph): string[] {
  const attributes = graph.nodes.flatMap((node) => Object.values(node.attributes));
  const tensors = attributes.flatMap((attribute) => (attribute.kind === "tensor" ? attribute.value : []));
  return [...new Set([...graph.constants.values(), ...tensors].flatMap(({ external }) => external?.file ?? []))];
}
