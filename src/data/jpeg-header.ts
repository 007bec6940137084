import { DataError } from "../errors.ts";

/** What the markers of a JPEG file (ITU-T T.81, annex B) say. */
export interface JpegHeader {
  readonly width: number;
  readonly height: number;
}

/** Every scan passes over the whole image; encoders write about ten. */
const mostScans = 200;

const startOfImage = 0xd8;
const endOfImage = 0xd9;
const startOfScan = 0xda;
/** Frames that are decoded: baseline, extended with 8 bits, progressive. */
const decoded = new Set([0xc0, 0xc1, 0xc2]);
/** All of them; c4, c8 and cc between are no frames. */
const frames = new Set([...decoded, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf]);

/**
 * Walks over all markers of the file, from the start of the image to its end, and decodes nothing.
 *
 * @throws DataError with the byte offset when the file is truncated, or is lossless, arithmetic-coded, CMYK or of another
 *   precision than 8 bits
 */
export function parseJpegHeader(bytes: Uint8Array, label: string): JpegHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== 0xff || bytes[1] !== startOfImage) {
    throw new DataError(`${label}: byte 0: not a JPEG file: expected ff d8.`);
  }
  let header: JpegHeader | undefined;
  let scans = 0;
  for (let at = 2; ;) {
    at = nextMarker(bytes, at);
    if (at < 0) throw new DataError(`${label}: truncated: ${bytes.length} bytes without an end-of-image marker.`);
    const code = bytes[at + 1]!;
    if (code === endOfImage) break;
    at += 2;
    if (standsAlone(code)) continue;
    const length = at + 2 <= bytes.length ? view.getUint16(at) : 2;
    if (at + length > bytes.length) {
      throw new DataError(`${label}: truncated: expected ${length} bytes after byte ${at}, have ${bytes.length - at}.`);
    }
    if (length < 2) throw new DataError(`${label}: byte ${at}: damaged: a segment of ${length} bytes.`);
    if (frames.has(code)) header = parseFrame(view, at, code, length, label);
    if (code === startOfScan && ++scans > mostScans) {
      throw new DataError(`${label}: byte ${at - 2}: more than ${mostScans} scans: damaged, or made to take long.`);
    }
    at += length;
  }
  if (!header) throw new DataError(`${label}: damaged: a JPEG file without a frame header.`);
  if (scans === 0) throw new DataError(`${label}: damaged: a JPEG file without image data.`);
  return header;
}

/** Where the next marker stands: ff and a code. In image data ff 00 is a value, and ff ff fills. */
function nextMarker(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    const code = bytes[at + 1];
    if (code !== undefined && code !== 0 && code !== 0xff) return at;
  }
  return -1;
}

/** Restart markers and TEM have no length. */
function standsAlone(code: number): boolean {
  return (code >= 0xd0 && code <= startOfImage) || code === 0x01;
}

function parseFrame(view: DataView, at: number, code: number, length: number, label: string): JpegHeader {
  const refuse = (what: string) =>
    new DataError(`${label}: byte ${at}: ${what}: save it as an RGB or grey PNG or JPEG.`);
  if (!decoded.has(code)) {
    throw refuse(`a ${code >= 0xc9 ? "JPEG with arithmetic coding" : "lossless or hierarchical JPEG"}`);
  }
  if (length < 8) throw new DataError(`${label}: byte ${at}: damaged: a frame header of ${length} bytes.`);
  const precision = view.getUint8(at + 2);
  const components = view.getUint8(at + 7);
  if (precision !== 8) throw refuse(`a JPEG with ${precision} bits a channel`);
  if (components !== 1 && components !== 3) throw refuse(`a JPEG with ${components} channels (4: CMYK)`);
  return { height: view.getUint16(at + 3), width: view.getUint16(at + 5) };
}
