import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { zlibSync } from "fflate";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import { parseNpz } from "../../src/data/npz.ts";
import { openDataset } from "../../src/data/open.ts";
import { hashFiles } from "../../src/data/source-hash.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { memoryFiles, pageFile } from "./memory-files.ts";
import { png } from "./png-bytes.ts";

const here = (path: string) => new URL(path, import.meta.url);
const file = (name: string) => new Uint8Array(readFileSync(here(`images/${name}`)));
/** A grey image of one row. */
const row = (...values: number[]) => png({ width: values.length, height: 1 }, zlibSync(Uint8Array.of(0, ...values)));
const note = new TextEncoder().encode("not an image");

const files = memoryFiles({
  "pets/dog/2.png": row(7, 8),
  "pets/dog/10.png": row(5, 6),
  "pets/cat/a.PNG": row(1, 2),
  "pets/cat/deep/b.png": row(3, 4),
  "pets/cat/.hidden.png": note,
  "pets/cat/Thumbs.db": note,
  "pets/.DS_Store": note,
  "pets/README.txt": note,
  "splits/train/a/0.png": row(1),
  "splits/train/b/0.png": row(2),
  "splits/train/c/0.png": row(3),
  "splits/test/c/0.png": row(4),
  "splits/val/d/0.png": row(5),
  "vehicles/train/0.png": row(1),
  "vehicles/van/0.png": row(2),
  "sizes/a/0.png": row(1, 2),
  "sizes/a/1.png": row(1, 2, 3),
  "depths/a/0.png": row(1, 2),
  "depths/a/1.png": file("grey-16.png"),
  "deep/a/0.png": file("rgb-16.png"),
  "webp/a/0.png": row(1),
  "webp/a/1.webp": note,
  "text/a/0.png": row(1),
  "text/a/1.png": note,
  "flat/0.png": row(1),
  "photos/lying/0.jpg": file("baseline-420.jpg"),
  "photos/upright/0.png": file("rgb.png"),
  "photos/upright/1.jpeg": file("baseline-420.jpg"),
});
const open = (source: string, options?: ArrayOptions) => openDataset(source, options, files);
const values = async (source: string, options: ArrayOptions = {}) => {
  const data = await open(source, options);
  const batch = await data.read(Array.from({ length: data.n }, (_, i) => i));
  return { x: [...(batch.get("x")!.data as Uint8Array)], y: [...(batch.get("y")!.data as Int32Array)] };
};

describe("a folder a class", () => {
  it("classes and images in alphabetical order, what is no image passed over", async () => {
    const data = await open("pets");
    expect(data).toMatchObject({ source: "pets", n: 4, classes: ["cat", "dog"], preprocess: "" });
    expect(data.fields).toEqual([
      { name: "x", type: "uint8", dims: [3, 1, 2] },
      { name: "y", type: "int32", dims: [] },
    ]);
    const { x, y } = await values("pets");
    expect(y).toEqual([0, 0, 1, 1]);
    expect(x).toEqual([1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4, 5, 6, 5, 6, 5, 6, 7, 8, 7, 8, 7, 8]);
  });

  it("in any order, twice, and over a spent batch", async () => {
    const data = await open("pets", { preprocess: "channels=1" });
    const first = await data.read([3, 0, 3]);
    expect(first.get("x")).toEqual({
      name: "x",
      type: "float32",
      dims: [3, 1, 1, 2],
      data: Float32Array.of(7, 8, 1, 2, 7, 8),
    });
    const again = await data.read([1, 1, 0], ["x"], first);
    expect(again.get("x")!.data).toBe(first.get("x")!.data);
    expect(again.get("x")!.data).toEqual(Float32Array.of(3, 4, 3, 4, 1, 2));
    expect((await data.read([2], ["y"])).get("y")!.data).toEqual(Int32Array.of(1));
  });

  it("hashes names, sizes and bytes", async () => {
    const names = ["cat/a.PNG", "cat/deep/b.png", "dog/10.png", "dog/2.png"];
    const contents = [row(1, 2), row(3, 4), row(5, 6), row(7, 8)];
    const expected = createHash("sha256");
    expected.update(names.map((name, i) => `${contents[i]!.length} ${name}\n`).join(""));
    for (const content of contents) expected.update(content);
    expect((await open("pets")).sha256).toBe(expected.digest("hex"));
    expect((await open("pets")).hashed).toBeUndefined();
  });

  it("hashes names and sizes alone of a great many, and says so", async () => {
    const parts = Array.from({ length: 10_001 }, (_, i) => ({ name: `a/${i}.png`, file: pageFile("x", note) }));
    const lines = parts.map(({ name }) => `12 ${name}\n`).join("");
    expect(await hashFiles(parts, files)).toEqual({
      sha256: createHash("sha256").update(lines).digest("hex"),
      hashed: "names and sizes",
    });
  });

  it("16 bits stay 16 bits", async () => {
    const data = await open("deep");
    expect(data.fields[0]).toEqual({ name: "x", type: "uint16", dims: [3, 13, 19] });
    const truth = parseNpz(new Uint8Array(readFileSync(here("pillow-images.npz"))), "").array("rgb-16.png").data;
    const red = (await data.read([0])).get("x")!.data as Uint16Array;
    expect(Array.from({ length: 13 * 19 }, (_, i) => red[i])).toEqual(
      Array.from({ length: 13 * 19 }, (_, i) => truth[3 * i]),
    );
  });

  it("photographs of several sizes, resized and cropped to one", async () => {
    const data = await open("photos", { preprocess: "resize=12,crop=10" });
    expect(data.preprocess).toBe("resize=12,crop=10");
    const batch = await data.read([0, 1, 2]);
    expect(batch.get("x")).toMatchObject({ type: "float32", dims: [3, 3, 10, 10] });
    const [one, , three] = [0, 1, 2].map((i) => (batch.get("x")!.data as Float32Array).slice(300 * i, 300 * (i + 1)));
    expect(one).toEqual(three);
    expect(one!.every((value) => Number.isInteger(value) && value >= 0 && value <= 255)).toBe(true);
  });
});

