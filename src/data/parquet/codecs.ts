import { gunzipSync } from "fflate";
import { snappyUncompress } from "hyparquet";
import { decompressLz4Raw, decompressZstd } from "hyparquet-compressors";
import { bestDeflateRatio } from "../zip.ts";

interface Codec {
  /** What a byte can become at best: a larger claim is damage. */
  readonly bestRatio: number;
  decompress(packed: Uint8Array, size: number): Uint8Array;
}

/** A copy of 64 bytes takes three. */
const bestSnappyRatio = 64 / 3;
/** A length grows by 255 a byte. */
const bestLz4Ratio = 255;
/** A block of 128 KiB of one byte takes four. */
const bestZstdRatio = 2 ** 15;

const codecs: Readonly<Record<string, Codec>> = {
  UNCOMPRESSED: { bestRatio: 1, decompress: (packed) => packed },
  SNAPPY: {
    bestRatio: bestSnappyRatio,
    decompress(packed, size) {
      const bytes = new Uint8Array(size);
      snappyUncompress(packed, bytes);
      return bytes;
    },
  },
  GZIP: {
    bestRatio: bestDeflateRatio,
    decompress: (packed, size) => gunzipSync(packed, { out: new Uint8Array(size) }),
  },
  ZSTD: {
    bestRatio: bestZstdRatio,
    decompress(packed, size) {
      const said = zstdSize(packed);
      if (said !== undefined && said !== size) throw new RangeError(`its frame says ${said} bytes`);
      return decompressZstd(packed, new Uint8Array(size));
    },
  },
  LZ4_RAW: { bestRatio: bestLz4Ratio, decompress: decompressLz4Raw },
};

/** The bytes of a page. Throws RangeError or what the codec throws when they are not `size`. */
export function decompress(codec: string, packed: Uint8Array, size: number): Uint8Array {
  const found = codecs[codec];
  if (!found)
    throw new RangeError(`compressed with ${codec}: expected ${Object.keys(codecs).join(", ")}; write it anew`);
  if (size < 0 || size > Math.ceil(packed.length * found.bestRatio)) {
    throw new RangeError(`${packed.length} bytes of ${codec} cannot hold ${size}`);
  }
  const bytes = size === 0 ? new Uint8Array(0) : found.decompress(packed, size);
  if (bytes.length !== size) throw new RangeError(`expected ${size} bytes of ${codec}, have ${bytes.length}`);
  return bytes;
}

/** The size of its content that a Zstandard frame (RFC 8878, 3.1.1.1) says, where it does. */
function zstdSize(frame: Uint8Array): number | undefined {
  const descriptor = frame[4] ?? 0;
  const single = (descriptor >> 5) & 1;
  const flag = descriptor >> 6;
  const bytes = flag === 0 ? single : 2 ** flag;
  const start = 6 - single + [0, 1, 2, 4][descriptor & 3]!;
  if (bytes === 0 || start + bytes > frame.length) return undefined;
  let size = bytes === 2 ? 256 : 0;
  for (let i = 0; i < bytes; i++) size += frame[start + i]! * 256 ** i;
  return size;
}
