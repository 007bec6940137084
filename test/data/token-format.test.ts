import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes, parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import type { ElementType, TypedArray } from "../../src/graph/tensor.ts";
import { measure } from "../../src/measure.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryFiles } from "./memory-files.ts";
import { header, npyFile } from "./npy-bytes.ts";

const bytesOf = (data: TypedArray) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const array = (type: ElementType, dims: number[], data: TypedArray) => ({ type, dims, data });
const count = (length: number, from = 1) => Array.from({ length }, (_, i) => from + i);

/** A file of llm.c: 256 numbers of header, of which three are used. */
const llmC = (magic: number, version: number, tokens: TypedArray, length = tokens.length) => {
  const words = new Int32Array(256);
  words.set([magic, version, length]);
  return Uint8Array.from([...bytesOf(words), ...bytesOf(tokens)]);
};

const stream = Uint16Array.from(count(11));
const rows = array("int64", [2, 4], BigInt64Array.of(1n, 2n, 3n, 4n, 5n, 6n, 7n, -100n));
const contents: Record<string, Uint8Array> = {
  "tokens.bin": bytesOf(stream),
  "wide.bin": bytesOf(Uint32Array.from(count(40, 70_000))),
  "odd.bin": new Uint8Array(31),
  "gpt2.bin": llmC(20240520, 1, stream),
  "llama3.bin": llmC(20240801, 7, Uint32Array.from(count(11, 100_000))),
  "other-header.bin": llmC(20240520, 2, stream),
  "cut.bin": llmC(20240520, 1, stream, 12),
  "tokens.npy": npyBytes(array("uint16", [11], stream)),
  "big-endian.npy": npyFile(header(">u2", "(3,)"), [0, 1, 0, 2, 1, 0]),
  "fortran.npy": npyFile(header("|u1", "(2, 3)", true), [1, 4, 2, 5, 3, 6]),
  "rows.npy": npyBytes(rows),
  "cube.npy": npyBytes(array("uint8", [1, 2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6))),
  "floats.npy": npyBytes(array("float32", [4], Float32Array.of(1, 2, 3, 4))),
  "longer.npy": Uint8Array.of(...npyBytes(array("uint16", [11], stream)), 0),
  "one.npz": npzBytes({ corpus: array("uint16", [11], stream) }),
  "several.npz": npzBytes({ tokens: array("uint16", [11], stream), other: rows }),
  "named.npz": npzBytes({ a: array("uint16", [11], stream), b: rows }),
  "data.npz": npzBytes({
    x: array("float32", [2, 1], Float32Array.of(1, 2)),
    y: array("int64", [2], BigInt64Array.of(0n, 1n)),
  }),
  "shakespeare/train.bin": bytesOf(stream),
  "shakespeare/val.bin": bytesOf(stream.subarray(4)),
  "shakespeare/meta.pkl": new Uint8Array(1),
  "steps.yaml": new TextEncoder().encode("- tokens: 5\n"),
};
const files = memoryFiles(contents);
const open = (source: string, preprocess?: string, options: ArrayOptions = {}) =>
  openDataset(source, { ...options, preprocess }, files);
const all = ({ n }: Dataset) => count(n, 0);

/** x and y as lists of samples. */
async function samples(data: Dataset, indices = all(data)) {
  const batch = await data.read(indices);
  return data.fields.map(({ name }) => {
    const { dims, data: values } = batch.get(name)!;
    const [n, length] = dims as [number, number];
    return Array.from({ length: n }, (_, i) => Array.from(values.slice(i * length, (i + 1) * length), Number));
  });
}

const inThrees = [
  [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ],
  [
    [2, 3, 4],
    [5, 6, 7],
    [8, 9, 10],
  ],
];

