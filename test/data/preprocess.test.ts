import { describe, expect, it, test } from "vitest";
import { compilePreprocess } from "../../src/data/preprocess.ts";
import { UsageError } from "../../src/errors.ts";
import type { ElementType, TypedArray } from "../../src/graph/tensor.ts";

function apply(text: string, dims: number[], data: TypedArray, type: ElementType = "uint8") {
  const { resolved, dims: out, write } = compilePreprocess(text, { name: "x", type, dims });
  const target = new Float32Array(out.reduce((product, dim) => product * dim, 1)).fill(-7);
  write(data, 0, target, 0);
  return { resolved, dims: out, values: target };
}
const bytes = (...values: number[]) => Uint8Array.from(values);

describe("values by hand", () => {
  it("scale divides in float32", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i);
    const { values } = apply("scale=255", [256], all);
    for (const byte of all) expect(values[byte]).toBe(Math.fround(byte / 255));
  });

  it("pad puts zeros around the last two axes, after what was done before", () => {
    const { dims, values } = apply("mean=1,pad=1", [1, 1, 2], bytes(5, 6));
    expect(dims).toEqual([1, 3, 4]);
    expect(values).toEqual(Float32Array.of(0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0));
  });

  it("padding before the mean is changed by it", () => {
    const { values } = apply("pad=1,mean=1,std=2", [1, 1], bytes(5));
    expect(values).toEqual(Float32Array.of(-0.5, -0.5, -0.5, -0.5, 2, -0.5, -0.5, -0.5, -0.5));
  });

  it("pad-value holds for the padding behind it", () => {
    const { values, resolved } = apply("pad-value=-1.50, pad=1,pad-value=9 ,pad=0", [1, 1], bytes(5));
    expect(values).toEqual(Float32Array.of(-1.5, -1.5, -1.5, -1.5, 5, -1.5, -1.5, -1.5, -1.5));
    expect(resolved).toBe("pad-value=-1.5,pad=1,pad-value=9,pad=0");
  });

  it("channels repeats, mean and std are per channel", () => {
    const { dims, values } = apply("channels=2,mean=1:2,std=2:4", [1, 1, 2], bytes(5, 6));
    expect(dims).toEqual([2, 1, 2]);
    expect(values).toEqual(Float32Array.of(2, 2.5, 0.75, 1));
  });

  it("the arithmetic of (x/255 − mean)/std rounds after every step, as PyTorch does", () => {
    const { values } = apply("scale=255,mean=0.1307,std=0.3081", [1], bytes(200));
    const scaled = Math.fround(200 / 255);
    const centred = Math.fround(scaled - Math.fround(0.1307));
    expect(values[0]).toBe(Math.fround(centred / Math.fround(0.3081)));
  });

  it("layout=nchw gathers the channels of each pixel, layout=nhwc puts them back", () => {
    const pixels = bytes(1, 10, 100, 2, 20, 200);
    const planes = apply("layout=nchw", [1, 2, 3], pixels);
    expect(planes.dims).toEqual([3, 1, 2]);
    expect(planes.values).toEqual(Float32Array.of(1, 2, 10, 20, 100, 200));
    const back = apply("layout=nchw,layout=nhwc", [1, 2, 3], pixels);
    expect(back.dims).toEqual([1, 2, 3]);
    expect(back.values).toEqual(Float32Array.from(pixels));
  });

  it("per-channel values before layout=nhwc stay with their channel", () => {
    const { values } = apply("channels=3,mean=1:2:3,layout=nhwc", [1, 1, 2], bytes(10, 20));
    expect(values).toEqual(Float32Array.of(9, 8, 7, 19, 18, 17));
  });

  it("shape and flatten keep the order", () => {
    expect(apply("shape=3x2x1", [6], bytes(1, 2, 3, 4, 5, 6))).toMatchObject({
      dims: [3, 2, 1],
      values: Float32Array.of(1, 2, 3, 4, 5, 6),
    });
    expect(apply("flatten", [2, 1, 3], bytes(1, 2, 3, 4, 5, 6)).dims).toEqual([6]);
    expect(apply("flatten", [], bytes(3))).toMatchObject({ dims: [1], values: Float32Array.of(3) });
  });

  it("writes into the middle of a batch, from the middle of the data", () => {
    const { write } = compilePreprocess("scale=2", { name: "x", type: "uint8", dims: [2] });
    const batch = new Float32Array(6);
    write(bytes(1, 2, 3, 4, 5, 6), 2, batch, 4);
    expect(batch).toEqual(Float32Array.of(0, 0, 0, 0, 1.5, 2));
  });
});

// The path of bytes goes through a table, the others through arithmetic: two routes to the same values.
const types: [ElementType, (values: number[]) => TypedArray][] = [
  ["float32", (values) => Float32Array.from(values)],
  ["float64", (values) => Float64Array.from(values)],
  ["int16", (values) => Int16Array.from(values)],
  ["int64", (values) => BigInt64Array.from(values, BigInt)],
];
test.each(types)("%s gives the values that bytes give", (type, make) => {
  const values = Array.from({ length: 12 }, (_, i) => (i * 77) % 256);
  const text = "scale=255,pad=1,channels=3,mean=.1:.2:.1,std=.5:.25:2,layout=nhwc,flatten";
  const fromBytes = apply(text, [1, 3, 4], Uint8Array.from(values));
  expect(apply(text, [1, 3, 4], make(values), type).values).toEqual(fromBytes.values);
});

