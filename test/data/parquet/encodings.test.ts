import { describe, expect, it, test } from "vitest";
import { gzipSync } from "fflate";
import { decompress } from "../../../src/data/parquet/codecs.ts";
import { listShape } from "../../../src/data/parquet/columns.ts";
import { classNames } from "../../../src/data/parquet/features.ts";
import { bitWidth, decodeRuns } from "../../../src/data/parquet/runs.ts";
import { structEnd } from "../../../src/data/parquet/thrift.ts";

describe("runs and packed groups, by hand", () => {
  const decode = (bytes: number[], width: number, count: number) =>
    Array.from(decodeRuns(Uint8Array.from(bytes), 0, bytes.length, width, count));

  it("a run: its length twice, the value in whole bytes", () => {
    expect(decode([10, 3], 2, 5)).toEqual([3, 3, 3, 3, 3]);
    expect(decode([4, 0x2a, 0x01, 0x02, 0x07, 0x00], 9, 3)).toEqual([298, 298, 7]);
    // 200 = 0xc8 takes two bytes of 7 bits: 400 = 0x190.
    expect(decode([0x90, 0x03, 1], 1, 200)).toEqual(Array(200).fill(1));
  });

  it("a packed group of eight: the numbers 0 to 7 in three bits each, as in the specification", () => {
    expect(decode([3, 0b10001000, 0b11000110, 0b11111010], 3, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(decode([3, 0b10001000, 0b11000110, 0b11111010, 4, 5], 3, 10)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 5, 5]);
    // What pads the last group may be left out.
    expect(decode([3, 0b10001000], 3, 2)).toEqual([0, 1]);
  });

  it("no bits at all, and 32", () => {
    expect(decode([8], 0, 4)).toEqual([0, 0, 0, 0]);
    expect(decode([2, 0xff, 0xff, 0xff, 0xff], 32, 1)).toEqual([2 ** 32 - 1]);
    expect(decode([3, ...Array(7).fill([0xfe, 0xff, 0xff, 0xff]).flat(), 1, 0, 0, 0x80], 32, 8)).toEqual([
      ...Array(7).fill(2 ** 32 - 2),
      2 ** 31 + 1,
    ]);
  });

  it("a run that is longer than what is left, numbers that are not there, too many bits", () => {
    expect(() => decode([0xfe, 0xff, 0xff, 0xff, 0x0f, 1], 1, 5)).toThrow(
      "a run of 2147483647 where 5 numbers are left",
    );
    expect(() => decode([3, 0], 8, 8)).toThrow("2 bytes hold fewer than 8 numbers");
    expect(() => decode(Array(9).fill(0xff), 1, 5)).toThrow("a run of more than 2^32 numbers");
    expect(() => decode([2, 0], 33, 1)).toThrow("numbers of 33 bits");
  });

  test("the bits that numbers take", () => {
    expect([0, 1, 2, 3, 4, 255, 256].map(bitWidth)).toEqual([0, 1, 2, 2, 3, 8, 9]);
  });
});

describe("Thrift structures are walked over", () => {
  const end = (...bytes: number[]) =>
    structEnd(
      new DataView(Uint8Array.from(bytes).buffer),
      0,
      bytes.length,
      (at, what) => new Error(`byte ${at}: ${what}`),
    );

  it("fields of every kind", () => {
    // true, a byte, a number, a double, two bytes, a list of two numbers, a structure.
    const fields = [
      0x11,
      0x13,
      5,
      0x15,
      0x80,
      1,
      0x17,
      ...Array(8).fill(9),
      0x18,
      2,
      7,
      7,
      0x19,
      0x25,
      1,
      2,
      0x1c,
      0x11,
      0,
    ];
    expect(end(...fields, 0)).toBe(fields.length + 1);
    // A list of truth values has a byte for each; a field may have its number written out.
    expect(end(0x09, 4, 0x21, 1, 2, 0, 99)).toBe(6);
  });

  it("what is longer than its bytes, deeper than any, or unknown", () => {
    expect(() => end(0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 0)).toThrow("byte 6: a list of 268435455 elements in 1 bytes");
    expect(() => end(0x18, 100, 0)).toThrow("byte 2: expected 100 bytes, have 1");
    expect(() => end(...Array(40).fill(0x1c))).toThrow("too many structures in structures");
    expect(() => end(...Array(40).fill(0x19))).toThrow("too many structures in structures");
    expect(() => end(0x15, ...Array(12).fill(0x80), 0)).toThrow("a number of more than ten bytes");
    expect(() => end(0x1b, 0)).toThrow("byte 1: an element of unknown type 11");
    expect(() => end(0x15)).toThrow("byte 1: ends inside a structure");
  });
});

describe("codecs refuse sizes that they cannot have made", () => {
  const packed = new Uint8Array(100);
  test.each([
    ["UNCOMPRESSED", 101],
    ["SNAPPY", 2135],
    ["LZ4_RAW", 25501],
    ["GZIP", 103201],
    ["ZSTD", 3276801],
  ])("%s of 100 bytes: %i", (codec, size) => {
    expect(() => decompress(codec, packed, size)).toThrow(`100 bytes of ${codec} cannot hold ${size}`);
  });

  it("and sizes that are not what comes out", () => {
    const gzip = gzipSync(Uint8Array.of(1, 2, 3));
    expect(decompress("GZIP", gzip, 3)).toEqual(Uint8Array.of(1, 2, 3));
    expect(() => decompress("GZIP", gzip, 5)).toThrow("expected 5 bytes of GZIP, have 3");
    expect(() => decompress("UNCOMPRESSED", packed, 50)).toThrow("expected 50 bytes of UNCOMPRESSED, have 100");
    // A Zstandard frame of one raw block, `abc`, whose header says 3.
    const zstd = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 0x61, 0x62, 0x63);
    expect(decompress("ZSTD", zstd, 3)).toEqual(Uint8Array.of(0x61, 0x62, 0x63));
    expect(() => decompress("ZSTD", zstd, 4)).toThrow("its frame says 3 bytes");
    expect(() => decompress("LZO", packed, 5)).toThrow("compressed with LZO: expected UNCOMPRESSED, SNAPPY,");
  });
});

