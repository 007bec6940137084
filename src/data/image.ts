import { DataError } from "../errors.ts";

/**
 * A decoded image: red, green and blue planes, one after the other (dims [3, height, width]), each value 0 to 255, or
 * 0 to 65 535 where the file has 16 bits a channel. A grey image has three equal planes; transparency is dropped, and
 * colour profiles and EXIF orientation are not applied: what torchvision's ImageFolder makes of a file.
 */
export interface Image {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint16Array;
}

/** More than any photograph; three planes and the decoder's own copy take 0.5 GB. */
export const mostPixels = 2 ** 26;

/**
 * The size that a header says, when an image may have it.
 *
 * @param pixelsInByte how many pixels the format can put into a byte at best
 */
export function checkedSize(
  { width, height }: { readonly width: number; readonly height: number },
  bytes: number,
  pixelsInByte: number,
  label: string,
): void {
  if (width < 1 || height < 1) throw new DataError(`${label}: an image of ${width} × ${height} pixels holds nothing.`);
  if (width * height > mostPixels) {
    throw new DataError(`${label}: ${width} × ${height} pixels: expected at most 2^26; make it smaller first.`);
  }
  if (width * height > bytes * pixelsInByte) {
    throw new DataError(`${label}: damaged: ${bytes} bytes cannot hold the ${width} × ${height} pixels of its header.`);
  }
}
