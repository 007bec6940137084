import { DataError } from "../errors.ts";
import { crc32 } from "./zip.ts";

/** What the header chunk of a PNG file (W3C PNG, third edition, 11.2.1) says. */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  /** Bits a channel: 1, 2, 4, 8 or 16. */
  readonly depth: number;
  /** Channels as they are stored: 1 for grey and for indices of a palette, 2 with alpha, 3 for RGB, 4 with alpha. */
  readonly channels: number;
  readonly indexed: boolean;
  readonly interlaced: boolean;
}

/** The chunks that pixels depend on. */
export interface PngChunks {
  readonly header: PngHeader;
  /** Red, green, blue of each entry. */
  readonly palette?: Uint8Array;
  /** The zlib stream, in pieces. */
  readonly data: readonly Uint8Array[];
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** Channels by colour type, and the depths that each may have. */
const colourTypes: Readonly<Record<number, { channels: number; depths: readonly number[] }>> = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};
const indexedColour = 3;

export function isPng(bytes: Uint8Array): boolean {
  return signature.every((byte, at) => bytes[at] === byte);
}

/**
 * The chunks of a PNG file, checksums compared; ancillary chunks (text, gamma, profiles, transparency) are passed over.
 * The data are views. Throws DataError with the byte offset.
 */
export function parsePngChunks(bytes: Uint8Array, label: string): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const damaged = (at: number, what: string) => new DataError(`${label}: byte ${at}: damaged PNG: ${what}.`);
  let header: PngHeader | undefined;
  let palette: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  for (let at = signature.length; ;) {
    if (at + 12 > bytes.length) {
      throw new DataError(
        `${label}: truncated: expected another chunk after byte ${at}, have ${bytes.length - at} bytes.`,
      );
    }
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const end = at + 8 + length;
    if (end + 4 > bytes.length) {
      const have = bytes.length - at - 8;
      throw new DataError(
        `${label}: truncated: expected ${length} bytes of ${type} after byte ${at + 8}, have ${have}.`,
      );
    }
    const content = bytes.subarray(at + 8, end);
    const critical = (bytes[at + 4]! & 0x20) === 0;
    if (critical && crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      throw damaged(at, `the checksum of ${type} does not fit its content`);
    }
    if (!header && type !== "IHDR") throw damaged(at, `expected IHDR first, came ${JSON.stringify(type)}`);
    if (type === "IHDR") header = parseHeader(content, (what) => damaged(at + 8, what));
    else if (type === "PLTE") palette = content;
    else if (type === "IDAT") data.push(content);
    else if (type === "IEND") return { header: header!, palette, data };
    else if (critical) throw damaged(at, `an unknown critical chunk ${JSON.stringify(type)}`);
    at = end + 4;
  }
}

function parseHeader(content: Uint8Array, damaged: (what: string) => DataError): PngHeader {
  if (content.length !== 13) throw damaged(`expected a header of 13 bytes, have ${content.length}`);
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  const [depth, type, compression, filter, interlace] = content.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ];
  const colour = colourTypes[type];
  if (!colour?.depths.includes(depth)) throw damaged(`colour type ${type} with ${depth} bits a channel`);
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    throw damaged(`compression ${compression}, filter ${filter}, interlace ${interlace}: expected 0, 0, 0 or 1`);
  }
  return {
    width: view.getUint32(0),
    height: view.getUint32(4),
    depth,
    channels: colour.channels,
    indexed: type === indexedColour,
    interlaced: interlace === 1,
  };
}
