import { readFileSync } from "node:fs";
import { parquetWriteBuffer, type ParquetWriteOptions } from "hyparquet-writer";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../../src/data/array-dataset.ts";
import type { Files } from "../../../src/data/byte-file.ts";
import { openDataset } from "../../../src/data/open.ts";
import { parquetSets } from "../../../src/data/parquet/splits.ts";
import { DataError, UsageError } from "../../../src/errors.ts";
import { memoryFiles } from "../memory-files.ts";

type Source = ParquetWriteOptions["columnData"][number];

const written = (columnData: Source[], options: Partial<ParquetWriteOptions> = {}) =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...options } as Parameters<typeof parquetWriteBuffer>[0]));
const ints = (name: string, ...data: number[]): Source => ({ name, data: Int32Array.from(data), type: "INT32" });
const doubles = (name: string, ...data: number[]): Source => ({ name, data, type: "DOUBLE" });
const png = new Uint8Array(readFileSync(new URL("../images/rgb.png", import.meta.url)));
const jpeg = new Uint8Array(readFileSync(new URL("../images/baseline-420.jpg", import.meta.url)));
const images = (name: string, ...data: Uint8Array[]): Source => ({ name, data, type: "BYTE_ARRAY" });
const classLabels = (...columns: string[]) => {
  const features = Object.fromEntries(columns.map((name) => [name, { _type: "ClassLabel", names: ["no", "yes"] }]));
  return { kvMetadata: [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }] };
};
/** A list in each row, as HF writes it. */
const lists = (name: string, rows: number[][]): { source: Source; schema: object[] } => ({
  source: { name, data: rows },
  schema: [
    { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", type: "INT32" },
  ],
});
function withLists(columns: { source: Source; schema: object[] }[]): Uint8Array {
  const schema = [{ name: "root", num_children: columns.length }, ...columns.flatMap(({ schema }) => schema)];
  return written(
    columns.map(({ source: { name, data } }) => ({ name, data })),
    { schema: schema as ParquetWriteOptions["schema"] },
  );
}
const flat = (source: Source) => ({
  source,
  schema: [{ name: source.name, repetition_type: "REQUIRED", type: source.type }],
});

const contents = {
  "table.parquet": written([doubles("height", 1.5, 2.5, 3.5), ints("label", 1, 0, 1), ints("age", 7, 8, 9)]),
  "named.parquet": written([ints("x", 1, 2), ints("y", 0, 1), ints("label", 5, 6)]),
  "classed.parquet": written([ints("a", 1, 2), ints("fine", 0, 1)], classLabels("fine")),
  "two-classed.parquet": written(
    [ints("a", 1, 2), ints("fine", 0, 1), ints("coarse", 1, 1)],
    classLabels("fine", "coarse"),
  ),
  "pixels.parquet": withLists([
    flat(ints("id", 1, 2)),
    lists("pixels", [
      [1, 2, 3],
      [4, 5, 6],
    ]),
    flat(ints("label", 1, 0)),
  ]),
  "tokens.parquet": withLists([
    lists("input_ids", [
      [1, 2],
      [3, 4],
    ]),
    lists("attention_mask", [
      [1, 1],
      [1, 0],
    ]),
    flat(ints("label", 1, 0)),
  ]),
  "ragged.parquet": withLists([
    lists("pixels", [
      [1, 2, 3],
      [4, 5],
    ]),
    flat(ints("label", 1, 0)),
  ]),
  "later.parquet": withLists([lists("pixels", [[1, 2], [3, 4], [5]]), flat(ints("label", 1, 0, 1))]),
  "pictures.parquet": written([images("img", png, jpeg), ints("label", 1, 0)]),
  "pairs.parquet": written([images("left", png), images("right", png), ints("label", 1)]),
  "words.parquet": written([{ name: "text", data: ["a", "b"], type: "STRING" }]),
  "empty.parquet": written([ints("x"), ints("y")]),
  "nan.parquet": written([doubles("x", 1, Number.NaN), ints("y", 0, 1)]),
  "shards/train-00000-of-00002.parquet": written([ints("x", 1, 2, 3), ints("y", 0, 1, 0)], { rowGroupSize: 2 }),
  "shards/train-00001-of-00002.parquet": written([ints("x", 4, 5), ints("y", 1, 1)], { rowGroupSize: 1 }),
  "shards/test-00000-of-00001-a09b74b3ef9c3b56.parquet": written([ints("x", 9), ints("y", 1)]),
  "repository/data/validation.parquet": written([ints("x", 7), ints("y", 1)]),
  "repository/README.md": new Uint8Array(3),
  "parts/part-0.parquet": written([ints("x", 1), ints("y", 0)]),
  "parts/part-1.parquet": written([ints("x", 2), ints("y", 1)]),
  "unlike/part-0.parquet": written([ints("x", 1), ints("y", 0)]),
  "unlike/part-1.parquet": written([doubles("x", 2), ints("y", 1)]),
  "missing/train-00001-of-00002.parquet": written([ints("x", 1), ints("y", 0)]),
};
const files = memoryFiles(contents);
const open = (source: string, options?: ArrayOptions) => openDataset(source, options, files);
async function arrays(source: string, options?: ArrayOptions) {
  const data = await open(source, options);
  const batch = await data.read(Array.from({ length: data.n }, (_, i) => i));
  return Object.fromEntries([...batch].map(([name, array]) => [name, Array.from(array.data as Float64Array)]));
}

describe("which columns are x and y", () => {
  it("single numbers side by side, but not the labels", async () => {
    expect((await open("table.parquet")).fields.slice(0, 2)).toEqual([
      { name: "x", type: "float32", dims: [2] },
      { name: "y", type: "int32", dims: [] },
    ]);
    expect(await arrays("table.parquet")).toEqual({
      x: [1.5, 7, 2.5, 8, 3.5, 9],
      y: [1, 0, 1],
      height: [1.5, 2.5, 3.5],
      age: [7, 8, 9],
    });
  });

  it("what is called x and y, before any other", async () => {
    expect(await arrays("named.parquet")).toEqual({ x: [1, 2], y: [0, 1], label: [5, 6] });
  });

  it("what the user names, under that name", async () => {
    expect(await arrays("table.parquet", { input: "age", labels: "height" })).toEqual({
      age: [7, 8, 9],
      height: [1.5, 2.5, 3.5],
      label: [1, 0, 1],
    });
  });

  it("the only column with names of classes", async () => {
    const data = await open("classed.parquet");
    expect(data.classes).toEqual(["no", "yes"]);
    expect(await arrays("classed.parquet")).toEqual({ x: [1, 2], y: [0, 1], a: [1, 2] });
    expect((await open("two-classed.parquet")).fields.map(({ name }) => name)).not.toContain("y");
    const chosen = await open("two-classed.parquet", { labels: "coarse" });
    expect(chosen.classes).toEqual(["no", "yes"]);
  });

  it("the only list, before single numbers", async () => {
    expect(await arrays("pixels.parquet")).toEqual({ x: [1, 2, 3, 4, 5, 6], y: [1, 0], id: [1, 2] });
    const scaled = await arrays("pixels.parquet", { preprocess: "shape=3x1,scale=2" });
    expect(scaled["x"]).toEqual([0.5, 1, 1.5, 2, 2.5, 3]);
    expect((await open("pixels.parquet", { preprocess: "shape=3x1,scale=2" })).fields[0]).toEqual({
      name: "x",
      type: "float32",
      dims: [3, 1],
    });
  });

  it("several lists keep their names, for a model of several inputs", async () => {
    expect(await arrays("tokens.parquet")).toEqual({
      input_ids: [1, 2, 3, 4],
      attention_mask: [1, 1, 1, 0],
      y: [1, 0],
    });
    await expect(open("tokens.parquet", { preprocess: "scale=2" })).rejects.toThrow(
      new DataError(
        "tokens.parquet: several columns may be the input to preprocess: say which, --input NAME=COLUMN. It has: input_ids (lists of int32), attention_mask (lists of int32), label (int32).",
      ),
    );
  });

  it("images that are bytes alone, PNG and JPEG mixed", async () => {
    const data = await open("pictures.parquet", { preprocess: "resize=9x9" });
    expect((await data.read([0, 1])).get("x")!.dims).toEqual([2, 3, 9, 9]);
    expect((await open("pairs.parquet")).fields.map(({ name }) => name)).toEqual(["y"]);
    expect((await open("pairs.parquet", { input: "right" })).fields.map(({ name }) => name)).toEqual(["right", "y"]);
  });
});

describe("several files", () => {
  it("are one after the other, a split each", async () => {
    expect(await arrays("shards")).toEqual({ x: [1, 2, 3, 4, 5], y: [0, 1, 0, 1, 1] });
    expect((await open("shards")).split).toBe("train");
    expect(await arrays("shards", { split: "test" })).toEqual({ x: [9], y: [1] });
    expect(await arrays("parts")).toEqual({ x: [1, 2], y: [0, 1] });
    expect((await open("parts")).split).toBeUndefined();
    expect(await arrays("repository", { split: "validation" })).toEqual({ x: [7], y: [1] });
  });

  it("in any order, each group of rows read once, the last two kept", async () => {
    const reads: string[] = [];
    const counting: Files = {
      ...files,
      async open(path, directory) {
        const file = await files.open(path, directory);
        return {
          name: file.name,
          size: file.size,
          stream: () => file.stream(),
          slice(start, end) {
            reads.push(`${path.slice(6, 11)} ${start}`);
            return file.slice(start, end);
          },
        };
      },
    };
    const data = await openDataset("shards", {}, counting);
    reads.length = 0;
    expect((await data.read([4, 0, 2, 0, 4, 1], ["x"])).get("x")!.data).toEqual(Int32Array.of(5, 1, 3, 1, 5, 2));
    // Rows 0 and 1, row 2, row 4.
    expect(new Set(reads).size).toBe(3);
    expect(reads.length).toBe(3);
    await data.read([2, 4], ["x"]);
    expect(reads.length).toBe(3);
    await data.read([1], ["x"]);
    expect(reads.length).toBe(4);
  });

  test("splits by name", () => {
    expect(parquetSets(["test.parquet", "train.parquet", "note.txt", "extra.parquet"])).toEqual([
      {
        folder: "",
        splits: new Map([
          ["extra", ["extra.parquet"]],
          ["test", ["test.parquet"]],
          ["train", ["train.parquet"]],
        ]),
      },
    ]);
    expect(parquetSets(["d/0001.parquet", "d/0000.parquet"])).toEqual([
      { folder: "d", splits: new Map([[undefined, ["0000.parquet", "0001.parquet"]]]) },
    ]);
  });

  test("splits by folder, as in the hub's own conversion", () => {
    expect(parquetSets(["en/train/0000.parquet", "en/test/0000.parquet", "fr/partial-train/0000.parquet"])).toEqual([
      {
        folder: "en",
        splits: new Map([
          ["test", ["test/0000.parquet"]],
          ["train", ["train/0000.parquet"]],
        ]),
      },
      { folder: "fr", splits: new Map([["partial-train", ["partial-train/0000.parquet"]]]) },
    ]);
  });
});

describe("errors", () => {
  const cases: [source: string, options: ArrayOptions, error: Error][] = [
    ["shards", { split: "dev" }, new UsageError("shards: no split dev. It has: test, train.")],
    [
      "table.parquet",
      { split: "train" },
      new UsageError("table.parquet: no split train: this source has no splits; leave it out."),
    ],
    ["missing", {}, new DataError("missing: train-00000-of-00002.parquet is missing, have 1 of 2.")],
    [
      "unlike",
      {},
      new DataError(
        "unlike/part-1.parquet: expected the columns of unlike/part-0.parquet, x (int32), y (int32); came x (float64), y (int32).",
      ),
    ],
    ["words.parquet", {}, new DataError("words.parquet: no column of numbers or images. It has: text (text).")],
    ["empty.parquet", {}, new DataError("empty.parquet: expected one row or more, have none.")],
    [
      "ragged.parquet",
      {},
      new DataError(
        "ragged.parquet: column pixels: the list in row 1 is not as long as those before: expected lists of one length; pad or cut them first.",
      ),
    ],
    [
      "later.parquet",
      {},
      new DataError(
        "later.parquet: column pixels: the list in row 2 is not as long as those before: expected lists of one length; pad or cut them first.",
      ),
    ],
    [
      "table.parquet",
      { preprocess: "pad=1" },
      new UsageError("preprocess pad=1: needs two axes or more; a sample of x has dims [2] here."),
    ],
  ];
  test.each(cases)("%s %j", async (source, options, error) => {
    await expect(open(source, options)).rejects.toThrow(error);
  });

  it("NaN where it is read", async () => {
    const data = await open("nan.parquet");
    await data.read([0]);
    await expect(data.read([0, 1])).rejects.toThrow(
      new DataError("nan.parquet: x: sample 1, element 0 is NaN: expected finite numbers."),
    );
  });

  it("images of several sizes that are not resized", async () => {
    const data = await open("pictures.parquet");
    await expect(data.read([1])).rejects.toThrow(
      new DataError(
        "pictures.parquet: column img: row 1: an image of 67 × 53 pixels becomes [3, 53, 67], pictures.parquet: column img: row 0 of 19 × 13 [3, 13, 19]: samples need one shape; let --preprocess begin with resize=HxW, or with resize=S,crop=S.",
      ),
    );
  });

  const whole = contents["table.parquet"];
  const patched = (from: number, ...values: number[]) => {
    const copy = whole.slice();
    copy.set(values, from < 0 ? copy.length + from : from);
    return copy;
  };
  const broken: [what: string, bytes: Uint8Array, message: RegExp | string][] = [
    ["short", whole.subarray(0, 10), "x.parquet: truncated: expected a Parquet file, have 10 bytes."],
    [
      "cut",
      whole.subarray(0, -5),
      `x.parquet: byte ${whole.length - 9}: truncated, or not a Parquet file: expected PAR1 at its end.`,
    ],
    ["encrypted", patched(-1, 0x45), "x.parquet: encrypted, which is not supported."],
    [
      "a footer longer than the file",
      patched(-8, 0xff, 0xff),
      /^x\.parquet: damaged Parquet file: byte \d+: a footer of \d+ bytes in a file of \d+\.$/,
    ],
    ["a footer that ends early", patched(-8, 9), /^x\.parquet: damaged Parquet file: byte \d+: its footer/],
  ];
  test.each(broken)("%s", async (_, bytes, message) => {
    const opening = openDataset("x.parquet", {}, memoryFiles({ "x.parquet": bytes }));
    await expect(opening).rejects.toThrow(typeof message === "string" ? new DataError(message) : message);
  });
});
