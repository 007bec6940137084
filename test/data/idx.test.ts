import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { idxClasses, idxSplits, readIdx, readIdxSplit } from "../../src/data/idx.ts";
import { DataError } from "../../src/errors.ts";
import { pageFile } from "./memory-files.ts";

/** An IDX file by hand: axes below 256 only. */
const idx = (code: number, dims: number[], data: ArrayLike<number>) =>
  Uint8Array.from([0, 0, code, dims.length, ...dims.flatMap((dim) => [0, 0, 0, dim]), ...Array.from(data)]);
const gz = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 31) % 251);

describe("files written by hand", () => {
  it("bytes, plain and in gzip", async () => {
    const file = idx(0x08, [2, 3], [1, 2, 3, 4, 5, 250]);
    const expected = { name: "x", type: "uint8", dims: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 250) };
    expect(await readIdx(pageFile("a", file), "x")).toEqual(expected);
    expect(await readIdx(pageFile("a.gz", gz(file)), "x")).toEqual(expected);
  });

  const types: [code: number, data: number[], type: string, value: unknown][] = [
    [0x09, [0xff], "int8", Int8Array.of(-1)],
    [0x0b, [0xff, 0xfe], "int16", Int16Array.of(-2)],
    [0x0c, [0, 0, 1, 2], "int32", Int32Array.of(258)],
    [0x0d, [0x3f, 0xc0, 0, 0], "float32", Float32Array.of(1.5)],
    [0x0e, [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], "float64", Float64Array.of(1.5)],
  ];
  test.each(types)("type %i", async (code, data, type, value) => {
    expect(await readIdx(pageFile("a", idx(code, [1], data)), "x")).toMatchObject({ type, dims: [1], data: value });
  });

  it("a file of many chunks", async () => {
    const data = bytes(200 * 200 * 20);
    const array = await readIdx(pageFile("a.gz", gz(idx(0x08, [200, 200, 20], data))), "x");
    expect(Buffer.compare(array.data as Uint8Array, data)).toBe(0);
  });
});

describe("damaged files", () => {
  const plain = idx(0x08, [200, 250], bytes(50000));
  const packed = gz(plain);
  const cases: [name: string, file: string, bytes: Uint8Array, message: string][] = [
    [
      "cut",
      "x",
      plain.subarray(0, 40012),
      "x: truncated: expected 50000 bytes of data after byte 12 for [200, 250] uint8, have 40000.",
    ],
    [
      "too long",
      "x",
      Uint8Array.of(...plain, 1),
      "x: damaged: expected 50000 bytes of data for [200, 250], have more.",
    ],
    [
      "too long in gzip",
      "x.gz",
      gz(Buffer.concat([plain, bytes(300000)])),
      "x.gz: damaged: expected 50000 bytes of data for [200, 250], have more.",
    ],
    ["cut in the header", "x", plain.subarray(0, 9), "x: truncated: expected 8 bytes of header after byte 4, have 5."],
    [
      "short inside gzip",
      "x.gz",
      gz(plain.subarray(0, 40012)),
      "x.gz: truncated: expected 50000 bytes of data after byte 12 when decompressed, have 40000.",
    ],
    [
      "cut gzip",
      "x.gz",
      packed.subarray(0, 6),
      "x.gz: damaged or truncated gzip: expected 4 bytes of magic number after byte 0 when decompressed, have 0: unexpected end of file.",
    ],
    [
      "no gzip",
      "x.gz",
      plain,
      "x.gz: damaged or truncated gzip: expected 4 bytes of magic number after byte 0 when decompressed, have 0: incorrect header check.",
    ],
    [
      "a size that no gzip of this length holds",
      "x.gz",
      gz(Uint8Array.of(0, 0, 8, 1, 0x7f, 0, 0, 0)),
      "x.gz: truncated: expected 2130706432 bytes of data after byte 8 for [2130706432] uint8, cannot be in 28 bytes of gzip.",
    ],
    [
      "gzip that does not say so",
      "x",
      packed,
      "x: byte 0: not an IDX file: expected 00 00, a type of 08 09 0b 0c 0d 0e and a number of axes, came 1f 8b 08 00: this is gzip, its name must end in .gz.",
    ],
    [
      "an unknown type",
      "x",
      idx(0x0a, [1], [1]),
      "x: byte 0: not an IDX file: expected 00 00, a type of 08 09 0b 0c 0d 0e and a number of axes, came 00 00 0a 01.",
    ],
    [
      "no axes",
      "x",
      idx(0x08, [], [1]),
      "x: byte 0: not an IDX file: expected 00 00, a type of 08 09 0b 0c 0d 0e and a number of axes, came 00 00 08 00.",
    ],
  ];
  test.each(cases)("%s", async (_, name, file, message) => {
    await expect(readIdx(pageFile(name, file), "x")).rejects.toThrow(new DataError(message));
  });

  it("a wrong checksum; how much was read before it showed is zlib's affair", async () => {
    const changed = packed.with(packed.length - 6, packed.at(-6)! ^ 1);
    await expect(readIdx(pageFile("x.gz", changed), "x")).rejects.toThrow(
      /^x.gz: damaged or truncated gzip: expected .* when decompressed, have \d+: incorrect data check\.$/,
    );
  });

  it("a file with some bytes changed gives an array or a DataError, never anything else", async () => {
    const change = fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 });
    const file = gz(idx(0x08, [20, 20], bytes(400)));
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(change, async (changes) => {
        const changed = file.slice();
        for (const [at, byte] of changes) changed[at % file.length] = byte;
        try {
          await readIdx(pageFile("x.gz", changed), "x");
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          refused++;
        }
      }),
      { numRuns: 300 },
    );
    expect(refused).toBeGreaterThan(100);
  });
});

