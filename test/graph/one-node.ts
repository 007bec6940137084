import type { AttributeValue } from "../../src/graph/builder.ts";
import { attributes, Builder } from "../../src/graph/builder.ts";
import type { Graph, Node, ValueId } from "../../src/graph/graph.ts";
import { Tensor, type Dims, type ElementType } from "../../src/graph/tensor.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { runGraph } from "./running.ts";
import { emptyGraph, inputOf } from "./small-graph.ts";

/** An input that is a constant of the graph; a bare tensor is fed. */
export interface Fixed {
  readonly fixed: Tensor;
}

/** One operator with its inputs: undefined is an absent one. */
export interface OneNode {
  readonly op: string;
  readonly inputs: readonly (Tensor | Fixed | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** How many outputs the node names; 1 by default. */
  readonly outputs?: number;
  readonly opset?: number;
}

export type Case = readonly [
  op: string,
  inputs: OneNode["inputs"],
  attributes?: OneNode["attributes"],
  more?: Pick<OneNode, "outputs" | "opset">,
];

export function oneNode([op, inputs, attributes = {}, more = {}]: Case): OneNode {
  return { op, inputs, attributes, ...more };
}

export function fixed(tensor: Tensor): Fixed {
  return { fixed: tensor };
}

/** A constant vector of int64. */
export function list(...values: number[]): Fixed {
  return { fixed: Tensor.int64(values) };
}

export function label({ op, inputs, attributes: given = {} }: OneNode): string {
  const shapes = inputs.map((input) => {
    if (!input) return "absent";
    if (input instanceof Tensor) return `${input.type === "float32" ? "" : input.type}[${input.dims.join()}]`;
    const { size, type } = input.fixed;
    return size > 12 || type === "string"
      ? `fixed[${input.fixed.dims.join()}]`
      : `${Array.from(input.fixed.numbers()).join(" ")}`;
  });
  const parts = Object.entries(given).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${op} ${shapes.join(" | ")} ${parts.join(" ")}`.trim();
}

/** The node's types as the Builder infers them, and its values where it folds them. */
export function infer(row: OneNode): {
  type: (ElementType | undefined)[];
  dims: (Dims | undefined)[];
  folded: Tensor | undefined;
} {
  const b = new Builder();
  const node = nodeOf(row);
  row.inputs.forEach((input, index) => {
    if (input instanceof Tensor) b.input(`x${index}`, input.type, input.dims);
    else if (input) b.constant(input.fixed, `x${index}`);
  });
  b.node(node);
  const types = node.outputs.map((output) => b.typeIfKnown(output));
  return {
    type: types.map((type) => type?.type),
    dims: types.map((type) => type?.dims),
    folded: b.constantOf(node.outputs[0] as ValueId),
  };
}

/** What the runtime makes of the node, without a word from our rules. */
export async function runNode(row: OneNode): Promise<RuntimeArray[]> {
  const node = nodeOf(row);
  const inputs = row.inputs.flatMap((input, index) => (input instanceof Tensor ? [inputOf(`x${index}`, input)] : []));
  const constants = row.inputs.flatMap((input, index) =>
    input && !(input instanceof Tensor) ? [[`x${index}`, input.fixed] as const] : [],
  );
  const graph: Graph = {
    ...emptyGraph,
    opset: row.opset ?? 18,
    inputs,
    nodes: [node],
    constants: new Map(constants),
    outputs: node.outputs.map((name) => ({ name, type: undefined, dims: undefined })),
  };
  const feeds = row.inputs.flatMap((input, index) => (input instanceof Tensor ? [[`x${index}`, input] as const] : []));
  const results = await runGraph(graph, new Map(feeds));
  return node.outputs.map((output) => results.get(output) as RuntimeArray);
}

function nodeOf(row: OneNode): Node {
  return {
    op: row.op,
    domain: "",
    name: "n",
    inputs: row.inputs.map((input, index) => (input ? `x${index}` : "")),
    outputs: Array.from({ length: row.outputs ?? 1 }, (_, index) => `y${index}`),
    attributes: attributes(row.attributes ?? {}),
  };
}
