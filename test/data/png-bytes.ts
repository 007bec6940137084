import { crc32 } from "../../src/data/zip.ts";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const u32 = (value: number) => [value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255];

/** A chunk of a PNG file with its length and checksum. */
export function chunk(type: string, content: ArrayLike<number>): number[] {
  const body = [...new TextEncoder().encode(type), ...Array.from(content)];
  return [...u32(content.length), ...body, ...u32(crc32(Uint8Array.from(body)))];
}

export function pngHeader(width: number, height: number, depth = 8, colour = 0, rest = [0, 0, 0]): number[] {
  return chunk("IHDR", [...u32(width), ...u32(height), depth, colour, ...rest]);
}

export function pngOf(...chunks: number[][]): Uint8Array {
  return Uint8Array.from([...signature, ...chunks.flat()]);
}

/** A PNG file of 8 bits, grey or RGB, around its deflated rows. */
export function png(
  { width, height, colour = 0 }: { width: number; height: number; colour?: number },
  rows: Uint8Array,
): Uint8Array {
  return pngOf(pngHeader(width, height, 8, colour), chunk("IDAT", rows), chunk("IEND", []));
}
