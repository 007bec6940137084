import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import type { ElementType, TypedArray } from "../../src/graph/tensor.ts";
import { memoryFiles } from "./memory-files.ts";
import { header, npyFile } from "./npy-bytes.ts";

// Files of tokens in memory, as every source of them has them.

export const bytesOf = (data: TypedArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
export const array = (type: ElementType, dims: number[], data: TypedArray) => ({ type, dims, data });
export const count = (length: number, from = 1) => Array.from({ length }, (_, i) => from + i);

/** A file of llm.c: 256 numbers of header, of which three are used. */
const llmC = (magic: number, version: number, tokens: TypedArray, length = tokens.length) => {
  const words = new Int32Array(256);
  words.set([magic, version, length]);
  return Uint8Array.from([...bytesOf(words), ...bytesOf(tokens)]);
};

const stream = Uint16Array.from(count(11));
const rows = array("int64", [2, 4], BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n, 7n, -100n));
export const contents: Record<string, Uint8Array> = {
  "tokens.bin": bytesOf(stream),
  "wide.bin": bytesOf(Uint32Array.from(count(40, 70_000))),
  "odd.bin": new Uint8Array(31),
  "gpt2.bin": llmC(20240520, 1, stream),
  "llama3.bin": llmC(20240801, 7, Uint32Array.from(count(11, 100_000))),
  "other-header.bin": llmC(20240520, 2, stream),
  "cut.bin": llmC(20240520, 1, stream, 12),
  "tokens.npy": npyBytes(array("uint16", [11], stream)),
  "big-endian.npy": npyFile(header(">u2", "(3,)"), [0, 1, 0, 2, 1, 0]),
  "fortran.npy": npyFile(header("|u1", "(2, 3)", true), [1, 4, 2, 5, 3, 6]),
  "rows.npy": npyBytes(rows),
  "cube.npy": npyBytes(array("uint8", [1, 2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6))),
  "floats.npy": npyBytes(array("float32", [4], Float32Array.of(1, 2, 3, 4))),
  "longer.npy": Uint8Array.of(...npyBytes(array("uint16", [11], stream)), 0),
  "one.npz": npzBytes({ corpus: array("uint16", [11], stream) }),
  "several.npz": npzBytes({ tokens: array("uint16", [11], stream), other: rows }),
  "named.npz": npzBytes({ a: array("uint16", [11], stream), b: rows }),
  "data.npz": npzBytes({
    x: array("float32", [2, 1], Float32Array.of(1, 2)),
    y: array("int64", [2], BigInt64Array.of(0n, 1n)),
  }),
  "shakespeare/train.bin": bytesOf(stream),
  "shakespeare/val.bin": bytesOf(stream.subarray(4)),
  "shakespeare/meta.pkl": new Uint8Array(1),
  "steps.yaml": new TextEncoder().encode("- tokens: 5\n"),
};
const files = memoryFiles(contents);
export const open = (source: string, preprocess?: string, options: ArrayOptions = {}) =>
  openDataset(source, { ...options, preprocess }, files);
export const all = ({ n }: Dataset) => count(n, 0);

/** x and y as lists of samples. */
export async function samples(data: Dataset, indices = all(data)) {
  const batch = await data.read(indices);
  return data.fields.map(({ name }) => {
    const { dims, data: values } = batch.get(name)!;
    const [n, length] = dims as [number, number];
    return Array.from({ length: n }, (_, i) => Array.from(values.slice(i * length, (i + 1) * length), Number));
  });
}