describe("a stream of tokens", () => {
  test.each(["tokens.bin", "gpt2.bin", "tokens.npy", "one.npz", "several.npz"])("%s", async (source) => {
    const data = await open(source, "tokens=3");
    expect(data).toMatchObject({ n: 3, preprocess: source.endsWith("bin") ? "tokens=3:uint16" : "tokens=3" });
    expect(data.fields).toEqual(["x", "y"].map((name) => ({ name, type: "uint16", dims: [3] })));
    expect(await samples(data)).toEqual(inThrees);
    expect(await samples(data, [2, 0, 0, 1])).toEqual(inThrees.map((blocks) => [2, 0, 0, 1].map((i) => blocks[i])));
    expect(await samples(data, [])).toEqual([[], []]);
  });

  it("the last token is a label only", async () => {
    expect(await samples(await open("tokens.bin", "tokens=10"))).toEqual([[count(10)], [count(10, 2)]]);
    expect((await open("tokens.bin", "tokens=5")).n).toBe(2);
  });

  it("tokens of 32 bits, said by the user or by the header", async () => {
    const wide = await open("wide.bin", "tokens=39:uint32");
    expect(wide.preprocess).toBe("tokens=39:uint32");
    expect(await samples(wide)).toEqual([[count(39, 70_000)], [count(39, 70_001)]]);
    const llama = await open("llama3.bin", "tokens=10");
    expect(llama.preprocess).toBe("tokens=10:uint32");
    expect(await samples(llama)).toEqual([[count(10, 100_000)], [count(10, 100_001)]]);
  });

  it("a header of another version is none", async () => {
    expect((await open("other-header.bin", "tokens=1:uint16")).n).toBe(512 + 10);
  });

  it("big-endian numbers", async () => {
    expect(await samples(await open("big-endian.npy", "tokens=2"))).toEqual([[[1, 2]], [[2, 256]]]);
  });

  it("steps from a file", async () => {
    expect((await open("tokens.bin", "steps.yaml")).preprocess).toBe("tokens=5:uint16");
  });

  it("only the fields that are asked for, under the names that the user has for them", async () => {
    const data = await open("named.npz", "tokens=3", { input: "a", labels: "next" });
    expect(data.fields.map(({ name }) => name)).toEqual(["a", "next"]);
    expect([...(await data.read([0], ["next"])).keys()]).toEqual(["next"]);
    expect(await samples(data)).toEqual(inThrees);
    await expect(data.read([3])).rejects.toThrow("named.npz: no sample 3: expected whole numbers from 0 to 2.");
  });
});

