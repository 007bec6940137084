import type { Graph, Node, ValueId, ValueType } from "./graph.ts";
import { makersOf, reads } from "./graph.ts";

/**
 * The part of a graph that depends on some values: what has to run again when only these change. They become its inputs, and
 * so do the values that it reads from the rest of the graph, which is run once.
 *
 * @param varying values that are fed: inputs, constants, or inner values whose nodes are left out
 * @param typeOf static types of the graph's values
 */
export function partAfter(graph: Graph, varying: ReadonlySet<ValueId>, typeOf: (value: ValueId) => ValueType): Graph {
  const dependent = new Set(varying);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    if (node.outputs.some((output) => varying.has(output))) continue;
    if (!reads(node).some((input) => dependent.has(input))) continue;
    nodes.push(node);
    for (const output of node.outputs) if (output !== "") dependent.add(output);
  }
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const needed = new Set([...nodes.flatMap(reads), ...graph.outputs.map((output) => output.name)]);
  const fed = [...needed].filter((value) => varying.has(value) || !(made.has(value) || graph.constants.has(value)));
  const constants = new Map([...graph.constants].filter(([name]) => needed.has(name) && !varying.has(name)));
  return { ...graph, nodes, constants, inputs: fed.map((name) => ({ name, ...typeOf(name) })) };
}

/**
 * The part of a graph that makes its outputs from some values, which become its inputs, beside those of the graph's inputs that it still
 * reads.
 *
 * @param cut values that are fed
 * @param typeOf static types of the graph's values
 */
export function partAbove(graph: Graph, cut: ReadonlySet<ValueId>, typeOf: (value: ValueId) => ValueType): Graph {
  const outputs = graph.outputs.map((output) => output.name);
  const { nodes, needed } = makersOf(graph.nodes, outputs, cut);
  const constants = new Map([...graph.constants].filter(([name]) => needed.has(name) && !cut.has(name)));
  const given = graph.inputs.filter(({ name }) => needed.has(name) && !cut.has(name));
  const fed = [...cut].filter((name) => needed.has(name)).map((name) => ({ name, ...typeOf(name) }));
  return { ...graph, nodes, constants, inputs: [...fed, ...given] };
}

/** The graph in which one node reads another value in the place of an input. */
export function withInput(graph: Graph, output: ValueId, input: ValueId, replacement: ValueId): Graph {
  const nodes = graph.nodes.map((node) =>
    node.outputs[0] === output
      ? { ...node, inputs: node.inputs.map((each) => (each === input ? replacement : each)), source: undefined }
      : node,
  );
  return { ...graph, nodes };
}