describe("a directory", () => {
  it("pairs images with labels, whichever way MNIST's files are written", () => {
    const names = [
      "t10k-labels.idx1-ubyte",
      "t10k-images.idx3-ubyte",
      "train-images-idx3-ubyte.gz",
      "train-labels-idx1-ubyte.gz",
      "train-images-idx3-ubyte",
      "README",
    ];
    expect(Object.fromEntries(idxSplits(names))).toEqual({
      train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte.gz" },
      test: { images: "t10k-images.idx3-ubyte", labels: "t10k-labels.idx1-ubyte" },
    });
  });

  it("half a pair is no split", () => {
    expect(idxSplits(["train-images-idx3-ubyte.gz"]).size).toBe(0);
  });

  it("the classes that a path gives away", () => {
    expect(idxClasses("/data/FashionMNIST/raw")?.[9]).toBe("Ankle boot");
    expect(idxClasses("/data/MNIST/raw")?.[9]).toBe("9");
    expect(idxClasses("/data/kmnist")).toBeUndefined();
    expect(idxClasses("/home/fashionista/.cache/flatness/data/mnist/")?.[9]).toBe("9");
  });

  it("images get a channel axis", async () => {
    const images = pageFile("images", idx(0x08, [2, 1, 3], [1, 2, 3, 4, 5, 6]));
    const labels = pageFile("labels", idx(0x08, [2], [7, 9]));
    const [x, y] = await readIdxSplit(images, labels);
    expect(x).toEqual({ name: "x", type: "uint8", dims: [2, 1, 1, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
    expect(y).toEqual({ name: "y", type: "uint8", dims: [2], data: Uint8Array.of(7, 9) });
  });

  it("files that do not belong together", async () => {
    const images = pageFile("images", idx(0x08, [2, 1, 1], [1, 2]));
    const labels = pageFile("labels", idx(0x08, [3], [1, 2, 3]));
    await expect(readIdxSplit(images, labels)).rejects.toThrow(
      new DataError("labels: 3 labels for 2 images of images."),
    );
    await expect(readIdxSplit(labels, labels)).rejects.toThrow(
      new DataError("labels: expected images [n, h, w], have [3]."),
    );
    await expect(readIdxSplit(images, images)).rejects.toThrow(
      new DataError("images: expected labels [n], have [2, 1, 1]."),
    );
  });
});
