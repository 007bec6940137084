import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ParquetWriteOptions, parquetWriteBuffer } from "hyparquet-writer";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDataset } from "../../src/data/open.ts";
import { localData } from "../../src/remote/local-path.ts";
import { type HubServer, serveHub } from "./hub-server.ts";

const commit = "3".repeat(40);
const png = (name: string) => new Uint8Array(readFileSync(new URL(`../data/images/${name}.png`, import.meta.url)));

function imageSet(names: readonly string[], labels: readonly number[]): Uint8Array {
  const columnData = [
    { name: "image", data: names.map(png), type: "BYTE_ARRAY" },
    { name: "label", data: BigInt64Array.from(labels, BigInt), type: "INT64" },
  ];
  const features = { label: { _type: "ClassLabel", names: ["cat", "dog"] } };
  const kvMetadata = [{ key: "huggingface", value: JSON.stringify({ info: { features } }) }];
  return new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata } as unknown as ParquetWriteOptions));
}

let server: HubServer;
let cache = "";
beforeAll(async () => {
  const train = [imageSet(["rgb", "rgba"], [1, 0]), imageSet(["rgb"], [1])];
  const test = imageSet(["rgb"], [0]);
  server = await serveHub({
    "datasets/o/pets": {
      revisions: { main: commit },
      files: {
        "data/train-00000-of-00002.parquet": train[0]!,
        "data/train-00001-of-00002.parquet": train[1]!,
        "data/test-00000-of-00001.parquet": test,
      },
    },
    "datasets/o/converted": {
      revisions: { main: commit },
      files: {
        "default/train/0000.parquet": train[0]!,
        "default/train/0001.parquet": train[1]!,
        "default/test/0000.parquet": test,
      },
    },
    "datasets/o/parts": {
      revisions: { main: commit },
      files: { "part-0.parquet": train[0]!, "part-1.parquet": train[1]! },
    },
  });
  cache = mkdtempSync(join(tmpdir(), "flatness-hub-data-"));
});
afterAll(async () => {
  await server.close();
  rmSync(cache, { recursive: true });
});

const open = async (source: string, split?: string) => {
  const { path } = await localData(source, { settings: { cache, hub: server.hub.url }, waits: [], split });
  return openDataset(path, { split });
};

test.each([
  ["hf://datasets/o/pets", "data"],
  ["hf://datasets/o/converted", "default"],
])("images with labels by split: %s", async (source) => {
  for (const [split, n, labels] of [
    [undefined, 3, [1, 0, 1]],
    ["train", 3, [1, 0, 1]],
    ["test", 1, [0]],
  ] as const) {
    const data = await open(source, split);
    expect(data).toMatchObject({ n, split: split ?? "train", classes: ["cat", "dog"] });
    const arrays = await data.read([...labels.keys()], ["x", "y"]);
    expect([...arrays.get("y")!.data].map(Number)).toEqual([...labels]);
    expect(arrays.get("x")!.dims.slice(0, 2)).toEqual([n, 3]);
  }
});

test("without splits all is one", async () => {
  const data = await open("hf://datasets/o/parts");
  expect(data.n).toBe(3);
  expect(data.split).toBeUndefined();
});
