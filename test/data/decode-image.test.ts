import { readdirSync, readFileSync } from "node:fs";
import { zlibSync } from "fflate";
import { describe, expect, it, test } from "vitest";
import { decodeImage } from "../../src/data/decode-image.ts";
import { disk } from "../../src/data/files.ts";
import type { Image } from "../../src/data/image.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { bestDeflateRatio, crc32 } from "../../src/data/zip.ts";
import { DataError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { chunk, pngHeader as header, pngOf as png } from "./png-bytes.ts";

const here = (path: string) => new URL(path, import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(here(`images/${name}`)));
const pillow = parseNpz(new Uint8Array(readFileSync(here("pillow-images.npz"))), "pillow-images.npz");
const decode = (bytes: Uint8Array, label = "x") => decodeImage(bytes, label, disk.wasm);

/** Largest difference from [height, width, 3] values. */
function worst({ width, height, data }: Image, truth: ArrayLike<number>): number {
  let largest = 0;
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      largest = Math.max(largest, Math.abs(data[channel * width * height + pixel]! - truth[3 * pixel + channel]!));
    }
  }
  return largest;
}

/** Both decode exactly: libjpeg's integer transform has one right answer, and so has PNG. */
const NO_DIFFERENCE = 0;

describe("pixels are Pillow's", () => {
  const names = readdirSync(here("images/")).filter((name) => name !== "cmyk.jpg");
  it("of every kind", () => {
    expect(names.length).toBe(31);
  });

  test.each(names)("%s", async (name) => {
    const image = await decode(file(name), name);
    const truth = pillow.array(name);
    expect([image.height, image.width, 3]).toEqual(truth.dims);
    expect(image.data.constructor).toBe(truth.data.constructor);
    expect(worst(image, truth.data as Uint8Array)).toBe(NO_DIFFERENCE);
  });
});

const pixels = (...rows: number[]) => chunk("IDAT", zlibSync(Uint8Array.from(rows)));
const end = chunk("IEND", []);

