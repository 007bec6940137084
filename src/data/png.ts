import { unzlibSync } from "fflate";
import { DataError } from "../errors.ts";
import { checkedSize, type Image } from "./image.ts";
import { parsePngChunks, type PngChunks, type PngHeader } from "./png-chunks.ts";
import { bestDeflateRatio } from "./zip.ts";

/** Eight pixels of one bit in a byte, deflated. */
const pixelsInByte = 8 * bestDeflateRatio;

/** Every so many rows and columns of the image, from a first one on; the whole image has one part, Adam7 seven. */
interface Part {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly down: number;
}

const whole: readonly Part[] = [{ left: 0, top: 0, right: 1, down: 1 }];
const adam7: readonly Part[] = [
  { left: 0, top: 0, right: 8, down: 8 },
  { left: 4, top: 0, right: 8, down: 8 },
  { left: 0, top: 4, right: 4, down: 8 },
  { left: 2, top: 0, right: 4, down: 4 },
  { left: 0, top: 2, right: 2, down: 4 },
  { left: 1, top: 0, right: 2, down: 2 },
  { left: 0, top: 1, right: 1, down: 2 },
];

/**
 * A PNG file (W3C PNG, third edition) of any colour type, depth and interlacing. Grey of 1, 2 or 4 bits is spread over
 * 0 to 255; 16 bits stay 16 bits. Throws DataError for damaged files.
 */
export function decodePng(bytes: Uint8Array, label: string): Image {
  const chunks = parsePngChunks(bytes, label);
  const { width, height, depth } = chunks.header;
  checkedSize(chunks.header, bytes.length, pixelsInByte, label);
  const rows = inflate(chunks, label);
  const data = new (depth === 16 ? Uint16Array : Uint8Array)(3 * width * height);
  let at = 0;
  for (const part of partsOf(chunks.header)) {
    const [columns, lines] = sizeOf(part, chunks.header);
    if (columns === 0) continue;
    const stride = rowBytes(columns, chunks.header);
    const step = Math.max(1, (depth * chunks.header.channels) >> 3);
    for (let line = 0; line < lines; line++, at += stride + 1) {
      unfilter(rows, at, stride, step, line === 0, label);
      const row = rows.subarray(at + 1, at + 1 + stride);
      const first = (part.top + line * part.down) * width + part.left;
      spread(row, columns, chunks, data, first, part.right, label);
    }
  }
  return { width, height, data };
}

function partsOf({ interlaced }: PngHeader): readonly Part[] {
  return interlaced ? adam7 : whole;
}

function sizeOf({ left, top, right, down }: Part, { width, height }: PngHeader): [columns: number, rows: number] {
  return [Math.max(0, Math.ceil((width - left) / right)), Math.max(0, Math.ceil((height - top) / down))];
}

function rowBytes(columns: number, { depth, channels }: PngHeader): number {
  return Math.ceil((columns * depth * channels) / 8);
}

/** All rows, each behind the byte that names its filter. */
function inflate({ header, data }: PngChunks, label: string): Uint8Array {
  const expected = partsOf(header)
    .map((part) => ({ part, size: sizeOf(part, header) }))
    .reduce(
      (sum, { size: [columns, lines] }) => sum + (columns === 0 ? 0 : lines * (rowBytes(columns, header) + 1)),
      0,
    );
  const packed = data.length === 1 ? data[0]! : joined(data);
  if (expected > packed.length * bestDeflateRatio) {
    throw new DataError(`${label}: damaged PNG: ${packed.length} bytes cannot hold ${expected} of pixels.`);
  }
  let rows: Uint8Array;
  try {
    rows = unzlibSync(packed, { out: new Uint8Array(expected) });
  } catch (error) {
    throw new DataError(`${label}: damaged PNG: its pixels cannot be inflated: ${(error as Error).message}.`);
  }
  if (rows.length === expected) return rows;
  throw new DataError(
    `${label}: damaged PNG: expected ${expected} bytes of pixels when inflated, have ${rows.length}.`,
  );
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Undoes a row's filter in place (W3C PNG, 9.2); `at` is the byte that names it, `step` the bytes of a pixel. */
function unfilter(rows: Uint8Array, at: number, stride: number, step: number, first: boolean, label: string): void {
  const start = at + 1;
  const up = at - stride;
  const filter = rows[at]!;
  if (filter > 4) throw new DataError(`${label}: damaged PNG: inflated byte ${at}: filter ${filter}: expected 0 to 4.`);
  if (filter === 0) return;
  for (let i = 0; i < stride; i++) {
    const left = i < step ? 0 : rows[start + i - step]!;
    const above = first ? 0 : rows[up + i]!;
    let predicted = left;
    if (filter === 2) predicted = above;
    else if (filter === 3) predicted = (left + above) >> 1;
    else if (filter === 4) predicted = paeth(left, above, first || i < step ? 0 : rows[up + i - step]!);
    rows[start + i] = rows[start + i]! + predicted;
  }
}

/** Of left, above and above left the nearest to left + above − above left; ties in that order. */
function paeth(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

/** Writes a row's pixels into the three planes, the first at `to`, each `step` behind the other. */
function spread(
  row: Uint8Array,
  columns: number,
  { header, palette }: PngChunks,
  data: Uint8Array | Uint16Array,
  to: number,
  step: number,
  label: string,
): void {
  const { depth, channels, indexed } = header;
  const size = data.length / 3;
  const colour = channels >= 3;
  const scale = depth < 8 ? 255 / (2 ** depth - 1) : 1;
  for (let column = 0; column < columns; column++, to += step) {
    const first = column * channels;
    const value = sampleAt(row, first, depth);
    if (indexed) {
      const entry = 3 * value;
      if (!palette || entry + 3 > palette.length) {
        throw new DataError(
          `${label}: damaged PNG: colour ${value} of a palette of ${Math.floor((palette?.length ?? 0) / 3)}.`,
        );
      }
      data[to] = palette[entry]!;
      data[size + to] = palette[entry + 1]!;
      data[2 * size + to] = palette[entry + 2]!;
    } else {
      data[to] = value * scale;
      data[size + to] = colour ? sampleAt(row, first + 1, depth) : value * scale;
      data[2 * size + to] = colour ? sampleAt(row, first + 2, depth) : value * scale;
    }
  }
}

/** Sample number `index` of a row: samples of less than a byte from the high bits on, those of two with the high byte first. */
function sampleAt(row: Uint8Array, index: number, depth: number): number {
  if (depth === 8) return row[index]!;
  if (depth === 16) return (row[2 * index]! << 8) | row[2 * index + 1]!;
  const bit = index * depth;
  return (row[bit >> 3]! >> (8 - depth - (bit & 7))) & (2 ** depth - 1);
}
