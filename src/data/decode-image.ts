import { DataError } from "../errors.ts";
import type { Files } from "./byte-file.ts";
import type { Image } from "./image.ts";
import { decodeJpeg, isJpeg } from "./jpeg.ts";
import { decodePng } from "./png.ts";
import { isPng } from "./png-chunks.ts";

/**
 * The image in an encoded PNG or JPEG file; which of them, its first bytes say, not its name.
 *
 * @param label what messages call it
 * @param wasm where the JPEG decoder's WebAssembly comes from
 * @throws DataError for other formats, damaged files, and images of more than 2^26 pixels or more than their bytes can hold
 */
export async function decodeImage(bytes: Uint8Array, label: string, wasm: Files["wasm"]): Promise<Image> {
  if (isPng(bytes)) return decodePng(bytes, label);
  if (isJpeg(bytes)) return decodeJpeg(bytes, label, wasm);
  const came = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  throw new DataError(
    `${label}: byte 0: expected a PNG (89 50 4e 47) or JPEG file (ff d8), came ${came || "an empty file"}: ` +
      `convert it to PNG.`,
  );
}
