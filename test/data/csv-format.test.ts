import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import { readCsv } from "../../src/data/csv-format.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { measure } from "../../src/measure.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryFiles, pageFile } from "./memory-files.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const open = (text: string, options: ArrayOptions = {}, name = "t.csv") =>
  openDataset(name, options, memoryFiles({ [name]: utf8(text) }));

async function values(text: string, options?: ArrayOptions, name?: string) {
  const data = await open(text, options, name);
  const batch = await data.read(Array.from({ length: data.n }, (_, i) => i));
  return Object.fromEntries([...batch].map(([field, { type, dims, data: of }]) => [field, { type, dims, data: of }]));
}

const floats = (dims: number[], ...data: number[]) => ({ type: "float32", dims, data: Float32Array.from(data) });
const longs = (...data: number[]) => ({
  type: "int64",
  dims: [data.length],
  data: BigInt64Array.from(data, BigInt),
});

describe("features and labels", () => {
  it("the column called label, whatever its case and place, and all others in their order", async () => {
    for (const name of ["y", "Y", "label", "Labels", "TARGET", "class"]) {
      expect(await values(`b,${name},a\n1.5,0,-2e3\n.25,1,4.\n`)).toEqual({
        x: floats([2, 2], 1.5, -2000, 0.25, 4),
        y: longs(0, 1),
      });
    }
  });

  it("the last column where none is called so", async () => {
    expect(await values("a,b,kind\n1,2,7\n3,4,-1\n")).toEqual({ x: floats([2, 2], 1, 2, 3, 4), y: longs(7, -1) });
  });

  it("the columns that are named", async () => {
    const table = "id,a,b,price,c\nu1,1,2,0.5,3\nu2,4,5,1.5,6\n";
    expect(await values(table, { labels: "price", input: "c,a" })).toEqual({
      "c,a": floats([2, 2], 3, 1, 6, 4),
      price: floats([2], 0.5, 1.5),
    });
  });

  it("a column without a name, which is pandas' index, is no feature", async () => {
    expect(await values(",a,y\n0,5,1\n1,6,0\n")).toEqual({ x: floats([2, 1], 5, 6), y: longs(1, 0) });
  });

  it("a comma at the end of each line makes no labels", async () => {
    expect(await values("a,b,\n1,2,\n3,4,\n")).toEqual({ x: floats([2, 1], 1, 3), y: longs(2, 4) });
  });

  it("True and False are 1 and 0 as features", async () => {
    expect(await values("a,b,y\nTrue,false,1\nFalse,TRUE,0\n")).toEqual({
      x: floats([2, 2], 1, 0, 0, 1),
      y: longs(1, 0),
    });
  });

  it("blanks about a field do not count", async () => {
    expect(await values("a , y\n 1 , 2\n3,\t4 \n")).toEqual({ x: floats([2, 1], 1, 3), y: longs(2, 4) });
  });

  it("are preprocessed", async () => {
    expect(await values("a,b,y\n2,4,0\n6,8,1\n", { preprocess: "scale=2" })).toMatchObject({
      x: floats([2, 2], 1, 2, 3, 4),
    });
  });
});

describe("labels", () => {
  it("numbers with a point are targets", async () => {
    expect((await values("a,y\n1,1\n2,0.1\n")).y).toEqual(floats([2], 1, 0.1));
    expect((await values("a,y\n1,1.0\n2,0.0\n")).y).toEqual(floats([2], 1, 0));
    expect((await values("a,y\n1,1e3\n2,2\n")).y).toEqual(floats([2], 1000, 2));
  });

  it("texts are classes in sorted order", async () => {
    const data = await open('a,species\n1,virginica\n2,setosa\n3,"virginica"\n4,Iris\n');
    expect(data.classes).toEqual(["Iris", "setosa", "virginica"]);
    expect((await data.read([0, 1, 2, 3])).get("y")).toMatchObject(longs(2, 1, 2, 0));
  });

  it("texts and whole numbers are classes, all of them", async () => {
    expect((await open("a,y\n1,7\n2,A\n3,10\n")).classes).toEqual(["10", "7", "A"]);
  });

  it("more than 65 536 different numbers", async () => {
    const n = 70_000;
    const rows = Array.from({ length: n }, (_, i) => `1,${i}\n`).join("");
    const data = await open(`a,y\n${rows}`);
    expect((await data.read([n - 1])).get("y")!.data).toEqual(BigInt64Array.of(69_999n));
    await expect(open(`a,y\n${rows}2,x\n`)).rejects.toThrow(
      new DataError('t.csv: column y: expected numbers, or at most 65536 classes, have more, such as "x".'),
    );
  });
});