describe("splits", () => {
  it("train unless another is asked for; the classes are train's", async () => {
    expect(await open("splits")).toMatchObject({ split: "train", n: 3, classes: ["a", "b", "c"] });
    expect(await open("splits", { split: "test" })).toMatchObject({ split: "test", n: 1, classes: ["a", "b", "c"] });
    expect(await values("splits", { split: "test" })).toEqual({ x: [4, 4, 4], y: [2] });
  });

  it("a class may be called train", async () => {
    const data = await open("vehicles");
    expect(data.split).toBeUndefined();
    expect(data.classes).toEqual(["train", "van"]);
  });
});

describe("errors", () => {
  const cases: [source: string, options: ArrayOptions, error: Error][] = [
    ["splits", { split: "dev" }, new UsageError("splits: no split dev. It has: test, train, val.")],
    ["pets", { split: "train" }, new UsageError("pets: no split train: this source has no splits; leave it out.")],
    [
      "splits",
      { split: "val" },
      new DataError("splits/val/d: expected a class of splits/train, which has 3 folders and none of this name."),
    ],
    ["webp", {}, new DataError("webp/a/1.webp: expected PNG and JPEG images only: convert it, or move it away.")],
    ["pets", { input: "pixels" }, new DataError("pets: no array pixels. It has: x uint8 (n, 3, 1, 2); y int32 (n).")],
    ["pets", { labels: "breed" }, new DataError("pets: no array breed. It has: x uint8 (n, 3, 1, 2); y int32 (n).")],
    [
      "pets",
      { preprocess: "crop=4" },
      new UsageError(
        "pets/cat/a.PNG: preprocess crop=4: 4 × 4 is not inside 1 × 2: resize or pad before; a sample of x has dims [3, 1, 2] here.",
      ),
    ],
  ];
  test.each(cases)("%s %j", async (source, options, error) => {
    await expect(open(source, options)).rejects.toThrow(error);
  });

  it("a folder without folders is none", async () => {
    await expect(open("flat")).rejects.toThrow("flat: no data set in this directory: expected ");
  });

  const reading: [source: string, options: ArrayOptions, message: string][] = [
    [
      "sizes",
      {},
      "sizes/a/1.png: an image of 3 × 1 pixels becomes [3, 1, 3], sizes/a/0.png of 2 × 1 [3, 1, 2]: samples need one shape; let --preprocess begin with resize=HxW, or with resize=S,crop=S.",
    ],
    [
      "sizes",
      { preprocess: "resize=2" },
      "sizes/a/1.png: an image of 3 × 1 pixels becomes [3, 2, 6], sizes/a/0.png of 2 × 1 [3, 2, 4]: samples need one shape; let --preprocess begin with resize=HxW, or with resize=S,crop=S.",
    ],
    [
      "depths",
      { preprocess: "resize=2x2" },
      "depths/a/1.png: 16 bits a channel, depths/a/0.png has 8: expected one depth; convert one of them.",
    ],
    [
      "text",
      {},
      "text/a/1.png: byte 0: expected a PNG (89 50 4e 47) or JPEG file (ff d8), came 6e 6f 74 20: convert it to PNG.",
    ],
  ];
  test.each(reading)("on reading %s %j", async (source, options, message) => {
    const data = await open(source, options);
    await expect(data.read([0, 1])).rejects.toThrow(new DataError(message));
    await data.read([1], ["y"]);
  });
});

it("from the disk", async () => {
  const folder = mkdtempSync(join(tmpdir(), "flatness-"));
  try {
    for (const [name, from] of [
      ["b/0.jpg", "grey.jpg"],
      ["a/x/0.JPEG", "rgb.png"],
    ] as const) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), file(from));
    }
    const data = await openDataset(`${folder}/`, { preprocess: "resize=8x8" });
    expect(data).toMatchObject({ n: 2, classes: ["a", "b"] });
    expect((await data.read([1, 0])).get("y")!.data).toEqual(Int32Array.of(1, 0));
    rmSync(join(folder, "b/0.jpg"));
    await expect(data.read([1])).rejects.toThrow(new DataError(`${folder}/b/0.jpg: no such file or directory.`));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