describe("PNG by hand", () => {
  it("grey is three equal planes", async () => {
    const image = await decode(png(header(2, 1), pixels(0, 7, 250), end));
    expect(image).toEqual({ width: 2, height: 1, data: Uint8Array.of(7, 250, 7, 250, 7, 250) });
  });

  it("the five filters undo what the specification's formulas did", async () => {
    // Rows 10 20, filtered by none, left, above, the mean of both, and Paeth's choice (20 is nearest to 10 + 20 − 10).
    const rows = [0, 10, 20, 1, 10, 10, 2, 0, 0, 3, 5, 5, 4, 0, 0];
    const { data } = await decode(png(header(2, 5), pixels(...rows), end));
    expect([...data.subarray(0, 10)]).toEqual([10, 20, 10, 20, 10, 20, 10, 20, 10, 20]);
  });

  const cases: [what: string, bytes: Uint8Array, message: string][] = [
    [
      "empty",
      new Uint8Array(0),
      "x: byte 0: expected a PNG (89 50 4e 47) or JPEG file (ff d8), came an empty file: convert it to PNG.",
    ],
    [
      "GIF",
      Uint8Array.from([0x47, 0x49, 0x46, 0x38, 0x39]),
      "x: byte 0: expected a PNG (89 50 4e 47) or JPEG file (ff d8), came 47 49 46 38: convert it to PNG.",
    ],
    ["no chunks", png(), "x: truncated: expected another chunk after byte 8, have 0 bytes."],
    [
      "cut in a chunk",
      png(header(2, 1)).subarray(0, 27),
      "x: truncated: expected 13 bytes of IHDR after byte 16, have 11.",
    ],
    [
      "no end",
      png(header(2, 1), pixels(0, 7, 250)),
      "x: truncated: expected another chunk after byte 56, have 0 bytes.",
    ],
    ["another chunk first", png(pixels(0), end), 'x: byte 8: damaged PNG: expected IHDR first, came "IDAT".'],
    [
      "a wrong checksum",
      png(header(2, 1).with(-1, 0), end),
      "x: byte 8: damaged PNG: the checksum of IHDR does not fit its content.",
    ],
    [
      "a short header",
      png(chunk("IHDR", [1, 2, 3]), end),
      "x: byte 16: damaged PNG: expected a header of 13 bytes, have 3.",
    ],
    [
      "an impossible depth",
      png(header(2, 1, 4, 2), end),
      "x: byte 16: damaged PNG: colour type 2 with 4 bits a channel.",
    ],
    [
      "an unknown colour type",
      png(header(2, 1, 8, 5), end),
      "x: byte 16: damaged PNG: colour type 5 with 8 bits a channel.",
    ],
    [
      "an unknown interlacing",
      png(header(2, 1, 8, 0, [0, 0, 2]), end),
      "x: byte 16: damaged PNG: compression 0, filter 0, interlace 2: expected 0, 0, 0 or 1.",
    ],
    [
      "an unknown critical chunk",
      png(header(2, 1), chunk("ABCD", []), end),
      'x: byte 33: damaged PNG: an unknown critical chunk "ABCD".',
    ],
    ["no pixels", png(header(0, 3), end), "x: an image of 0 × 3 pixels holds nothing."],
    [
      "too many pixels",
      png(header(2 ** 14, 2 ** 13), end),
      "x: 16384 × 8192 pixels: expected at most 2^26; make it smaller first.",
    ],
    [
      "more pixels than bytes can hold",
      png(header(8192, 8192), end),
      "x: damaged: 45 bytes cannot hold the 8192 × 8192 pixels of its header.",
    ],
    [
      "less data than the header says",
      png(header(400, 400), pixels(0, 7, 250), end),
      "x: damaged PNG: 11 bytes cannot hold 160400 of pixels.",
    ],
    [
      "rows missing",
      png(header(2, 2), pixels(0, 7, 250), end),
      "x: damaged PNG: expected 6 bytes of pixels when inflated, have 3.",
    ],
    [
      "no zlib stream",
      png(header(2, 2), chunk("IDAT", [1, 2, 3, 4, 5, 6, 7]), end),
      "x: damaged PNG: its pixels cannot be inflated: invalid zlib data.",
    ],
    [
      "an unknown filter",
      png(header(1, 1), pixels(5, 7), end),
      "x: damaged PNG: inflated byte 0: filter 5: expected 0 to 4.",
    ],
    ["no palette", png(header(1, 1, 8, 3), pixels(0, 7), end), "x: damaged PNG: colour 7 of a palette of 0."],
    [
      "a colour beyond the palette",
      png(header(1, 1, 8, 3), chunk("PLTE", [1, 2, 3, 4, 5, 6]), pixels(0, 2), end),
      "x: damaged PNG: colour 2 of a palette of 2.",
    ],
  ];
  test.each(cases)("%s", async (_, bytes, message) => {
    await expect(decode(bytes)).rejects.toThrow(new DataError(message));
  });
});