describe("rows of tokens", () => {
  it("each is a sample where no length is given", async () => {
    const data = await open("rows.npy", "tokens");
    expect(data.preprocess).toBe("tokens=3");
    expect(await samples(data)).toEqual([
      [
        [1, 2, 3],
        [5, 6, 7],
      ],
      [
        [2, 3, 4],
        [6, 7, -100],
      ],
    ]);
    expect(await samples(data, [1, 0])).toEqual([
      [
        [5, 6, 7],
        [1, 2, 3],
      ],
      [
        [6, 7, -100],
        [2, 3, 4],
      ],
    ]);
  });

  it("several samples a row, none across two rows", async () => {
    const data = await open("rows.npy", "tokens=1");
    expect(data.n).toBe(6);
    expect((await samples(data)).map((blocks) => blocks.flat())).toEqual([
      [1, 2, 3, 5, 6, 7],
      [2, 3, 4, 6, 7, -100],
    ]);
    expect(await samples(await open("rows.npy", "tokens=2"))).toEqual([
      [
        [1, 2],
        [5, 6],
      ],
      [
        [2, 3],
        [6, 7],
      ],
    ]);
  });

  it("in Fortran order", async () => {
    expect(await samples(await open("fortran.npy", "tokens"))).toEqual([
      [
        [1, 2],
        [4, 5],
      ],
      [
        [2, 3],
        [5, 6],
      ],
    ]);
  });

  it("any length, any samples: as slicing gives them", async () => {
    const shape = fc.record({
      rows: fc.integer({ min: 1, max: 4 }),
      length: fc.integer({ min: 2, max: 12 }),
      block: fc.integer({ min: 1, max: 11 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, fc.array(fc.nat(), { maxLength: 9 }), async ({ rows: n, length, block }, wanted) => {
        fc.pre(block < length);
        const tokens = Uint16Array.from(count(n * length));
        const file = memoryFiles({ "t.npy": npyBytes(array("uint16", [n, length], tokens)) });
        const data = await openDataset("t.npy", { preprocess: `tokens=${block}` }, file);
        const starts: number[] = [];
        for (let row = 0; row < n; row++) {
          for (let at = 0; at + block + 1 <= length; at += block) starts.push(row * length + at);
        }
        expect(data.n).toBe(starts.length);
        for (const indices of [all(data), wanted.map((index) => index % data.n)]) {
          expect(await samples(data, indices)).toEqual(
            [0, 1].map((by) =>
              indices.map((i) => Array.from(tokens.subarray(starts[i]! + by, starts[i]! + by + block))),
            ),
          );
        }
      }),
      { numRuns: 200, seed: 5 },
    );
  });
});

describe("a folder", () => {
  it("of nanoGPT: train.bin, val.bin", async () => {
    const train = await open("shakespeare", "tokens=3");
    expect(train).toMatchObject({ n: 3, split: "train", source: "shakespeare" });
    expect(train.sha256).toBe(createHash("sha256").update(contents["shakespeare/train.bin"]!).digest("hex"));
    const val = await open("shakespeare", "tokens=3", { split: "val" });
    expect(await samples(val)).toEqual([
      [
        [5, 6, 7],
        [8, 9, 10],
      ],
      [
        [6, 7, 8],
        [9, 10, 11],
      ],
    ]);
    await expect(open("shakespeare", "tokens=3", { split: "test" })).rejects.toThrow(
      new UsageError("shakespeare: no split test. It has: train, val."),
    );
  });
});

describe("what is refused", () => {
  const how = "tokens become samples by --preprocess tokens=T, T how many a sample has, and no other step.";
  const cases: [source: string, preprocess: string | undefined, error: Error][] = [
    ["tokens.bin", undefined, new UsageError(`tokens.bin: ${how}`)],
    ["tokens.bin", "scale=2", new UsageError(`tokens.bin: ${how}`)],
    ["tokens.bin", "tokens=3,scale=2", new UsageError(`tokens.bin: ${how}`)],
    ["tokens.npy", "flatten,tokens=3", new UsageError(`tokens.npy: ${how}`)],
    ...["0", "x", "3:int64", "-1", ":", "1.5"].map((value): [string, string, Error] => [
      "tokens.bin",
      `tokens=${value}`,
      new UsageError(
        `preprocess tokens=${value}: expected a number of tokens, and for a .bin file their type: tokens=256:uint32.`,
      ),
    ]),
    [
      "tokens.npy",
      "tokens=3:uint16",
      new UsageError(
        "preprocess tokens=3:uint16: tokens.npy says itself which type its tokens have: leave uint16 out.",
      ),
    ],
    [
      "tokens.bin",
      "tokens",
      new UsageError(
        "preprocess tokens: tokens.bin is one stream of 11 tokens: write how many make a sample, tokens=256.",
      ),
    ],
    ["tokens.bin", "tokens=11", new DataError("tokens.bin: expected 12 tokens or more for samples of 11, have 11.")],
    [
      "rows.npy",
      "tokens=4",
      new DataError("rows.npy: expected 5 tokens or more in a row for samples of 4, have [2, 4]."),
    ],
    [
      "cube.npy",
      "tokens=1",
      new DataError(
        "cube.npy: expected tokens, whole numbers in one stream [N] or in rows [n, T+1], have uint8 [1, 2, 3].",
      ),
    ],
    [
      "floats.npy",
      "tokens=1",
      new DataError(
        "floats.npy: expected tokens, whole numbers in one stream [N] or in rows [n, T+1], have float32 [4].",
      ),
    ],
    [
      "longer.npy",
      "tokens=1",
      new DataError(
        "longer.npy: expected 22 bytes of data after byte 128, have 23: the file is damaged, or holds a second array.",
      ),
    ],
    [
      "odd.bin",
      "tokens=1",
      new DataError("odd.bin: 31 bytes are no whole number of uint16 tokens: truncated or damaged."),
    ],
    [
      "cut.bin",
      "tokens=1",
      new DataError("cut.bin: expected 24 bytes for 12 uint16 tokens after byte 1024, have 22: truncated or damaged."),
    ],
    ["gpt2.bin", "tokens=1:uint32", new DataError("gpt2.bin: its header says uint16 tokens, and not uint32.")],
    [
      "wide.bin",
      "tokens=1",
      new DataError(
        "wide.bin: as uint16, every other number is below 4: these look like uint32 tokens; " +
          "write --preprocess tokens=T:uint32, or tokens=T:uint16 if they are not.",
      ),
    ],
    ["named.npz", "tokens=1", new DataError("named.npz: no array tokens. It has: a, b.")],
    ["none.bin", "tokens=1", new DataError("none.bin: no such file or directory.")],
  ];
  test.each(cases)("%s %s", async (source, preprocess, error) => {
    await expect(open(source, preprocess)).rejects.toThrow(error);
  });

  it("the step where there are no tokens", async () => {
    await expect(openDataset("example:digits", { preprocess: "tokens=3" })).rejects.toThrow(
      new UsageError(
        "preprocess tokens=3: expected tokens, whole numbers in a .bin, .npy or .npz file, and no other step; " +
          "here samples of x have dims [64].",
      ),
    );
  });

  it("thousands of damaged copies", async () => {
    for (const name of ["tokens.npy", "llama3.bin", "several.npz"]) {
      await survivesMutations(
        contents[name]!,
        async (bytes) => {
          const data = await openDataset(name, { preprocess: "tokens=3" }, memoryFiles({ [name]: bytes }));
          await data.read(all(data));
        },
        { runs: 1000 },
      );
    }
  });
});

describe("the disk", () => {
  it("a file of 3 GB, of which 100 samples are read, takes no memory", async () => {
    const folder = mkdtempSync(join(tmpdir(), "flatness-"));
    try {
      const path = join(folder, "train.bin");
      writeFileSync(path, bytesOf(Uint16Array.from(count(60_000))));
      // Sparse: zeros that take no place on the disk.
      truncateSync(path, 3e9);
      const before = process.memoryUsage().arrayBuffers;
      const data = await openDataset(path, { preprocess: "tokens=512" });
      const first = await samples(data, count(100, 0));
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
      expect(data).toMatchObject({ n: Math.floor((1.5e9 - 1) / 512), hashed: "names and sizes" });
      expect(first.map((blocks) => blocks.flat())).toEqual([count(51_200), count(51_200, 2)]);
      expect(await samples(data, [data.n - 1])).toEqual([[new Array(512).fill(0)], [new Array(512).fill(0)]]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("the same measurement as from arrays x and y", async () => {
    const golden = new URL("../golden/mini-gpt/", import.meta.url).pathname;
    const folder = mkdtempSync(join(tmpdir(), "flatness-"));
    try {
      const batch = parseNpz(new Uint8Array(readFileSync(`${golden}batch.npz`)), "batch.npz");
      const [x, y] = [batch.array("x").data as BigInt64Array, batch.array("y").data as BigInt64Array];
      const wholeRows = BigInt64Array.from({ length: 32 * 17 }, (_, i) => {
        const [row, column] = [Math.floor(i / 17), i % 17];
        return column < 16 ? x[row * 16 + column]! : y[row * 16 + 15]!;
      });
      const path = join(folder, "tokens.npy");
      writeFileSync(path, npyBytes(array("int64", [32, 17], wholeRows)));
      const model = `${golden}model.onnx`;
      const [expected, measured] = await Promise.all([
        measure(model, `${golden}batch.npz`, { layers: "last", threads: 1 }),
        measure(model, path, { layers: "last", threads: 1, preprocess: "tokens" }),
      ]);
      expect(measured.result.results.map(({ value }) => value)).toEqual(
        expected.result.results.map(({ value }) => value),
      );
      expect(measured.result.results.length).toBeGreaterThan(0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
