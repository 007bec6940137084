import type { Graph } from "../graph/graph.ts";
import { count } from "../graph/tensor.ts";
import { blockings } from "./blocked-operators.ts";
import { Blocks, DOMAIN } from "./blocks.ts";

/** An image of more channels than any processor's B, and two places. */
const probed = [1, 64, 1, 2];

/** Brings the numbers 0, 1, 2, … into blocks: {@link blockOf} reads B from what comes out. */
export const blockProbe = {
  graph: {
    name: "blocks",
    opset: 18,
    domains: new Map([[DOMAIN, 1]]),
    inputs: [{ name: "x", type: "float32", dims: probed }],
    outputs: [{ name: "y", type: "float32", dims: probed }],
    nodes: [{ op: "ReorderInput", domain: DOMAIN, name: "y", inputs: ["x"], outputs: ["y"], attributes: {} }],
    constants: new Map(),
    declared: new Map(),
  } satisfies Graph,
  feeds: new Map([
    ["x", { type: "float32", dims: probed, data: Float32Array.from({ length: count(probed) }, (_, index) => index) }],
  ] as const),
};

/** B, where there are blocks: the second number of the first channel stands behind the first numbers of a block. */
export function blockOf(probed: ArrayLike<number>): number | undefined {
  const place = Array.from(probed).indexOf(1);
  return place > 1 ? place : undefined;
}

/**
 * The graph with its convolutions on blocks of channels, where their kernels are no constants, and what reads their outputs too: functions
 * of each element, batch normalization, sums over maps. What else reads a value has it as it was. Values are equal up to the order of
 * float32 sums; a gradient through ReLU is smaller where an activation is denormal.
 *
 * @param graph of fixed shapes
 * @param block B, channels of a block; convolutions of other numbers of channels stay
 */
export function blockConvolutions(graph: Graph, block: number): Graph {
  const blocks = new Blocks(graph, block);
  for (const node of graph.nodes) {
    const blocking = node.domain === "" ? blockings[node.op] : undefined;
    if (!blocking?.(blocks, node)) blocks.keep(node);
  }
  return blocks.done();
}
