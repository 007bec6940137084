import { inflateSync } from "fflate";
import { DataError } from "../errors.ts";

/** A file inside a zip file, as its central directory describes it. */
export interface ZipMember {
  readonly name: string;
  /** Bytes of its content. */
  readonly size: number;
  /** The content: inflated and checked. Throws DataError when it is damaged. */
  bytes(): Uint8Array;
}

/** Deflate cannot do better: a larger claim is a damaged or a hostile file. */
export const bestDeflateRatio = 1032;

const endBytes = 22;
const entryBytes = 46;
const localBytes = 30;
const longestComment = 65535;
const stored = 0;
const deflated = 8;

/**
 * The members of the zip file `bytes`, which messages call `file`. Nothing is inflated yet.
 * Throws DataError for a damaged directory, zip64, encryption, and methods other than stored and deflated.
 */
export function zipMembers(bytes: Uint8Array, file: string): ZipMember[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = findEnd(view);
  if (end === undefined) {
    throw new DataError(`${file}: truncated, or not a zip file: expected an end of central directory, found none.`);
  }
  const entries = view.getUint16(end + 10, true);
  const start = view.getUint32(end + 16, true);
  if (entries === 0xffff || start === 0xffffffff) throw zip64(file);
  const members: ZipMember[] = [];
  let at = start;
  for (let entry = 0; entry < entries; entry++) {
    if (at + entryBytes > end || view.getUint32(at, true) !== 0x02014b50) {
      throw new DataError(`${file}: byte ${at}: damaged: expected entry ${entry + 1} of ${entries} of the directory.`);
    }
    const nameLength = view.getUint16(at + 28, true);
    const next = at + entryBytes + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (next > end) throw new DataError(`${file}: byte ${at}: damaged: entry ${entry + 1} leaves the directory.`);
    const name = new TextDecoder().decode(bytes.subarray(at + entryBytes, at + entryBytes + nameLength));
    members.push(member(view, at, name, file));
    at = next;
  }
  return members;
}

function member(view: DataView, at: number, name: string, file: string): ZipMember {
  const label = `${file}: ${name}`;
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  const crc = view.getUint32(at + 16, true);
  const packed = view.getUint32(at + 20, true);
  const size = view.getUint32(at + 24, true);
  const local = view.getUint32(at + 42, true);
  if (packed === 0xffffffff || size === 0xffffffff || local === 0xffffffff) throw zip64(label);
  if (flags & 1) throw new DataError(`${label}: encrypted, which is not supported: write it without a password.`);
  if (method !== stored && method !== deflated) {
    throw new DataError(`${label}: compression method ${method}: expected 0 (stored) or 8 (deflated).`);
  }
  if (method === stored ? size !== packed : size > packed * bestDeflateRatio) {
    throw new DataError(`${label}: damaged: ${packed} bytes cannot hold the ${size} that the directory says.`);
  }
  return {
    name,
    size,
    bytes() {
      if (local + localBytes > view.byteLength || view.getUint32(local, true) !== 0x04034b50) {
        throw new DataError(`${label}: byte ${local}: damaged: expected the member's header.`);
      }
      const start = local + localBytes + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
      const have = view.byteLength - start;
      if (have < packed) {
        throw new DataError(`${label}: truncated: expected ${packed} bytes after byte ${start}, have ${have}.`);
      }
      const content = new Uint8Array(view.buffer, view.byteOffset + start, packed);
      const inflated = method === stored ? content : inflate(content, size, label);
      if (crc32(inflated) !== crc) throw new DataError(`${label}: damaged: its checksum does not fit its content.`);
      return inflated;
    },
  };
}

function inflate(content: Uint8Array, size: number, label: string): Uint8Array {
  let inflated: Uint8Array;
  try {
    inflated = inflateSync(content, { out: new Uint8Array(size) });
  } catch (error) {
    throw new DataError(`${label}: damaged: it cannot be inflated: ${(error as Error).message}.`);
  }
  if (inflated.length < size) {
    throw new DataError(`${label}: damaged: expected ${size} bytes when inflated, have ${inflated.length}.`);
  }
  return inflated;
}

/** Where the end record lies: at the file's end, but for a comment. */
function findEnd(view: DataView): number | undefined {
  const last = view.byteLength - endBytes;
  for (let at = last; at >= Math.max(0, last - longestComment); at--) {
    if (view.getUint32(at, true) === 0x06054b50) return at;
  }
  return undefined;
}

function zip64(label: string): DataError {
  return new DataError(`${label}: zip64 (4 GiB or more) is not supported: write the arrays to several smaller files.`);
}

/**
 * Four tables, so that the loop takes four bytes at a time; signed, because numbers above 2^31 leave the fast integers.
 * Table 0 advances the checksum by one byte, table k by k more zero bytes.
 */
const crcTables = Array.from({ length: 4 }, () => new Int32Array(256));
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  crcTables[0]![byte] = crc;
}
for (let byte = 0; byte < 256; byte++) {
  for (let k = 1; k < 4; k++) crcTables[k]![byte] = nextCrc(crcTables[k - 1]![byte]!, 0);
}

function nextCrc(crc: number, byte: number): number {
  return (crc >>> 8) ^ crcTables[0]![(crc ^ byte) & 255]!;
}

/** The checksum of zip and PNG files (ISO 3309). */
export function crc32(bytes: Uint8Array): number {
  const [t0, t1, t2, t3] = crcTables as [Int32Array, Int32Array, Int32Array, Int32Array];
  const fours = bytes.length - (bytes.length % 4);
  let crc = -1;
  for (let at = 0; at < fours; at += 4) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc = t3[crc & 255]! ^ t2[(crc >>> 8) & 255]! ^ t1[(crc >>> 16) & 255]! ^ t0[crc >>> 24]!;
  }
  for (let at = fours; at < bytes.length; at++) crc = nextCrc(crc, bytes[at]!);
  return ~crc >>> 0;
}
