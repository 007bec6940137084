import { ModelError } from "../errors.ts";

/** A file of which parts are read as they are needed: a checkpoint may be larger than memory, its header is small. */
export interface ByteRanges {
  /** What messages call it. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes `at` to `at + length`, which lie in the file: the caller has compared them with its size. */
  read(at: number, length: number): Uint8Array;
}

/** A file that is in memory; what is read are views of it. */
export function inMemory(name: string, bytes: Uint8Array): ByteRanges {
  // Not subarray: a Node Buffer would stay one.
  const read = (at: number, length: number) => new Uint8Array(bytes.buffer, bytes.byteOffset + at, length);
  return { name, size: bytes.length, read };
}

/** All of a file. Throws ModelError for more than an array can hold. */
export function wholeFile(file: ByteRanges): Uint8Array {
  if (file.size > 0xffffffff) {
    throw new ModelError(
      `${file.name}: ${file.size} bytes: expected less than 4 GiB in this format; save the weights as .safetensors.`,
    );
  }
  return file.read(0, file.size);
}