test("shapes of lists by the levels at which their values repeat", () => {
  const shape = (depth: number, ...levels: number[]) => listShape(Uint8Array.from(levels), depth);
  expect(shape(1, 0, 1, 1, 0, 1, 1)).toEqual({ dims: [3] });
  expect(shape(1, 0, 0, 0)).toEqual({ dims: [1] });
  expect(shape(2, 0, 2, 2, 1, 2, 2, 0, 2, 2, 1, 2, 2)).toEqual({ dims: [2, 3] });
  expect(shape(3, 0, 3, 2, 3, 1, 3, 2, 3)).toEqual({ dims: [2, 2, 2] });
  expect(shape(2, 0, 1, 1)).toEqual({ dims: [3, 1] });
  expect(shape(1, 0, 1, 0, 1, 1)).toEqual({ row: 2 });
  expect(shape(1, 0, 1, 1, 0, 1)).toEqual({ row: 1 });
  expect(shape(2, 0, 2, 1)).toEqual({ row: 0 });
  expect(shape(2, 0, 2, 1, 1, 2, 2)).toEqual({ row: 0 });
});

test("names of classes from Hugging Face's note, and none from anything else", () => {
  const names = (note: unknown) =>
    Object.fromEntries(classNames(new Map([["huggingface", typeof note === "string" ? note : JSON.stringify(note)]])));
  const features = {
    image: { _type: "Image" },
    label: { names: ["cat", "dog"], _type: "ClassLabel" },
    tags: [{ dtype: "string", _type: "Value" }],
    odd: { names: ["cat", 3], _type: "ClassLabel" },
    size: { names: ["w", "h"], _type: "Value" },
  };
  expect(names({ info: { features } })).toEqual({ label: ["cat", "dog"] });
  for (const note of ["", "{", "null", "3", { info: 3 }, { info: { features: null } }, []])
    expect(names(note)).toEqual({});
  expect(classNames(new Map()).size).toBe(0);
});
