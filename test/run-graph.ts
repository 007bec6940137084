import type { Builder } from "../src/graph/builder.ts";
import type { ValueId } from "../src/graph/graph.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import type { RuntimeArray } from "../src/runtime/session.ts";
import type { Array64 } from "./float64-array.ts";

export function float32Array({ dims, data }: Array64): RuntimeArray {
  return { type: "float32", dims, data: Float32Array.from(data) };
}

/** Values of a builder's graph in the runtime, as numbers. */
export async function valuesOf(
  b: Builder,
  wanted: Readonly<Record<string, ValueId>>,
  feeds: Readonly<Record<ValueId, RuntimeArray>>,
): Promise<Record<string, Float64Array>> {
  const graph = b.graph(new Map(Object.entries(wanted).map(([name, value]) => [`wanted/${name}`, value])));
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  try {
    const read = new Map(graph.inputs.map(({ name }) => [name, feeds[name]!]));
    const outputs = await session.run(read);
    return Object.fromEntries(
      [...outputs].map(([name, { data }]) => [
        name.slice("wanted/".length),
        Float64Array.from(data as ArrayLike<number | bigint>, Number),
      ]),
    );
  } finally {
    await session.release();
  }
}