test("the canonical form reads as itself", () => {
  const { resolved } = apply(
    " scale=255.0, mean=+0.10:.20:1e-1,layout=nhwc,shape=02x3 , flatten",
    [3, 1, 2],
    new Uint8Array(6),
  );
  expect(resolved).toBe("scale=255,mean=0.1:0.2:0.1,layout=nhwc,shape=2x3,flatten");
  expect(apply(resolved, [3, 1, 2], new Uint8Array(6)).resolved).toBe(resolved);
});

describe("errors", () => {
  const known =
    "resize=S|HxW, crop=S|HxW, scale=S, mean=a[:b:c], std=a[:b:c], pad=P, pad-value=V, channels=C, layout=nhwc|nchw, shape=AxBxC, flatten, tokens[=T]";
  const cases: [text: string, dims: number[], message: string][] = [
    ["scael=255", [1], `preprocess scael=255: no such step. Known: ${known}.`],
    ["scale=255,", [1], `preprocess "": no such step. Known: ${known}.`],
    ["toString", [1], `preprocess toString: no such step. Known: ${known}.`],
    ["scale", [2], 'preprocess scale: expected a number, came ""; a sample of x has dims [2] here.'],
    ["scale=0x10", [2], 'preprocess scale=0x10: expected a number, came "0x10"; a sample of x has dims [2] here.'],
    ["scale=1e99", [2], 'preprocess scale=1e99: expected a number, came "1e99"; a sample of x has dims [2] here.'],
    ["std=0", [2], "preprocess std=0: expected a number above 0, came 0; a sample of x has dims [2] here."],
    [
      "channels=3",
      [3, 4, 4],
      "preprocess channels=3: needs one channel, [1, H, W], or for channels=1 three; a sample of x has dims [3, 4, 4] here.",
    ],
    [
      "channels=3,channels=3",
      [1, 4, 4],
      "preprocess channels=3: needs one channel, [1, H, W], or for channels=1 three; a sample of x has dims [3, 4, 4] here.",
    ],
    [
      "mean=1:2:3",
      [1, 4, 4],
      "preprocess mean=1:2:3: 3 values need as many channels as the first axis of [C, H, W]; a sample of x has dims [1, 4, 4] here.",
    ],
    [
      "mean=1:2",
      [2],
      "preprocess mean=1:2: 2 values need as many channels as the first axis of [C, H, W]; a sample of x has dims [2] here.",
    ],
    ["pad=2", [64], "preprocess pad=2: needs two axes or more; a sample of x has dims [64] here."],
    [
      "pad=-1",
      [8, 8],
      'preprocess pad=-1: expected a whole number of at least 0, came "-1"; a sample of x has dims [8, 8] here.',
    ],
    [
      "pad=99999999",
      [8, 8],
      "preprocess pad=99999999: would make [200000006, 200000006], more than 2^26 values a sample; a sample of x has dims [8, 8] here.",
    ],
    ["shape=1x8x8", [63], "preprocess shape=1x8x8: [1, 8, 8] has 64 values, not 63; a sample of x has dims [63] here."],
    [
      "layout=chw",
      [1, 8, 8],
      'preprocess layout=chw: expected nhwc or nchw, came "chw"; a sample of x has dims [1, 8, 8] here.',
    ],
    ["layout=nhwc", [8, 8], "preprocess layout=nhwc: needs three axes; a sample of x has dims [8, 8] here."],
    [
      "resize=0",
      [3, 8, 8],
      'preprocess resize=0: expected a whole number of at least 1, came "0"; a sample of x has dims [3, 8, 8] here.',
    ],
    [
      "resize=4x4x3",
      [3, 8, 8],
      'preprocess resize=4x4x3: expected S or HxW, came "4x4x3"; a sample of x has dims [3, 8, 8] here.',
    ],
    ["resize=8", [64], "preprocess resize=8: needs two axes or more; a sample of x has dims [64] here."],
    [
      "resize=99999",
      [3, 8, 8],
      "preprocess resize=99999: would make [3, 99999, 99999], more than 2^26 values a sample; a sample of x has dims [3, 8, 8] here.",
    ],
    [
      "resize=6,crop=7x6",
      [3, 8, 9],
      "preprocess crop=7x6: 7 × 6 is not inside 6 × 6: resize or pad before; a sample of x has dims [3, 6, 6] here.",
    ],
    [
      "channels=1",
      [4, 8, 8],
      "preprocess channels=1: needs one channel, [1, H, W], or for channels=1 three; a sample of x has dims [4, 8, 8] here.",
    ],
    ["flatten=1", [8, 8], "preprocess flatten=1: takes no value; a sample of x has dims [8, 8] here."],
  ];
  test.each(cases)("%s of %j", (text, dims, message) => {
    expect(() => compilePreprocess(text, { name: "x", type: "uint8", dims })).toThrow(new UsageError(message));
  });
});
