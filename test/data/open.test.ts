import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes, parseNpz } from "../../src/data/npz.ts";
import { formats, openDataset } from "../../src/data/open.ts";
import { chosenSamples } from "../../src/data/samples.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { zipSync } from "fflate";
import type { TypedArray } from "../../src/graph/tensor.ts";
import { memoryFiles } from "./memory-files.ts";
import { header, npyFile } from "./npy-bytes.ts";

const floats = (dims: number[], ...values: number[]) => ({
  type: "float32" as const,
  dims,
  data: Float32Array.from(values),
});
const bytes = (dims: number[], ...values: number[]) => ({
  type: "uint8" as const,
  dims,
  data: Uint8Array.from(values),
});
const longs = (...values: number[]) => ({
  type: "int64" as const,
  dims: [values.length],
  data: BigInt64Array.from(values, BigInt),
});

const files = memoryFiles({
  "data.npz": npzBytes({
    x: floats([3, 2], 1, 2, 3, 4, 5, 6),
    y: longs(7, 8, 9),
    mask: bytes([3], 1, 0, 1),
    centre: floats([2], 0, 0),
  }),
  "keras.npz": npzBytes({
    x_train: bytes([2, 1], 10, 20),
    y_train: bytes([2], 1, 2),
    x_test: bytes([1, 1], 30),
    y_test: bytes([1], 3),
  }),
  "named.npz": npzBytes({ images: bytes([2, 1], 4, 6), labels: longs(0, 1) }),
  "inputs.npz": npzBytes({ x: floats([1], 5) }),
  "inputs.npy": npyBytes(floats([2, 1], 1, 2)),
  "scalar.npy": npyBytes(floats([], 1)),
  "empty.npy": npyBytes(floats([0, 3])),
  "uneven.npz": npzBytes({ x: floats([2], 1, 2), y: longs(1, 2, 3) }),
  "nan.npz": npzBytes({ x: floats([2, 2], 1, 2, 3, NaN), y: longs(0, 1), extra: floats([2], Infinity, 0) }),
  "strings.npz": zipSync({
    "x.npy": npyBytes(floats([1], 5)),
    "y.npy": npyBytes(longs(1)),
    "classes.npy": npyFile(header("<U1", "(2,)"), [65, 0, 0, 0, 66, 0, 0, 0]),
  }),
  "string-labels.npz": zipSync({
    "x.npy": npyBytes(floats([1], 5)),
    "y.npy": npyFile(header("<U1", "(1,)"), [65, 0, 0, 0]),
  }),
  "data.txt": new Uint8Array(3),
  "photos/cat.jpg": new Uint8Array(3),
  "fashion/t10k-images-idx3-ubyte": Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4),
  "fashion/t10k-labels-idx1-ubyte": Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6),
});
const open = (source: string, options?: ArrayOptions) => openDataset(source, options, files);

