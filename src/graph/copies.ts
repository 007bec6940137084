import { attributes } from "./builder.ts";
import type { Graph, Node, ValueId } from "./graph.ts";
import { type Dims, Tensor } from "./tensor.ts";

/**
 * A graph several times side by side, each copy with a value of its own for one input: for small graphs one run of many copies costs
 * little more than a run of one.
 *
 * @param input fed as [copies, …dims]
 * @param dims of the input in one copy
 * @returns the graph; each output is the copies' one after another along its first axis
 */
export function copiesOf(graph: Graph, input: ValueId, dims: Dims, copies: number): Graph {
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  const named = (value: ValueId, copy: number) =>
    value !== "" && (made.has(value) || value === input) ? `${value}#${copy}` : value;
  const all = Array.from({ length: copies }, (_, copy) => copy);
  const shape = `${input}#shape`;
  const parts = all.map((copy) => `${input}#part${copy}`);
  const nodes: Node[] = [
    nodeOf("Split", [input], parts, { axis: 0, num_outputs: copies }),
    ...all.map((copy) => nodeOf("Reshape", [parts[copy] as ValueId, shape], [named(input, copy)])),
    ...all.flatMap((copy) =>
      graph.nodes.map((node) => ({
        ...node,
        name: node.name === "" ? "" : `${node.name}#${copy}`,
        inputs: node.inputs.map((value) => named(value, copy)),
        outputs: node.outputs.map((value) => named(value, copy)),
        source: undefined,
      })),
    ),
    ...graph.outputs.map(({ name }) =>
      nodeOf(
        "Concat",
        all.map((copy) => named(name, copy)),
        [name],
        { axis: 0 },
      ),
    ),
  ];
  return {
    ...graph,
    nodes,
    constants: new Map([...graph.constants, [shape, Tensor.int64(dims)] as const]),
    inputs: graph.inputs.map((each) => (each.name === input ? { ...each, dims: [copies, ...dims] } : each)),
    outputs: graph.outputs.map((each) => ({
      ...each,
      dims: each.dims?.map((size, axis) => (axis === 0 && typeof size === "number" ? copies * size : size)),
    })),
  };
}

/** Whether the nodes can be copied: those that read from within a subgraph cannot. */
export function isCopyable(graph: Graph): boolean {
  return graph.nodes.every((node) => (node.captures ?? []).length === 0);
}

function nodeOf(
  op: string,
  inputs: readonly ValueId[],
  outputs: readonly ValueId[],
  short: Readonly<Record<string, number>> = {},
): Node {
  return { op, domain: "", name: outputs[0] as string, inputs, outputs, attributes: attributes(short) };
}
