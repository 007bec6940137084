import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openDataset } from "../../src/data/open.ts";
import { DownloadError, UsageError } from "../../src/errors.ts";
import { cachedSources } from "../../src/remote/cached.ts";
import { fetchSet, isWhole, knownSet } from "../../src/remote/fetch-set.ts";
import { type KnownSet, knownSets } from "../../src/remote/known-sets.ts";
import { localData } from "../../src/remote/local-path.ts";
import { fashionMnist, hasFashionMnist } from "./fashion-mnist.ts";
import { type FileServer, serveFiles, sha256, someBytes } from "./file-server.ts";

const contents = { "a.gz": someBytes(3000, 1), "b.gz": someBytes(70_000, 2) };

let server: FileServer;
let cache = "";
let set: KnownSet;
beforeEach(async () => {
  server = await serveFiles(Object.fromEntries(Object.entries(contents).map(([name, bytes]) => [`/x/${name}`, bytes])));
  cache = mkdtempSync(join(tmpdir(), "flatness-set-"));
  const files = Object.entries(contents).map(([name, bytes]) => ({ name, bytes: bytes.length, sha256: sha256(bytes) }));
  set = { name: "letters", description: "", url: `${server.url}/x/`, files, opened: "folder" };
});
afterEach(async () => {
  await server.close();
  rmSync(cache, { recursive: true });
});
const settings = () => ({ cache, hub: "http://nowhere.invalid" });

describe("the sets", () => {
  test("lie where their publishers said, and have whole checksums", () => {
    expect(knownSets.map(({ name }) => name)).toEqual(["cifar10", "mnist", "fashion-mnist"]);
    for (const { url, files } of knownSets) {
      expect(new URL(url).pathname.endsWith("/")).toBe(true);
      for (const file of files) expect(file.sha256).toMatch(/^[0-9a-f]{64}$/);
    }
    const sums = knownSets.flatMap(({ files }) => files.map((file) => file.sha256));
    expect(new Set(sums).size).toBe(9);
  });

  test("an unknown one names those that there are", () => {
    expect(() => knownSet("imagenet")).toThrow(
      new UsageError("imagenet: no such data set. There are: cifar10, mnist, fashion-mnist."),
    );
  });
});

describe("a set", () => {
  test("is fetched whole, and only what is missing the next time", async () => {
    const first = await fetchSet(set, settings());
    expect(first.folder).toBe(join(cache, "data/letters"));
    expect(first.fetched).toEqual(set.files);
    for (const [name, bytes] of Object.entries(contents)) {
      expect(Buffer.compare(readFileSync(join(first.folder, name)), bytes)).toBe(0);
    }
    rmSync(join(first.folder, "a.gz"));
    expect(isWhole(set, first.folder)).toBe(false);
    expect((await fetchSet(set, settings())).fetched).toEqual([set.files[0]]);
    expect(isWhole(set, first.folder)).toBe(true);
    expect(server.requests.map(({ path }) => path)).toEqual(["/x/a.gz", "/x/b.gz", "/x/a.gz"]);
  });

  test("from a mirror, into a folder", async () => {
    const folder = join(cache, "elsewhere/here");
    for (const [name, bytes] of Object.entries(contents)) server.files.set(`/mirror/of/${name}`, bytes);
    const mirror = `${server.url}/mirror/of`;
    expect((await fetchSet(set, settings(), { folder, mirror })).folder).toBe(folder);
    expect(readdirSync(folder)).toEqual(["a.gz", "b.gz"]);
    expect(server.requests.map(({ path }) => path)).toEqual(["/mirror/of/a.gz", "/mirror/of/b.gz"]);
    expect(readdirSync(cache)).toEqual(["elsewhere"]);
  });

  test("is not what a mirror calls it", async () => {
    server.files.set("/x/b.gz", someBytes(70_000, 3));
    await expect(fetchSet(set, settings())).rejects.toThrow(DownloadError);
    expect(readdirSync(join(cache, "data/letters"))).toEqual(["a.gz"]);
  });

  test.each(["mirror.example.org/x", "ftp://mirror.example.org/", "file:///etc/"])("not from %s", async (mirror) => {
    await expect(fetchSet(set, settings(), { mirror })).rejects.toThrow(
      new UsageError(`${mirror}: expected an address that begins with http:// or https://.`),
    );
  });
});

test.skipIf(!hasFashionMnist)(
  "Fashion-MNIST as its publisher packed it has the checksums, and opens by its name",
  async () => {
    for (const [name, bytes] of fashionMnist()) server.files.set(`/${name}`, bytes);
    const fetched = await fetchSet(knownSet("fashion-mnist"), settings(), { mirror: server.url });
    expect(fetched.fetched).toHaveLength(4);
    const place = await localData("fashion-mnist", { settings: settings() });
    expect(place.name).toBe("fashion-mnist");
    const data = await openDataset(place.path, { split: "test" });
    const debian = await openDataset("/usr/share/datasets/fashion-mnist", { split: "test" });
    expect([data.n, data.classes?.[9]]).toEqual([10_000, "Ankle boot"]);
    const indices = [0, 5_000, 9_999];
    expect(await data.read(indices)).toEqual(await debian.read(indices));
  },
);

describe("what is in the cache", () => {
  test("nothing", async () => {
    expect(await cachedSources(settings())).toEqual([]);
  });

  test("sets, whole and in part, and commits of the hub", async () => {
    const mnist = join(cache, "data/mnist");
    const write = (path: string, bytes: number) => {
      const place = join(cache, path);
      mkdirSync(dirname(place), { recursive: true });
      writeFileSync(place, new Uint8Array(bytes));
    };
    write("data/mnist/t10k-labels-idx1-ubyte.gz", 4542);
    write("data/mnist/train-images-idx3-ubyte.gz.part/content", 700);
    write("data/mnist/train-images-idx3-ubyte.gz.part/validator", 5);
    write("data/other/x.gz", 10);
    const commit = "0123456789abcdef0123456789abcdef01234567";
    write(`hub/models/o/m/files/${commit}/onnx/model.onnx`, 100);
    write(`hub/models/o/m/files/${commit}/onnx/model.onnx.data`, 900);
    write(`hub/models/o/m/trees/${commit}/entries.json`, 50);
    write(`hub/datasets/o/d/files/${commit}/data/train.parquet`, 30);
    expect(await cachedSources(settings())).toEqual([
      { name: "mnist", folder: mnist, files: 1, bytes: 4542, unfinished: 700, missing: 3 },
      {
        name: `hf://datasets/o/d@${commit}`,
        folder: join(cache, `hub/datasets/o/d/files/${commit}`),
        files: 1,
        bytes: 30,
        unfinished: 0,
      },
      {
        name: `hf://o/m@${commit}`,
        folder: join(cache, `hub/models/o/m/files/${commit}`),
        files: 2,
        bytes: 1000,
        unfinished: 0,
      },
    ]);
  });
});
