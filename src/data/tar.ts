import { DataError } from "../errors.ts";
import type { FileReader } from "./file-reader.ts";

/** A regular file in a tar file. */
export interface TarMember {
  /** Its path. */
  readonly name: string;
  /** Bytes of its content. */
  readonly size: number;
  /** Its content, to be asked for before the next member is. */
  bytes(): Promise<Uint8Array>;
}

const block = 512;
/** Types of regular files: ustar's, V7's and "contiguous". */
const regular = new Set(["0", "\0", "7"]);
/** Attributes and long names, which are read whole, are short. */
const longestAttributes = 2 ** 20;

/**
 * The regular files of a tar file one after the other, as it is read: V7, ustar, pax and GNU's long names (the formats:
 * POSIX.1-2001, pax, and GNU tar's manual, "Basic Tar Format"). Content that nobody asks for is skipped; after the last
 * member the file is read to its end, which has gzip compare its checksum.
 * Throws DataError, with the byte's offset, when it is damaged, truncated, or no tar file.
 */
export async function* tarMembers(reader: FileReader): AsyncGenerator<TarMember> {
  /** What goes before a member to describe it. */
  const attributes = new Map<string, string>();
  for (;;) {
    const start = reader.position;
    const header = await reader.fill(block, "the next member's header, or of the end's zeros,");
    if (header.every((byte) => byte === 0)) return reader.skipToEnd();
    const fail = (what: string): never => {
      throw new DataError(`${reader.name}: byte ${start}: ${what}`);
    };
    checkSum(header, fail);
    const type = String.fromCharCode(header[156]!);
    const described = "xgLK".includes(type) ? undefined : attributes.get("size");
    const size = described === undefined ? number(header, 124, 12, fail) : decimal(described, fail);
    if (size > reader.most) {
      fail(`truncated: expected ${size} bytes of content after byte ${reader.position}, have at most ${reader.most}.`);
    }
    const next = reader.position + Math.ceil(size / block) * block;
    if (type === "x" || type === "L") {
      if (size > longestAttributes) fail(`damaged: attributes of ${size} bytes.`);
      const content = await reader.fill(size, "attributes");
      if (type === "L") attributes.set("path", text(content, 0, size));
      else for (const [key, value] of paxAttributes(content, fail)) attributes.set(key, value);
    } else if (type !== "g" && type !== "K") {
      const name = attributes.get("path") ?? memberName(header);
      if (regular.has(type)) yield { name, size, bytes: () => reader.fill(size, "content") };
      attributes.clear();
    }
    await reader.skip(next - reader.position, "content");
  }
}

type Fail = (what: string) => never;

/** Eight octal digits: the sum of the header's bytes, where the sum itself counts as spaces. */
function checkSum(header: Uint8Array, fail: Fail): void {
  let sum = 0;
  for (let at = 0; at < block; at++) sum += at >= 148 && at < 156 ? 0x20 : header[at]!;
  const digits = text(header, 148, 8).trim();
  if (!/^[0-7]{1,7}$/.test(digits) || Number.parseInt(digits, 8) !== sum) {
    fail("damaged, or not a tar file: expected a header whose checksum fits.");
  }
}

/** Octal digits, or, where the first bit is set, a big-endian number. */
function number(header: Uint8Array, start: number, length: number, fail: Fail): number {
  if (header[start]! & 0x80) {
    return header
      .subarray(start + 1, start + length)
      .reduce((value, byte) => value * 256 + byte, header[start]! & 0x7f);
  }
  const digits = text(header, start, length).trim();
  if (!/^[0-7]*$/.test(digits)) fail(`damaged: expected octal digits as size, came ${JSON.stringify(digits)}.`);
  return digits === "" ? 0 : Number.parseInt(digits, 8);
}

function decimal(digits: string, fail: Fail): number {
  return /^\d{1,15}$/.test(digits) ? Number(digits) : fail(`damaged: expected a size, came ${JSON.stringify(digits)}.`);
}

/** The text before the first zero byte. */
function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

function memberName(header: Uint8Array): string {
  const name = text(header, 0, 100);
  // GNU's own format has other things where ustar has the directory.
  const prefix = text(header, 257, 6) === "ustar" ? text(header, 345, 155) : "";
  return prefix ? `${prefix}/${name}` : name;
}

/** Records such as "25 path=a/long/name\n", the number their length. */
function paxAttributes(content: Uint8Array, fail: Fail): [key: string, value: string][] {
  const attributes: [string, string][] = [];
  for (let at = 0; at < content.length;) {
    const [record, digits] = /^(\d{1,7}) /.exec(text(content, at, 8)) ?? [];
    const length = Number(digits);
    if (record === undefined || length <= record.length || at + length > content.length) {
      return fail("damaged: expected a record of attributes.");
    }
    const [key, value] = text(content, at + record.length, length - record.length - 1).split(/=(.*)/s);
    attributes.push([key!, value ?? ""]);
    at += length;
  }
  return attributes;
}
