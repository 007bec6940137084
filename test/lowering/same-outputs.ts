import { expect } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { count, type Dims } from "../../src/graph/tensor.ts";
import { blockConvolutions } from "../../src/lowering/blocked-channels.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { channelBlock } from "../../src/training/channel-block.ts";
import { normals } from "../sketch.ts";

/** Sums of at most some thousand float32 products in another order, a few behind one another, relative to the whole in L2. */
const FLOAT32 = 5e-6;

const session = { provider: "cpu", threads: 1 };
const random = normals(37);

async function outputsOf(graph: Graph, feeds: ReadonlyMap<string, RuntimeArray>) {
  const opened = await nodeRuntime.open(graph, session);
  try {
    return await opened.run(feeds);
  } finally {
    await opened.release();
  }
}

/** Convolutions in blocks that are no factors of single maps. */
export function convolutions({ nodes }: Graph): number {
  return inBlocks({ nodes }, "Conv").filter(({ attributes }) => (attributes["group"]?.value ?? 1) === 1).length;
}

/** Nodes of an operator in blocks. */
export function inBlocks({ nodes }: Pick<Graph, "nodes">, name: string) {
  return nodes.filter(({ op, domain }) => op === name && domain !== "");
}

/**
 * Checks that a graph in blocks of this processor gives what it gave without.
 *
 * @param given inputs; others are of a normal distribution
 * @returns the graph in blocks
 */
export async function sameInBlocks(graph: Graph, given: Readonly<Record<string, Float32Array>> = {}): Promise<Graph> {
  const lowered = blockConvolutions(graph, (await channelBlock(nodeRuntime, session)) as number);
  await sameOutputs(graph, lowered, given);
  return lowered;
}

/**
 * Checks that a lowered graph gives what it gave before.
 *
 * @param given inputs; others are of a normal distribution
 */
export async function sameOutputs(
  graph: Graph,
  lowered: Graph,
  given: Readonly<Record<string, Float32Array>> = {},
): Promise<void> {
  const feeds = new Map(
    graph.inputs.map(({ name, dims }) => {
      const data = given[name] ?? Float32Array.from({ length: count(dims as Dims) }, random);
      return [name, { type: "float32" as const, dims: dims as Dims, data }];
    }),
  );
  const [plain, other] = [await outputsOf(graph, feeds), await outputsOf(lowered, feeds)];
  expect([...other.keys()]).toEqual([...plain.keys()]);
  for (const [name, { data, dims }] of plain) {
    const values = other.get(name) as RuntimeArray;
    expect(values.dims).toEqual(dims);
    const [own, expected] = [values.data as Float32Array, data as Float32Array];
    const difference = own.reduce((sum, value, place) => sum + (value - (expected[place] as number)) ** 2, 0);
    const whole = expected.reduce((sum, value) => sum + value ** 2, 0);
    expect(Math.sqrt(difference / whole), name).toBeLessThan(FLOAT32);
  }
}
