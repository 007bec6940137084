import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { describe, expect, it, test } from "vitest";
import type { ArrayOptions } from "../../src/data/array-dataset.ts";
import { cifarLayouts, readCifar, readCifarNames } from "../../src/data/cifar.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { openDataset } from "../../src/data/open.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryFiles } from "./memory-files.ts";
import { joined, tarBytes } from "./tar-bytes.ts";

/** Written by cifar/cifar.py, which says what is in them. */
const folder = new URL("./cifar/", import.meta.url).pathname;
const real = (name: string) => new Uint8Array(readFileSync(folder + name));
const realFolder = (name: string) =>
  Object.fromEntries(readdirSync(folder + name).map((file) => [`${name}/${file}`, real(`${name}/${file}`)]));

/** The pixels that cifar.py makes up. */
const pixels = (place: number, image: number) =>
  Uint8Array.from({ length: 3072 }, (_, j) => (31 * j + 7 * image + 50 * place) % 256);
const text = (...lines: string[]) => new TextEncoder().encode(lines.map((line) => `${line}\n`).join(""));
const names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const fine = Array.from({ length: 100 }, (_, i) => `fine ${i}`);
const coarse = Array.from({ length: 20 }, (_, i) => `coarse ${i}`);

/** The binary files with the same images and labels: label, or coarse and fine label, then the pixels. */
const binary10 = Object.fromEntries([
  ...Array.from({ length: 6 }, (_, place) => [
    `cifar-10-batches-bin/${place < 5 ? `data_batch_${place + 1}` : "test_batch"}.bin`,
    joined(
      Array.from({ length: place < 5 ? 2 : 3 }, (__, i) => [
        Uint8Array.of((3 * place + i) % 10),
        pixels(place, i),
      ]).flat(),
    ),
  ]),
  ["cifar-10-batches-bin/batches.meta.txt", text(...names, "")],
  ["cifar-10-batches-bin/readme.html", text("<html>")],
]) as Record<string, Uint8Array>;
const binary100: Record<string, Uint8Array> = {
  "cifar-100-binary/train.bin": joined([0, 1, 2].flatMap((i) => [Uint8Array.of(19 - i, 99 - i), pixels(0, i)])),
  "cifar-100-binary/test.bin": joined([0, 1].flatMap((i) => [Uint8Array.of(19 - i, 99 - i), pixels(1, i)])),
  "cifar-100-binary/fine_label_names.txt": text(...fine),
  "cifar-100-binary/coarse_label_names.txt": text(...coarse),
};
const python10 = realFolder("cifar-10-batches-py");
const python100 = realFolder("cifar-100-python");
const gz = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
const tar = (contents: Record<string, Uint8Array>) => tarBytes(Object.entries(contents).reverse());
const inside = (root: string, contents: Record<string, Uint8Array>) =>
  Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [`${root}/${name}`, bytes]));

const contents: Record<string, Uint8Array> = {
  ...binary10,
  ...binary100,
  ...python10,
  ...python100,
  ...inside("root10", python10),
  "root10/cifar-10-python.tar.gz": real("cifar-10-python.tar.gz"),
  ...inside("both", { ...python10, ...python100 }),
  "cifar-10-python.tar.gz": real("cifar-10-python.tar.gz"),
  "bin10.tgz": gz(tar(binary10)),
  "bin10.tar": tar(binary10),
  "bin100.tar.gz": gz(tar(binary100)),
  "py100.tar": tar(inside("./", python100)),
  "photos.tar": tarBytes([
    ["cat/1.jpg", text("")],
    ["dog/2.jpg", text("")],
  ]),
  "part.tar": tar(Object.fromEntries(Object.entries(python10).filter(([name]) => !name.endsWith("4")))),
};
const files = memoryFiles(contents);
const open = (source: string, options?: ArrayOptions) => openDataset(source, options, files);
const all = ({ n }: Dataset) => Array.from({ length: n }, (_, i) => i);
const list = async (data: Dataset, field: string) =>
  Array.from((await data.read(all(data), [field])).get(field)!.data, Number);

async function expectImages(data: Dataset, images: readonly Uint8Array[]): Promise<void> {
  const x = (await data.read(all(data), ["x"])).get("x")!;
  expect([x.type, x.dims]).toEqual(["uint8", [images.length, 3, 32, 32]]);
  expect(Buffer.compare(x.data as Uint8Array, joined(images))).toBe(0);
}