describe("an .npz of x and y", () => {
  it("gives every array as long as x, in its own type", async () => {
    const data = await open("data.npz");
    expect(data).toMatchObject({ source: "data.npz", n: 3, preprocess: "", split: undefined });
    expect(data.fields).toEqual([
      { name: "x", type: "float32", dims: [2] },
      { name: "y", type: "int64", dims: [] },
      { name: "mask", type: "uint8", dims: [] },
    ]);
    const batch = await data.read([2, 0, 2]);
    expect(batch.get("x")).toEqual({
      name: "x",
      type: "float32",
      dims: [3, 2],
      data: Float32Array.of(5, 6, 1, 2, 5, 6),
    });
    expect(batch.get("y")).toEqual({ name: "y", type: "int64", dims: [3], data: BigInt64Array.of(9n, 7n, 9n) });
    expect(batch.get("mask")!.data).toEqual(Uint8Array.of(1, 1, 1));
  });

  it("consecutive samples are views of the same memory, and the same values", async () => {
    const data = await open("data.npz");
    const first = (await data.read([0, 1])).get("x")!.data;
    const second = (await data.read([1, 2])).get("x")!.data;
    expect(second).toEqual(Float32Array.of(3, 4, 5, 6));
    expect(second.buffer).toBe(first.buffer);
    expect((await data.read([])).get("x")).toMatchObject({ dims: [0, 2], data: new Float32Array(0) });
  });

  it("only the fields that are asked for", async () => {
    const data = await open("data.npz");
    expect([...(await data.read([0], ["y"])).keys()]).toEqual(["y"]);
    await expect(data.read([0], ["z"])).rejects.toThrow(new UsageError("data.npz: no field z. It has: x, y, mask."));
  });

  it("is preprocessed to float32", async () => {
    const data = await open("named.npz", { input: "images", labels: "labels", preprocess: "scale=4.0" });
    expect(data.preprocess).toBe("scale=4");
    expect(data.fields[0]).toEqual({ name: "images", type: "float32", dims: [1] });
    expect((await data.read([1, 0])).get("images")).toMatchObject({ dims: [2, 1], data: Float32Array.of(1.5, 1) });
  });

  it("hashes the file", async () => {
    const expected = createHash("sha256")
      .update(npyBytes(floats([2, 1], 1, 2)))
      .digest("hex");
    expect((await open("inputs.npy")).sha256).toBe(expected);
  });

  it("passes over other arrays that cannot be read, but not over x and y", async () => {
    expect((await open("strings.npz")).fields.map(({ name }) => name)).toEqual(["x", "y"]);
    await expect(open("string-labels.npz")).rejects.toThrow(
      "string-labels.npz: y.npy: dtype '<U1' (strings) is not supported",
    );
  });

  it("without labels when x is all there is", async () => {
    expect((await open("inputs.npz")).fields).toEqual([{ name: "x", type: "float32", dims: [] }]);
    expect((await open("inputs.npy")).fields).toEqual([{ name: "x", type: "float32", dims: [1] }]);
  });
});

describe("splits", () => {
  it("of an .npz of x_train, y_train, x_test, y_test", async () => {
    for (const [split, x, y] of [
      ["train", [10, 20], [1, 2]],
      ["test", [30], [3]],
    ] as const) {
      const data = await open("keras.npz", { split });
      expect(data.split).toBe(split);
      const batch = await data.read(x.map((_, i) => i));
      expect([...(batch.get("x")!.data as Uint8Array)]).toEqual(x);
      expect([...(batch.get("y")!.data as Uint8Array)]).toEqual(y);
    }
    expect((await open("keras.npz")).split).toBe("train");
  });

  it("of IDX files", async () => {
    const data = await open("fashion", { split: "test" });
    expect(data).toMatchObject({ n: 2, split: "test" });
    expect(data.classes?.[0]).toBe("T-shirt/top");
    expect((await data.read([1])).get("x")).toEqual({
      name: "x",
      type: "uint8",
      dims: [1, 1, 1, 2],
      data: Uint8Array.of(3, 4),
    });
  });
});

describe("errors", () => {
  const choose = "Name the one that is meant: --input NAME=ARRAY for an input, --labels ARRAY for the labels.";
  const supported = `expected ${[...formats.map(({ description }) => description), "or example:digits"].join(", ")}.`;
  const cases: [source: string, options: ArrayOptions, error: Error][] = [
    ["data.txt", {}, new DataError(`data.txt: not a data set: ${supported}`)],
    ["photos", {}, new DataError(`photos: no data set in this directory: ${supported}`)],
    ["none.npz", {}, new DataError("none.npz: no such file or directory.")],
    ["named.npz", {}, new DataError(`named.npz: no array x. It has: images uint8 (2, 1); labels int64 (2). ${choose}`)],
    [
      "named.npz",
      { input: "images" },
      new DataError(`named.npz: no array y. It has: images uint8 (2, 1); labels int64 (2). ${choose}`),
    ],
    ["inputs.npz", { labels: "y" }, new DataError(`inputs.npz: no array y. It has: x float32 (1). ${choose}`)],
    [
      "uneven.npz",
      {},
      new DataError("uneven.npz: expected as many labels as inputs, came x with n = 2 and y with n = 3."),
    ],
    ["scalar.npy", {}, new DataError("scalar.npy: x is a single number: expected an axis of samples.")],
    ["empty.npy", {}, new DataError("empty.npy: x is empty: expected one sample or more.")],
    [
      "data.npz",
      { split: "train" },
      new UsageError("data.npz: no split train: this source has no splits; leave it out."),
    ],
    [
      "inputs.npy",
      { split: "train" },
      new UsageError("inputs.npy: no split train: this source has no splits; leave it out."),
    ],
    ["keras.npz", { split: "valid" }, new UsageError("keras.npz: no split valid. It has: train, test.")],
    ["fashion", {}, new UsageError("fashion: no split train. It has: test.")],
    [
      "data.npz",
      { preprocess: "pad=1" },
      new UsageError("preprocess pad=1: needs two axes or more; a sample of x has dims [2] here."),
    ],
  ];
  test.each(cases)("%s %j", async (source, options, error) => {
    await expect(open(source, options)).rejects.toThrow(error);
  });

  it("an index that is out of range", async () => {
    const data = await open("data.npz");
    for (const index of [3, -1, 0.5, NaN]) {
      await expect(data.read([0, index])).rejects.toThrow(
        new DataError(`data.npz: no sample ${index}: expected whole numbers from 0 to 2.`),
      );
    }
  });

  it("NaN and infinity, only where they are read", async () => {
    const data = await open("nan.npz");
    await expect(data.read([0])).rejects.toThrow(
      new DataError("nan.npz: extra: sample 0, element 0 is Infinity: expected finite numbers."),
    );
    const message = "nan.npz: x: sample 1, element 1 is NaN: expected finite numbers.";
    await expect(data.read([1])).rejects.toThrow(new DataError(message));
    await expect(data.read([0, 1, 0], ["x"])).rejects.toThrow(new DataError(message));
    expect((await data.read([0], ["x", "y"])).get("x")!.data).toEqual(Float32Array.of(1, 2));
    const scaled = await open("nan.npz", { preprocess: "scale=2" });
    await expect(scaled.read([0, 1], ["x"])).rejects.toThrow(new DataError(message));
  });
});