describe("JPEG", () => {
  const whole = file("baseline-444.jpg");
  const at = (code: number) => whole.findIndex((byte, i) => byte === 0xff && whole[i + 1] === code);
  const frame = at(0xc0);
  const patched = (place: number, ...values: number[]) => {
    const copy = whole.slice();
    copy.set(values, place);
    return copy;
  };

  const cases: [what: string, bytes: Uint8Array, message: string][] = [
    ["without its end", whole.subarray(0, -2), "x: truncated: 2798 bytes without an end-of-image marker."],
    [
      "cut in a segment",
      whole.subarray(0, frame + 8),
      `x: truncated: expected 17 bytes after byte ${frame + 2}, have 6.`,
    ],
    ["CMYK", file("cmyk.jpg"), "x: byte 89: a JPEG with 4 channels (4: CMYK): save it as an RGB or grey PNG or JPEG."],
    [
      "lossless",
      patched(frame + 1, 0xc3),
      `x: byte ${frame + 2}: a lossless or hierarchical JPEG: save it as an RGB or grey PNG or JPEG.`,
    ],
    [
      "arithmetic coding",
      patched(frame + 1, 0xc9),
      `x: byte ${frame + 2}: a JPEG with arithmetic coding: save it as an RGB or grey PNG or JPEG.`,
    ],
    [
      "12 bits",
      patched(frame + 4, 12),
      `x: byte ${frame + 2}: a JPEG with 12 bits a channel: save it as an RGB or grey PNG or JPEG.`,
    ],
    ["no height", patched(frame + 5, 0, 0), "x: an image of 67 × 0 pixels holds nothing."],
    [
      "more pixels than bytes can hold",
      patched(frame + 5, 0x80, 0, 0x01, 0),
      "x: damaged: 2800 bytes cannot hold the 256 × 32768 pixels of its header.",
    ],
    [
      "more pixels than we take",
      patched(frame + 5, 0xff, 0xff, 0xff, 0xff),
      "x: 65535 × 65535 pixels: expected at most 2^26; make it smaller first.",
    ],
    ["no frame", Uint8Array.of(0xff, 0xd8, 0xff, 0xd9), "x: damaged: a JPEG file without a frame header."],
    [
      "no scan",
      Uint8Array.from([...whole.subarray(0, at(0xda)), 0xff, 0xd9]),
      "x: damaged: a JPEG file without image data.",
    ],
    [
      "a segment of no length",
      Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 1, 0xff, 0xd9),
      "x: byte 4: damaged: a segment of 1 bytes.",
    ],
    [
      "half of its data",
      Uint8Array.from([...whole.subarray(0, 1500), 0xff, 0xd9]),
      "x: damaged JPEG: Corrupt JPEG data: premature end of data segment.",
    ],
    [
      "no tables",
      Uint8Array.from([...whole.subarray(0, 2), ...whole.subarray(frame)]),
      "x: damaged JPEG: Quantization table 0x00 was not defined.",
    ],
  ];
  test.each(cases)("%s", async (_, bytes, message) => {
    await expect(decode(bytes)).rejects.toThrow(new DataError(message));
  });

  it("that makes the decoder pass over its image hundreds of times", async () => {
    const scan = whole.subarray(at(0xda), -2);
    const bytes = Uint8Array.from([
      ...whole.subarray(0, -2),
      ...Array.from({ length: 200 }, () => [...scan]).flat(),
      0xff,
      0xd9,
    ]);
    await expect(decode(bytes)).rejects.toThrow(/^x: byte \d+: more than 200 scans: damaged, or made to take long\.$/);
  });

  it("bytes between segments change nothing, as Pillow reads on too", async () => {
    const bytes = Uint8Array.from([...whole.subarray(0, -2), 1, 2, 3, 4, 0xff, 0xd9]);
    expect(await decode(bytes)).toEqual(await decode(whole));
  });

  it("can be decoded after one that could not", async () => {
    await expect(decode(patched(at(0xc4) + 5, 0xff, 0xff))).rejects.toThrow(DataError);
    expect(worst(await decode(whole), pillow.array("baseline-444.jpg").data as Uint8Array)).toBe(NO_DIFFERENCE);
  });
});

describe("damaged images are read or refused", () => {
  /** Pixels that a JPEG's byte can hold, three values each. */
  const JPEG_VALUES_A_BYTE = 3 * 1024;

  test.each(["rgb.png", "palette-4.png", "interlaced-rgb.png", "rgba-16.png"])("%s", async (name) => {
    await survivesMutations(file(name), (bytes) => decode(bytes));
  });

  test.each(["grey-2.png", "palette-8.png", "interlaced-rgb.png", "grey-alpha-16.png"])(
    "%s, its checksums made to fit again",
    async (name) => {
      const bytes = file(name);
      await survivesMutations(bytes, (damaged) => decode(checksummed(damaged)), {
        holds: bytes.length * bestDeflateRatio,
      });
    },
  );

  test.each(["baseline-420.jpg", "progressive-444.jpg", "grey-progressive.jpg"])("%s", async (name) => {
    const bytes = file(name);
    await survivesMutations(bytes, (damaged) => decode(damaged), { holds: bytes.length * JPEG_VALUES_A_BYTE });
  });
});

/** The file with the checksum of every chunk that is still whole. */
function checksummed(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  for (let at = 8; at + 12 <= copy.length;) {
    const next = at + 12 + view.getUint32(at);
    if (next > copy.length) break;
    view.setUint32(next - 4, crc32(copy.subarray(at + 4, next - 4)));
    at = next;
  }
  return copy;
}
