import { DataError } from "../errors.ts";
import { inRowMajor } from "../graph/row-major.ts";
import { count, type Dims, elementSize, Tensor } from "../graph/tensor.ts";
import type { NamedArray } from "./dataset.ts";
import { magic, type NpyHeader, parseNpyHeader, types } from "./npy-header.ts";

/**
 * The array of an .npy file, versions 1 to 3 (the format: numpy.lib.format's documentation).
 *
 * @param bytes the whole file
 * @param label what messages call it, such as `batch.npz: x.npy`
 * @param name the array's name in the answer
 * @returns C order and native endianness, whatever the file has; float16 is widened to float32. The data is a view of
 *   `bytes` where it can be, a copy where it is not aligned, big endian or in Fortran order.
 * @throws DataError when the file is damaged, holds more or less than its header says, or holds no plain numbers.
 *   Nothing is allocated before the header's size was compared with the bytes there are.
 */
export function parseNpy(bytes: Uint8Array, label: string, name = "x"): NamedArray {
  const header = parseNpyHeader(bytes, label);
  const { dataStart } = header;
  const expected = npyDataBytes(header, bytes.length, label);
  // Not subarray: a Node Buffer's slice() copies nothing.
  return { name, ...nativeArray(new Uint8Array(bytes.buffer, bytes.byteOffset + dataStart, expected), header) };
}

/** How many bytes of data a file of `size` bytes has behind its head: as many as that says, or a DataError. */
export function npyDataBytes({ type, shape, dataStart }: NpyHeader, size: number, label: string): number {
  const expected = count(shape) * elementSize(type);
  const have = size - dataStart;
  if (have < expected) {
    throw new DataError(
      `${label}: truncated: expected ${expected} bytes of data after byte ${dataStart}, have ${have}.`,
    );
  }
  if (have > expected) {
    throw new DataError(
      `${label}: expected ${expected} bytes of data after byte ${dataStart}, have ${have}: ` +
        `the file is damaged, or holds a second array.`,
    );
  }
  return expected;
}

/** NumPy's elements in C order and native endianness, float16 as float32: a view of `stored` where it can be. */
export function nativeArray(
  stored: Uint8Array,
  { type, bigEndian, fortranOrder, shape }: Omit<NpyHeader, "dataStart">,
): Omit<NamedArray, "name"> {
  const size = elementSize(type);
  const tensor = new Tensor(type, shape, bigEndian && size > 1 ? swapped(stored, size) : stored);
  let data = type === "float16" ? (tensor.numbers() as Float32Array) : tensor.data;
  if (fortranOrder && shape.length > 1) data = inRowMajor(data, shape, columnMajorStrides(shape));
  return { type: type === "float16" ? "float32" : type, dims: shape, data };
}

/** The array as an .npy file, version 1. Throws DataError for a type that NumPy has not. */
export function npyBytes(array: Pick<NamedArray, "type" | "dims" | "data">): Uint8Array {
  const { type, dims, data } = array;
  const code = Object.keys(types).find((key) => types[key] === type);
  if (code === undefined) throw new DataError(`an array of ${type} cannot be written as .npy.`);
  if (data.length !== count(dims)) {
    throw new DataError(`an array of shape (${dims.join(", ")}) needs ${count(dims)} elements, has ${data.length}.`);
  }
  const order = elementSize(type) === 1 ? "|" : "<";
  const shape = dims.length === 1 ? `(${dims[0]},)` : `(${dims.join(", ")})`;
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${shape}, }`;
  const dataStart = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(dataStart + data.byteLength).fill(0x20, 0, dataStart);
  bytes.set([...magic, 1, 0, (dataStart - 10) & 0xff, (dataStart - 10) >> 8]);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[dataStart - 1] = 0x0a;
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), dataStart);
  return bytes;
}

/** A copy with the bytes of every element reversed. */
export function swapped(bytes: Uint8Array, size: number): Uint8Array {
  const copy = new Uint8Array(bytes.length);
  for (let at = 0; at < copy.length; at += size) {
    for (let byte = 0; byte < size; byte++) copy[at + byte] = bytes[at + size - 1 - byte]!;
  }
  return copy;
}

function columnMajorStrides(dims: Dims): number[] {
  return dims.map((_, axis) => count(dims.slice(0, axis)));
}