describe.each([
  "cifar-10-batches-bin",
  "cifar-10-batches-py",
  "root10",
  "cifar-10-python.tar.gz",
  "bin10.tgz",
  "bin10.tar",
])("CIFAR-10 in %s", (source) => {
  it("the training images, batch after batch", async () => {
    const data = await open(source);
    expect(data).toMatchObject({ n: 10, split: "train", classes: names });
    expect(data.fields.map(({ name }) => name)).toEqual(["x", "y"]);
    await expectImages(
      data,
      [0, 1, 2, 3, 4].flatMap((place) => [pixels(place, 0), pixels(place, 1)]),
    );
    expect(await list(data, "y")).toEqual([0, 1, 3, 4, 6, 7, 9, 0, 2, 3]);
  });

  it("the test images", async () => {
    const data = await open(source, { split: "test" });
    expect(data).toMatchObject({ n: 3, split: "test", classes: names });
    await expectImages(
      data,
      [0, 1, 2].map((i) => pixels(5, i)),
    );
    expect(await list(data, "y")).toEqual([5, 6, 7]);
  });

  it("preprocessed as torchvision does it", async () => {
    const data = await open(source, { split: "test", preprocess: "scale=255,mean=0.5:0.25:0,std=0.5" });
    const x = (await data.read([1])).get("x")!;
    const stored = pixels(5, 1);
    for (const [channel, mean] of [0.5, 0.25, 0].entries()) {
      const at = 1024 * channel + 17;
      const expected = Math.fround((Math.fround(stored[at]! / 255) - mean) / 0.5);
      expect(x.data[at]).toBe(expected);
    }
  });
});

describe.each(["cifar-100-binary", "cifar-100-python", "bin100.tar.gz", "py100.tar"])("CIFAR-100 in %s", (source) => {
  it("images, fine and coarse labels", async () => {
    const data = await open(source);
    expect(data).toMatchObject({ n: 3, split: "train", classes: fine });
    expect(data.fields.map(({ name }) => name)).toEqual(["x", "y", "coarse"]);
    await expectImages(
      data,
      [0, 1, 2].map((i) => pixels(0, i)),
    );
    expect(await list(data, "y")).toEqual([99, 98, 97]);
    expect(await list(data, "coarse")).toEqual([19, 18, 17]);
  });

  it("the coarse classes' names where those are the labels", async () => {
    const data = await open(source, { split: "test", labels: "coarse" });
    expect(data).toMatchObject({ n: 2, classes: coarse });
    await expectImages(
      data,
      [0, 1].map((i) => pixels(1, i)),
    );
  });
});

describe("the hash", () => {
  const sha256 = (...parts: Uint8Array[]) => createHash("sha256").update(joined(parts)).digest("hex");

  it("of a folder is that of the split's files", async () => {
    const five = [1, 2, 3, 4, 5].map((batch) => contents[`cifar-10-batches-py/data_batch_${batch}`]!);
    expect((await open("cifar-10-batches-py")).sha256).toBe(sha256(...five));
  });

  it("of an archive is the archive's", async () => {
    expect((await open("bin10.tar")).sha256).toBe(sha256(contents["bin10.tar"]!));
  });
});

