import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../../src/data/array-dataset.ts";
import { openDataset } from "../../../src/data/open.ts";
import { parseNpz } from "../../../src/data/npz.ts";
import { DataError, UsageError } from "../../../src/errors.ts";
import { memoryFiles } from "../memory-files.ts";

const here = (path: string) => new URL(path, import.meta.url);
const bytes = (name: string) => new Uint8Array(readFileSync(here(`files/${name}.parquet`)));
const names = readdirSync(here("files/")).map((name) => name.replace(".parquet", ""));
const files = memoryFiles(Object.fromEntries(names.map((name) => [`${name}.parquet`, bytes(name)])));
const open = (name: string, options?: ArrayOptions) => openDataset(`${name}.parquet`, options, files);
const rows = 40;
const each = (make: (row: number) => number | number[]) => Array.from({ length: rows }, (_, row) => make(row)).flat();

/** What write-files.mjs wrote. */
const truth: Readonly<Record<string, { type: string; dims?: number[]; values: (number | bigint)[] }>> = {
  bool: { type: "bool", values: each((i) => (i % 3 === 0 ? 1 : 0)) },
  int8: { type: "int8", values: each((i) => i - 20) },
  uint8: { type: "uint8", values: each((i) => (i * 37) % 256) },
  int16: { type: "int16", values: each((i) => i * 1000 - 20000) },
  uint16: { type: "uint16", values: each((i) => i * 1600) },
  int32: { type: "int32", values: each((i) => (i - 20) * 100_000_000) },
  uint32: { type: "uint32", values: each((i) => i * 100_000_000) },
  int64: { type: "int64", values: each((i) => i).map((i) => (BigInt(i) - 20n) * 10n ** 17n) },
  uint64: { type: "uint64", values: each((i) => i).map((i) => BigInt(i) * 4n * 10n ** 17n) },
  float16: { type: "float32", values: each((i) => i / 8 - 2) },
  float32: { type: "float32", values: each((i) => Math.fround(i / 7)) },
  float64: { type: "float64", values: each((i) => i / 7) },
  few: { type: "int32", values: each((i) => i % 4) },
  list: { type: "float32", dims: [3], values: each((i) => [i / 8, -i, 1]) },
  matrix: { type: "int32", dims: [2, 3], values: each((i) => [i, i + 1, 2, 3, 4, 0 - i]) },
};

/** Every column in its order, then some of them out of order. */
async function checkColumns(name: string, columns: readonly string[]) {
  for (const column of columns) {
    const { type, dims = [], values } = truth[column]!;
    const data = await open(name, { labels: column, input: "int32" });
    expect(data.n).toBe(rows);
    expect(data.fields.find((field) => field.name === column)).toEqual({ name: column, type, dims });
    const all = Array.from({ length: rows }, (_, row) => row);
    const size = values.length / rows;
    for (const indices of [all, [39, 0, 24, 23, 23, 7]]) {
      const { data: read, dims: came } = (await data.read(indices, [column])).get(column)!;
      expect(came).toEqual([indices.length, ...dims]);
      const expected = indices.flatMap((row) => values.slice(row * size, (row + 1) * size));
      expect(Array.from(read as ArrayLike<number | bigint>)).toEqual(expected);
    }
  }
}

