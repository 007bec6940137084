import type { AttributeValue } from "../../src/graph/builder.ts";
import { attributes } from "../../src/graph/builder.ts";
import type { DeclaredDim, Graph, Node, ValueId, ValueInfo } from "../../src/graph/graph.ts";
import type { ElementType, Tensor } from "../../src/graph/tensor.ts";

export const emptyGraph: Graph = {
  name: "test",
  opset: 18,
  domains: new Map(),
  inputs: [],
  outputs: [],
  nodes: [],
  constants: new Map(),
  declared: new Map(),
};

/** A node called after its operator and what it makes. */
export function node(
  op: string,
  inputs: readonly ValueId[],
  outputs: ValueId | readonly ValueId[],
  short: Readonly<Record<string, AttributeValue>> = {},
  more: Partial<Node> = {},
): Node {
  const list = typeof outputs === "string" ? [outputs] : outputs;
  return { op, domain: "", name: "", inputs, outputs: list, attributes: attributes(short), ...more };
}

export function inputOf(name: ValueId, { type, dims }: Pick<Tensor, "type" | "dims">): ValueInfo {
  return { name, type, dims };
}

/** A graph with one output, `y` unless said otherwise, whose type the runtime finds out. */
export function graphOf(
  inputs: Readonly<Record<ValueId, readonly DeclaredDim[]>>,
  nodes: readonly Node[],
  constants: Readonly<Record<ValueId, Tensor>> = {},
  outputs: readonly ValueId[] = ["y"],
  type: ElementType = "float32",
): Graph {
  return {
    ...emptyGraph,
    inputs: Object.entries(inputs).map(([name, dims]) => ({ name, type, dims })),
    outputs: outputs.map((name) => ({ name, type: undefined, dims: undefined })),
    nodes,
    constants: new Map(Object.entries(constants)),
  };
}