describe("what cannot be opened", () => {
  const changed = (change: Record<string, Uint8Array | undefined>) =>
    memoryFiles(
      Object.fromEntries(Object.entries({ ...contents, ...change }).filter(([, bytes]) => bytes)) as typeof contents,
    );
  const without = (name: string) => ({ [name]: undefined });

  const cases: [what: string, source: string, change: Record<string, Uint8Array | undefined>, error: Error][] = [
    [
      "two data sets in one folder",
      "both",
      {},
      new UsageError(
        "both: holds cifar-10-batches-py, cifar-100-python: expected one; name it: both/cifar-10-batches-py.",
      ),
    ],
    [
      "an archive of something else",
      "photos.tar",
      {},
      new DataError("photos.tar: expected an archive of CIFAR-10 or CIFAR-100, have one of 1.jpg, 2.jpg."),
    ],
    [
      "an archive without a batch",
      "part.tar",
      {},
      new DataError("part.tar: no data_batch_4 in this archive, which the split train needs."),
    ],
    [
      "a folder without a batch",
      "cifar-10-batches-bin",
      without("cifar-10-batches-bin/data_batch_3.bin"),
      new DataError("cifar-10-batches-bin/data_batch_3.bin: no such file or directory."),
    ],
    [
      "a batch cut short",
      "cifar-10-batches-bin",
      { "cifar-10-batches-bin/data_batch_2.bin": binary10["cifar-10-batches-bin/data_batch_2.bin"]!.subarray(0, 6000) },
      new DataError(
        "cifar-10-batches-bin/data_batch_2.bin: expected images of 3073 bytes, the label among them, " +
          "have 6000 bytes: truncated, or not of cifar-10-batches-bin.",
      ),
    ],
    [
      "a label that is none",
      "cifar-100-binary",
      { "cifar-100-binary/train.bin": binary100["cifar-100-binary/train.bin"]!.with(3074 + 1, 100) },
      new DataError("cifar-100-binary/train.bin: byte 3075: expected a label from 0 to 99, came 100."),
    ],
    [
      "names of other classes",
      "cifar-10-batches-bin",
      { "cifar-10-batches-bin/batches.meta.txt": text("a", "b") },
      new DataError("cifar-10-batches-bin/batches.meta.txt: expected the names of 10 classes, have 2."),
    ],
    [
      "another pickle",
      "cifar-10-batches-py",
      { "cifar-10-batches-py/data_batch_1": contents["cifar-100-python/train"] },
      new DataError("cifar-10-batches-py/data_batch_1: expected a list labels of 3 labels, one an image, have none."),
    ],
    [
      "a pickle without images",
      "cifar-10-batches-py",
      { "cifar-10-batches-py/data_batch_1": contents["cifar-10-batches-py/batches.meta"] },
      new DataError("cifar-10-batches-py/data_batch_1: expected an array data of uint8 [n, 3072], have none."),
    ],
    [
      "a pickle of something else",
      "cifar-10-batches-py",
      { "cifar-10-batches-py/data_batch_1": text("N.") },
      new DataError("cifar-10-batches-py/data_batch_1: expected the pickle of a dictionary."),
    ],
    [
      "a pickle that would run a program",
      "cifar-10-batches-py",
      { "cifar-10-batches-py/data_batch_1": new TextEncoder().encode("cos\nsystem\n(S'true'\ntR.") },
      new DataError(
        "cifar-10-batches-py/data_batch_1: byte 0: names the Python object os.system, which is not read here. Nothing was executed.",
      ),
    ],
  ];
  test.each(cases)("%s", async (_, source, change, error) => {
    await expect(openDataset(source, {}, changed(change))).rejects.toThrow(error);
  });

  it("a split that there is not", async () => {
    for (const source of ["cifar-10-batches-bin", "bin10.tar"]) {
      await expect(open(source, { split: "valid" })).rejects.toThrow(
        new UsageError(`${source}: no split valid. It has: train, test.`),
      );
    }
  });

  it("folders named as CIFAR-100's files are no CIFAR", async () => {
    const folders = memoryFiles({ "photos/train/cat/1.txt": text(""), "photos/meta/a": text("") });
    await expect(openDataset("photos", {}, folders)).rejects.toThrow("photos: no data set in this directory");
  });
});

describe("thousands of damaged copies", () => {
  const held = (name: string, bytes: Uint8Array) => ({ name, size: bytes.length, bytes: async () => bytes });
  const layout = (name: string) => cifarLayouts.find((each) => each.folder === name)!;

  it("binary", async () => {
    const original = binary100["cifar-100-binary/train.bin"]!;
    await survivesMutations(original, (bytes) => readCifar(layout("cifar-100-binary"), [held("train.bin", bytes)]));
  });

  it("pickles", async () => {
    const original = contents["cifar-100-python/train"]!;
    await survivesMutations(original, (bytes) => readCifar(layout("cifar-100-python"), [held("train", bytes)]));
  });

  it("pickled names", async () => {
    await survivesMutations(contents["cifar-10-batches-py/batches.meta"]!, (bytes) =>
      readCifarNames(layout("cifar-10-batches-py"), "y", held("batches.meta", bytes)),
    );
  });

  it("an archive", async () => {
    const damagedFiles = (bytes: Uint8Array) => memoryFiles({ "a.tar.gz": bytes });
    const original = real("cifar-10-python.tar.gz");
    await survivesMutations(original, (bytes) => openDataset("a.tar.gz", {}, damagedFiles(bytes)), {
      runs: 1000,
      holds: Object.values(python10).reduce((total, { length }) => total + length, 0),
    });
  });
});

describe("the disk", () => {
  it("the folders beside this test", async () => {
    expect(existsSync(`${folder}cifar-10-batches-py`)).toBe(true);
    const data = await openDataset(`${folder}cifar-10-batches-py`, { split: "test" });
    await expectImages(
      data,
      [0, 1, 2].map((i) => pixels(5, i)),
    );
    expect((await openDataset(`${folder}cifar-10-python.tar.gz`)).n).toBe(10);
  });
});
