import type { DecodedArray, ParquetType } from "hyparquet";
import { deltaBinaryUnpack, deltaLengthByteArray } from "hyparquet/src/delta.js";
import { byteStreamSplit } from "hyparquet/src/encoding.js";
import { readPlain } from "hyparquet/src/plain.js";
import { decodeRuns } from "./runs.ts";

/** A column of plain values, and how deep it lies in lists and in what may be absent. */
export interface Leaf {
  readonly path: string;
  readonly type: ParquetType;
  /** Bytes of a value, where the type is of a fixed length. */
  readonly length?: number;
  readonly repetition: number;
  readonly definition: number;
}

/** Values that are no fixed number of bytes take a length of four. */
const bytesOf: Readonly<Partial<Record<ParquetType, number>>> = {
  INT32: 4,
  INT64: 8,
  FLOAT: 4,
  DOUBLE: 8,
  BYTE_ARRAY: 4,
};

/**
 * The values of a page, from byte `at` on, as they are stored; views of the page where they can be.
 * Throws RangeError, or what a decoder throws, for bytes that do not hold `count` of them.
 */
export function decodeValues(
  encoding: string,
  bytes: Uint8Array,
  at: number,
  count: number,
  { type, length }: Leaf,
  dictionary: DecodedArray | undefined,
): DecodedArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = { view, offset: at };
  const left = bytes.length - at;
  const size = bytesOf[type] ?? length ?? 1 / 8;
  switch (encoding) {
    case "PLAIN":
    case "BYTE_STREAM_SPLIT":
      if (count * size > left) throw new RangeError(`${left} bytes hold no ${count} values of ${type}`);
      if (encoding === "BYTE_STREAM_SPLIT") return byteStreamSplit(reader, count, type, length);
      return within(readPlain(reader, type, count, length), bytes, type);
    case "PLAIN_DICTIONARY":
    case "RLE_DICTIONARY":
      if (!dictionary) throw new RangeError("a page that refers to a dictionary, which is not there");
      return count === 0 ? [] : lookedUp(dictionary, decodeRuns(bytes, at + 1, bytes.length, bytes[at] ?? 0, count));
    case "RLE":
      if (type === "BOOLEAN") return decodeRuns(bytes, at + 4, bytes.length, 1, count);
      break;
    case "DELTA_BINARY_PACKED":
      if (type !== "INT32" && type !== "INT64") break;
      return unpackedDeltas(reader, new (type === "INT32" ? Int32Array : BigInt64Array)(deltaCount(reader, count)));
    case "DELTA_LENGTH_BYTE_ARRAY": {
      if (type !== "BYTE_ARRAY") break;
      const values: Uint8Array[] = new Array(deltaCount(reader, count));
      if (count > 0) deltaLengthByteArray(reader, count, values);
      return within(values, bytes, type);
    }
  }
  throw new RangeError(`values of ${type} in the encoding ${encoding}, which is not supported; write it anew`);
}

/** Byte arrays are views: none may reach over the page's end into the next page. */
function within(values: DecodedArray, bytes: Uint8Array, type: ParquetType): DecodedArray {
  if (type === "BYTE_ARRAY") {
    const end = bytes.byteOffset + bytes.byteLength;
    for (const value of values as Uint8Array[]) {
      if (value.byteOffset + value.length > end) throw new RangeError("a value that reaches over its page's end");
    }
  }
  return values;
}

function lookedUp(dictionary: DecodedArray, indices: Uint8Array | Uint32Array): DecodedArray {
  const entries = dictionary as Float64Array;
  const values = (
    Array.isArray(dictionary)
      ? new Array(indices.length)
      : new (dictionary.constructor as Float64ArrayConstructor)(indices.length)
  ) as Float64Array;
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (index >= entries.length) throw new RangeError(`entry ${index} of a dictionary of ${entries.length}`);
    values[i] = entries[index]!;
  }
  return values;
}

function unpackedDeltas(
  reader: { view: DataView; offset: number },
  values: Int32Array | BigInt64Array,
): Int32Array | BigInt64Array {
  if (values.length > 0) deltaBinaryUnpack(reader, values.length, values);
  return values;
}

/** A block of 2^16 values in 2^9 parts is more than any writer makes. */
const mostInBlock = 2 ** 16;
const mostParts = 2 ** 9;

/** The count, when the head of the deltas agrees with it. */
function deltaCount({ view, offset }: { view: DataView; offset: number }, count: number): number {
  let at = offset;
  const varint = () => {
    let value = 0;
    for (let digit = 1, next = 128; next >= 128; digit *= 128) {
      if (digit > 2 ** 35) throw new RangeError("deltas with a number of more than 2^32");
      next = view.getUint8(at++);
      value += (next & 127) * digit;
    }
    return value;
  };
  if (count === 0) return 0;
  const [block, parts, said] = [varint(), varint(), varint()];
  if (block > mostInBlock || parts < 1 || parts > mostParts || block % parts !== 0) {
    throw new RangeError(`deltas in blocks of ${block} in ${parts} parts`);
  }
  if (said !== count) throw new RangeError(`${said} deltas where ${count} are expected`);
  return count;
}
