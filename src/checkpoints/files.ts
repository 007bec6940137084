import { closeSync, openSync, readSync } from "node:fs";
import type { ByteFile, Files } from "../data/byte-file.ts";
import { disk } from "../data/files.ts";
import { ModelError } from "../errors.ts";
import type { ByteRanges } from "./byte-ranges.ts";

/** Where checkpoints come from. */
export interface CheckpointFiles extends Pick<Files, "list" | "open" | "sha256"> {
  ranges(file: ByteFile): ByteRanges | Promise<ByteRanges>;
}

/** Checkpoints on disk. The only place of this folder that knows Node. */
export const checkpointsOnDisk: CheckpointFiles = {
  ...disk,
  ranges: ({ name, size }) => ({ name, size, read: (at, length) => readRange(name, at, length) }),
};

function readRange(path: string, at: number, length: number): Uint8Array {
  const descriptor = openSync(path, "r");
  try {
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = readSync(descriptor, bytes, done, Math.min(length - done, largestRead), at + done);
      if (read === 0) {
        const have = at + done;
        throw new ModelError(`${path}: truncated while it was read: expected ${at + length} bytes, have ${have}.`);
      }
      done += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/** Node reads at most 2 GiB at once. */
const largestRead = 2 ** 30;
