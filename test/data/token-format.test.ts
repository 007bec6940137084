import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { npyBytes } from "../../src/data/npy.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { UsageError } from "../../src/errors.ts";
import { measure } from "../../src/measure.ts";
import { memoryFiles } from "./memory-files.ts";
import { all, array, bytesOf, contents, count, open, samples } from "./token-files.ts";

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