describe("files", () => {
  const text = "a,y\n1.5,1\n";
  const expected = { x: floats([1, 1], 1.5), y: longs(1) };

  it("in gzip, with tabs, with semicolons, with a byte order mark", async () => {
    expect(await values("a\ty\n1.5\t1\n", {}, "t.tsv")).toEqual(expected);
    expect(await values("a;y\r\n1.5;1\r\n", {}, "T.CSV")).toEqual(expected);
    expect(await values(`\ufeff${text}`)).toEqual(expected);
    const zipped = memoryFiles({ "t.csv.gz": new Uint8Array(gzipSync(text)) });
    expect((await (await openDataset("t.csv.gz", {}, zipped)).read([0])).get("x")).toMatchObject(expected.x);
  });

  it("of many chunks, with characters that lie across their ends", async () => {
    const n = 40_000;
    const rows = Array.from({ length: n }, (_, i) => `${i}.5,${1 - i},é${"漢".repeat(i % 3)}\n`).join("");
    const data = await open(`a,b,y\n${rows}`);
    expect(data).toMatchObject({ n, classes: ["é", "é漢", "é漢漢"] });
    const batch = await data.read(Array.from({ length: n }, (_, i) => i));
    expect(batch.get("x")!.data).toEqual(
      Float32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? i / 2 + 0.5 : 1 - (i - 1) / 2)),
    );
    expect(batch.get("y")!.data).toEqual(BigInt64Array.from({ length: n }, (_, i) => BigInt(i % 3)));
  });

  it("have a hash and no splits", async () => {
    const { sha256, split } = await open(text);
    expect(split).toBeUndefined();
    expect(sha256).toBe(createHash("sha256").update(text).digest("hex"));
    await expect(open(text, { split: "train" })).rejects.toThrow(
      new UsageError("t.csv: no split train: this source has no splits; leave it out."),
    );
  });
});

