import type { ByteFile, Files } from "../data/byte-file.ts";
import { disk } from "../data/files.ts";
import { readRange } from "../graph/external-data/files.ts";
import type { ByteRanges } from "./byte-ranges.ts";

/** Where checkpoints come from. */
export interface CheckpointFiles extends Pick<Files, "list" | "open" | "sha256"> {
  ranges(file: ByteFile): ByteRanges | Promise<ByteRanges>;
}

/** Checkpoints on disk. */
export const checkpointsOnDisk: CheckpointFiles = {
  ...disk,
  ranges: ({ name, size }) => ({ name, size, read: (at, length) => readRange(name, at, length) }),
};