describe("the disk", () => {
  it("files, directories, and what is neither", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flatness-"));
    try {
      const path = join(folder, "data.npz");
      writeFileSync(path, npzBytes({ x: floats([1, 1], 3), y: longs(1) }));
      expect((await (await openDataset(path)).read([0])).get("x")!.data).toEqual(Float32Array.of(3));
      await expect(openDataset(join(folder, "none.npz"))).rejects.toThrow(
        new DataError(`${folder}/none.npz: no such file or directory.`),
      );
      await expect(openDataset(join(path, "inside.npz"))).rejects.toThrow(
        new DataError(`${path}/inside.npz: no such file or directory.`),
      );
      await expect(openDataset(folder)).rejects.toThrow(`${folder}: no data set in this directory: expected `);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

const bytesOf = (data: TypedArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

const fashion = "/usr/share/datasets/fashion-mnist";
describe.skipIf(!existsSync(fashion))(`Fashion-MNIST, of Debian's package dataset-fashion-mnist in ${fashion}`, () => {
  it("the first 64 of the golden subset are the golden batch, bit for bit", async () => {
    const golden = new URL("../golden/lenet5-fashion/", import.meta.url).pathname;
    const data = await openDataset(fashion, { preprocess: "scale=255,pad=2,channels=3" });
    expect(data).toMatchObject({ n: 60000, split: "train" });
    const { indices } = await chosenSamples(join(golden, "subset-indices.npz"), data.n);
    const batch = await data.read(indices.subarray(0, 64));
    const truth = parseNpz(readFileSync(join(golden, "net00-batch64/batch.npz")), "batch.npz");
    const [x, expected] = [batch.get("x")!, truth.array("x")];
    expect([x.type, x.dims]).toEqual([expected.type, expected.dims]);
    expect(Buffer.compare(bytesOf(x.data), bytesOf(expected.data))).toBe(0);
    expect(Array.from(batch.get("y")!.data, Number)).toEqual(Array.from(truth.array("y").data, Number));
  });

  it("the test images: 10 000, 1 000 of each class", async () => {
    const data = await openDataset(fashion, { split: "test" });
    const y = (await data.read(Array.from({ length: data.n }, (_, i) => i))).get("y")!.data as Uint8Array;
    expect(Array.from(data.classes!, (_, label) => y.filter((value) => value === label).length)).toEqual(
      Array(10).fill(1000),
    );
  });

  it("has the hash of its two files, one after the other", async () => {
    const { sha256 } = await openDataset(fashion, { split: "test" });
    const expected = createHash("sha256");
    for (const name of ["t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
      expected.update(readFileSync(join(fashion, name)));
    expect(sha256).toBe(expected.digest("hex"));
  });
});