describe("the disk", () => {
  it("the same measurement as from arrays x and y", async () => {
    const golden = new URL("../golden/regression-mlp-1/", import.meta.url).pathname;
    const folder = mkdtempSync(join(tmpdir(), "flatness-"));
    try {
      const batch = parseNpz(new Uint8Array(readFileSync(`${golden}batch.npz`)), "batch.npz");
      const { dims, data: x } = batch.array("x");
      const y = Array.from(batch.array("y").data, Number);
      const [n, columns] = dims as [number, number];
      const header = Array.from({ length: columns }, (_, column) => `f${column}`);
      const rows = Array.from({ length: n }, (_, i) => [
        ...x.subarray(i * columns, (i + 1) * columns),
        y[i]!.toFixed(9),
      ]);
      const path = join(folder, "table.csv");
      writeFileSync(path, [[...header, "target"], ...rows].map((row) => `${row.join(",")}\n`).join(""));
      const [expected, measured] = await Promise.all([
        measure(`${golden}model.onnx`, `${golden}batch.npz`, { layers: "last", threads: 1 }),
        measure(`${golden}model.onnx`, path, { layers: "last", threads: 1 }),
      ]);
      const valuesOf = ({ result }: typeof measured) => result.results.map(({ value }) => value);
      expect(measured.result.loss.kind).toBe("squared-error-mean");
      expect(valuesOf(measured)).toEqual(valuesOf(expected));
      expect(measured.result.loss.value).toBeCloseTo(expected.result.loss.value, 6);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("what is refused", () => {
  const features = "--input NAME=COLUMN,COLUMN names the columns that are features.";
  const cases: [what: string, text: string, options: ArrayOptions, error: Error][] = [
    ["nothing", "", {}, new DataError("t.csv: empty: expected a line of column names and lines of numbers.")],
    ["a header alone", "a,y\n", {}, new DataError("t.csv: x is empty: expected one sample or more.")],
    [
      "no header",
      "5,0,0,12,3.5\n1,2,3,4,5\n",
      {},
      new DataError(
        "t.csv: line 1: expected the columns' names, came 5, 0, 0, 12, …: write a line of names before it.",
      ),
    ],
    ["two columns of one name", "a,b,a\n", {}, new DataError("t.csv: line 1: two columns are called a.")],
    [
      "labels alone",
      "y\n1\n",
      {},
      new DataError("t.csv: expected a column of labels and one of features or more, have y."),
    ],
    [
      "two columns that could be labels",
      "x,y,class\n1,2,3\n",
      {},
      new UsageError("t.csv: the labels could be y or class: name the column that is meant: --labels COLUMN."),
    ],
    ["labels that are not there", "a,b\n1,2\n", { labels: "c" }, new DataError("t.csv: no column c. It has: a, b.")],
    [
      "labels that are not there, among many columns",
      `${Array.from({ length: 30 }, (_, i) => (i === 0 ? "n".repeat(50) : `c${i}`)).join()}\n${"1,".repeat(29)}1\n`,
      { labels: "c" },
      new DataError(
        `t.csv: no column c. It has: ${"n".repeat(40)}…, ${Array.from({ length: 19 }, (_, i) => `c${i + 1}`).join(", ")} and 10 more.`,
      ),
    ],
    ["features that are not there", "a,b\n1,2\n", { input: "a,c" }, new DataError("t.csv: no column c. It has: a, b.")],
    [
      "labels among the features",
      "a,b\n1,2\n",
      { input: "a,b" },
      new UsageError("t.csv: column b is the labels, and cannot be a feature as well."),
    ],
    [
      "labels called as the features are",
      "x,b\n1,2\n",
      { labels: "x" },
      new UsageError("t.csv: column x: x is what the features are called: rename it."),
    ],
    [
      "too few fields",
      "a,b,y\n1,2,3\n4,5\n",
      {},
      new DataError("t.csv: line 3: expected 3 fields, as the header has, have 2."),
    ],
    [
      "too many fields",
      "a,b,y\n1,2,3,\n",
      {},
      new DataError("t.csv: line 2: expected 3 fields, as the header has, have 4."),
    ],
    [
      "a feature in words",
      'a,name,y\n1,"Braund,\nMr. Owen",3\n',
      {},
      new DataError(`t.csv: line 2, column name: expected a number, came "Braund,\\nMr. Owen"; ${features}`),
    ],
    [
      "a feature that is missing",
      "a,b,y\n1,2,3\n1,,3\n",
      {},
      new DataError("t.csv: line 3, column b: expected a number, came nothing: fill in or leave out what is missing."),
    ],
    [
      "a feature that is NaN",
      "a,b,y\n1,NaN,3\n",
      {},
      new DataError("t.csv: line 2, column b: expected a number, came NaN: fill in or leave out what is missing."),
    ],
    [
      "a label that is missing",
      "a,y\n1, \n",
      {},
      new DataError("t.csv: line 2, column y: expected a label, came nothing: fill in or leave out what is missing."),
    ],
    [
      "words and fractions as labels",
      "a,y\n1,0.5\n1,high\n",
      {},
      new DataError('t.csv: column y: expected numbers or classes, have 0.5 as well as "high".'),
    ],
    [
      "hexadecimal",
      "a,y\n0x10,1\n",
      {},
      new DataError(`t.csv: line 2, column a: expected a number, came "0x10"; ${features}`),
    ],
    [
      "a decimal comma",
      'a,y\n"1,5",1\n',
      {},
      new DataError(`t.csv: line 2, column a: expected a number, came "1,5"; ${features}`),
    ],
    [
      "infinity",
      "a,y\nInfinity,1\n",
      {},
      new DataError(`t.csv: line 2, column a: expected a number, came "Infinity"; ${features}`),
    ],
    [
      "more than float32",
      "a,y\n1e39,1\n",
      {},
      new DataError(`t.csv: line 2, column a: expected a number, came "1e39"; ${features}`),
    ],
  ];
  test.each(cases)("%s", async (_, text, options, error) => {
    await expect(open(text, options)).rejects.toThrow(error);
  });

  it("text that is not UTF-8", async () => {
    const latin1 = Uint8Array.of(...utf8("a,y\n1,caf"), 0xe9, 0x0a);
    await expect(openDataset("t.csv", {}, memoryFiles({ "t.csv": latin1 }))).rejects.toThrow(
      new DataError("t.csv: among the 11 bytes before byte 11: expected UTF-8 text; save the table as that."),
    );
  });

  it("gzip that is cut", async () => {
    const cut = new Uint8Array(gzipSync("a,y\n1,2\n")).subarray(0, 20);
    await expect(openDataset("t.csv.gz", {}, memoryFiles({ "t.csv.gz": cut }))).rejects.toThrow(
      "t.csv.gz: damaged or truncated gzip",
    );
  });

  it("thousands of damaged copies, plain and in gzip", async () => {
    const rows = Array.from({ length: 40 }, (_, i) => `${i / 4},${i},"class ${i % 3}"\r\n`);
    const bytes = utf8(`a,"b",label\r\n${rows.join("")}`);
    await survivesMutations(bytes, (damaged) => readCsv(pageFile("t.csv", damaged), {}));
    await survivesMutations(new Uint8Array(gzipSync(bytes)), (damaged) => readCsv(pageFile("t.csv.gz", damaged), {}), {
      runs: 500,
      holds: bytes.length,
    });
  });
});
