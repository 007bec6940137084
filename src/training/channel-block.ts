import { ModelError } from "../errors.ts";
import { blockOf, blockProbe } from "../lowering/blocked-channels.ts";
import type { Runtime, SessionOptions } from "../runtime/session.ts";

const found = new WeakMap<Runtime, Promise<number | undefined>>();

/** Channels of the blocks that a runtime's convolutions work on; undefined where it has none. Asked once. */
export function channelBlock(runtime: Runtime, options: SessionOptions): Promise<number | undefined> {
  if (options.provider !== "cpu") return Promise.resolve(undefined);
  const known = found.get(runtime) ?? ask(runtime, options);
  found.set(runtime, known);
  return known;
}

async function ask(runtime: Runtime, options: SessionOptions): Promise<number | undefined> {
  try {
    const session = await runtime.open(blockProbe.graph, options);
    try {
      const [blocks] = (await session.run(blockProbe.feeds)).values();
      return blocks && blockOf(blocks.data as Float32Array);
    } finally {
      await session.release();
    }
  } catch (error) {
    // A build without these operators refuses the graph.
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}
