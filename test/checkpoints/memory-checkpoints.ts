import { inMemory } from "../../src/checkpoints/byte-ranges.ts";
import type { CheckpointFiles } from "../../src/checkpoints/files.ts";
import { readAll } from "../../src/data/byte-file.ts";
import { memoryFiles } from "../data/memory-files.ts";

/** Checkpoints as a page has them: no disk, a directory is a prefix. */
export function memoryCheckpoints(contents: Readonly<Record<string, Uint8Array>>): CheckpointFiles {
  return { ...memoryFiles(contents), ranges: async (file) => inMemory(file.name, await readAll(file)) };
}