describe("files that arrow-rs wrote", () => {
  const codecs = ["uncompressed", "snappy", "gzip", "zstd", "lz4"].flatMap((codec) => [codec, `${codec}-2`]);
  test.each([...codecs, "plain"])("%s: every column of numbers", async (name) => {
    await checkColumns(name, Object.keys(truth));
  });

  test("delta encodings", () => checkColumns("delta", ["int32", "int64", "list"]));

  test("byte stream split", async () => {
    for (const column of ["float32", "float64"]) {
      const data = await open("split", { input: column });
      const read = (
        await data.read(
          Array.from({ length: rows }, (_, row) => row),
          [column],
        )
      ).get(column)!.data;
      expect(Array.from(read as Float64Array)).toEqual(truth[column]!.values);
    }
  });

  it("what makes no samples is left out, and said when it is asked for", async () => {
    const data = await open("snappy", { input: "list", labels: "few" });
    expect(data.fields.map(({ name }) => name)).not.toContain("ragged");
    await expect(open("snappy", { input: "ragged" })).rejects.toThrow(
      new DataError(
        "snappy.parquet: column ragged.list.item: row 0 is null or empty: expected a value; fill or drop such rows first.",
      ),
    );
    await expect(open("snappy", { input: "text" })).rejects.toThrow(
      /^snappy\.parquet: column text holds text: expected numbers, lists of numbers or images\. It has: bool \(bool\), .*, list \(lists of float32\), .*, text \(text\)\.$/,
    );
    await expect(open("snappy", { labels: "kind" })).rejects.toThrow(/^snappy\.parquet: no column kind: expected /);
  });

  it("an absent value is an error when it is read", async () => {
    const data = await open("snappy", { input: "gaps", labels: "few" });
    await data.read([3], ["gaps"]);
    await expect(data.read([24], ["gaps"])).rejects.toThrow(
      new DataError(
        "snappy.parquet: column gaps: row 25 is null or empty: expected a value; fill or drop such rows first.",
      ),
    );
  });

  it("other codecs are an error that says which are read", async () => {
    await expect(open("brotli", { input: "list" })).rejects.toThrow(
      /^brotli\.parquet: column list\.list\.item: byte \d+: a page that cannot be read: compressed with BROTLI: expected UNCOMPRESSED, SNAPPY, GZIP, ZSTD, LZ4_RAW; write it anew\.$/,
    );
  });
});

describe("a Hugging Face data set of images", () => {
  const pillow = parseNpz(new Uint8Array(readFileSync(here("../pillow-images.npz"))), "pillow-images.npz");
  const images = ["rgb.png", "grey.png", "palette-4.png", "rgba.png", "interlaced-rgb.png"];

  it("has its images as x, its labels as y, and the names of its classes", async () => {
    const data = await open("photos");
    expect(data).toMatchObject({ n: 5, classes: ["cat", "dog", "eel"], preprocess: "", split: undefined });
    expect(data.fields).toEqual([
      { name: "x", type: "uint8", dims: [3, 13, 19] },
      { name: "y", type: "int64", dims: [] },
    ]);
    expect(data.sha256).toBe(
      createHash("sha256")
        .update(`${bytes("photos").length} photos.parquet\n`)
        .update(bytes("photos"))
        .digest("hex"),
    );
    const batch = await data.read([4, 0, 1, 2, 3]);
    expect(batch.get("y")!.data).toEqual(BigInt64Array.of(2n, 2n, 0n, 1n, 0n));
    const size = 13 * 19;
    for (const [place, row] of [4, 0, 1, 2, 3].entries()) {
      const pixels = (batch.get("x")!.data as Uint8Array).subarray(3 * size * place, 3 * size * (place + 1));
      const expected = pillow.array(images[row]!).data as Uint8Array;
      expect(Array.from({ length: 3 * size }, (_, i) => pixels[(i % 3) * size + Math.floor(i / 3)])).toEqual([
        ...expected,
      ]);
    }
  });

  it("preprocessed, and under the names that the user says", async () => {
    const data = await open("photos", { input: "image", labels: "label", preprocess: "resize=10x12,scale=255" });
    expect(data.preprocess).toBe("resize=10x12,scale=255");
    expect(data.fields).toEqual([
      { name: "image", type: "float32", dims: [3, 10, 12] },
      { name: "label", type: "int64", dims: [] },
    ]);
    await expect(open("photos", { labels: "image" })).rejects.toThrow(
      new DataError("photos.parquet: column image holds images: expected labels."),
    );
    await expect(open("photos", { preprocess: "crop=99" })).rejects.toThrow(
      new UsageError(
        "photos.parquet: column image: row 0: preprocess crop=99: 99 × 99 is not inside 13 × 19: resize or pad before; a sample of x has dims [3, 13, 19] here.",
      ),
    );
  });
});
