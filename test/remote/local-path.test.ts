import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { DownloadError, ModelError, UsageError } from "../../src/errors.ts";
import { readModel } from "../../src/graph/files.ts";
import { filesBelow } from "../../src/remote/files.ts";
import { knownSets } from "../../src/remote/known-sets.ts";
import { localData, localModel } from "../../src/remote/local-path.ts";
import { addingModel, type Field, message, tensorProto } from "../graph/onnx-bytes.ts";
import { type FakeRepository, type HubServer, LFS_BYTES, serveHub } from "./hub-server.ts";
import { sha256, someBytes } from "./file-server.ts";

const first = "1111111111111111111111111111111111111111";
const second = "2222222222222222222222222222222222222222";
const revisions = { main: second, v1: first };

const golden = new Uint8Array(readFileSync(new URL("../golden/digits-mlp-relu/model.onnx", import.meta.url)));
/** y = x + c, where c lies in a file of this name. */
function modelWithData(location: string): Uint8Array {
  const entries = Object.entries({ location, offset: "4", length: "8" });
  const data = entries.map(([key, value]): Field => [13, message([1, key], [2, value])]);
  return addingModel(tensorProto("c", 1, [2], ...data, [14, 1]));
}
const floats = new Uint8Array(Float32Array.of(9, 1.5, -2).buffer);

const parquet = Object.fromEntries(
  ["train-00000-of-00002", "train-00001-of-00002", "test-00000-of-00001"].map((name, index) => [
    `data/${name}.parquet`,
    someBytes(LFS_BYTES + 500, index),
  ]),
);
const converted = Object.fromEntries(
  ["en/train/0000", "en/test/0000", "fr/train/0000"].map((name, index) => [`${name}.parquet`, someBytes(60, index)]),
);

const repositories: Readonly<Record<string, FakeRepository>> = {
  "models/o/mlp": { revisions, files: { "README.md": someBytes(30), "onnx/model.onnx": golden } },
  "models/o/two": { revisions, files: { "a.onnx": golden, "onnx/b.onnx": golden } },
  "models/o/none": { revisions, files: { "README.md": someBytes(30) } },
  "models/o/external": {
    revisions,
    files: {
      "onnx/model.onnx": modelWithData("model.onnx.data"),
      "onnx/model.onnx.data": floats,
      "deep/model.onnx": modelWithData("weights/./c.bin"),
      "deep/weights/c.bin": floats,
      "lost.onnx": modelWithData("gone.bin"),
      "far.onnx": modelWithData("nowhere/gone.bin"),
      "out.onnx": modelWithData("../secret.bin"),
    },
  },
  "models/o/private": { revisions, files: { "model.onnx": golden }, token: "secret" },
  "models/o/odd": { revisions, files: { "a #1%.onnx": golden } },
  "datasets/o/parquet": { revisions, files: { "README.md": someBytes(30), ...parquet } },
  "datasets/o/converted": { revisions: { ...revisions, "refs/convert/parquet": first }, files: converted },
  "datasets/o/arrays": { revisions, files: { "batch.npz": someBytes(50), "more/table.csv": someBytes(50) } },
};

let server: HubServer;
let cache = "";
beforeEach(async () => {
  server = await serveHub(repositories);
  cache = mkdtempSync(join(tmpdir(), "flatness-hub-"));
});
afterEach(async () => {
  await server.close();
  rmSync(cache, { recursive: true });
});
const options = (token?: string) => ({ settings: { cache, hub: server.hub.url, token }, waits: [] });
const asked = () => server.hub.requests.map(({ path }) => path.replace(/\?.*/, ""));
const inCache = (path: string) => relative(cache, path);

describe("a model of the hub", () => {
  test("is fetched once, and called by its commit", async () => {
    const seen: string[] = [];
    const onDownload = (file: string) => void seen.push(file);
    const { path, name } = await localModel("hf://o/mlp/onnx/model.onnx", { ...options(), onDownload });
    expect(name).toBe(`hf://o/mlp@${second}/onnx/model.onnx`);
    expect(inCache(path)).toBe(`hub/models/o/mlp/files/${second}/onnx/model.onnx`);
    expect(Buffer.compare(readFileSync(path), golden)).toBe(0);
    expect(new Set(seen)).toEqual(new Set(["onnx/model.onnx"]));
    expect(asked()).toEqual([
      "/api/models/o/mlp/revision/main",
      `/api/models/o/mlp/tree/${second}`,
      `/api/models/o/mlp/tree/${second}/onnx`,
      `/o/mlp/resolve/${second}/onnx/model.onnx`,
    ]);
    expect(await localModel("hf://o/mlp/onnx/model.onnx", options())).toEqual({ path, name });
    // Only what main is now is asked again.
    expect(asked().slice(4)).toEqual(["/api/models/o/mlp/revision/main"]);
  });

  test("at a commit in the cache needs no connection; one that is not there says so", async () => {
    const pinned = `hf://o/mlp/onnx/model.onnx@${second}`;
    const { path, name } = await localModel(pinned, options());
    const settings = options();
    await server.close();
    expect(await localModel(pinned, settings)).toEqual({ path, name });
    await expect(localModel("hf://o/mlp/onnx/model.onnx", settings)).rejects.toThrow(
      new RegExp(
        `^hf://o/mlp@main/onnx/model.onnx: no connection to ${server.hub.url}: .*ECONNREFUSED.*; ` +
          "an address with a commit whose files are in the cache needs no connection.$",
      ),
    );
  });

  test("at a tag is that of the tag", async () => {
    const { path, name } = await localModel("hf://o/mlp/onnx/model.onnx@v1", options());
    expect(name).toBe(`hf://o/mlp@${first}/onnx/model.onnx`);
    expect(inCache(path)).toContain(first);
  });

  test("is the only .onnx file where none is named", async () => {
    const { path, name } = await localModel("hf://o/mlp", options());
    expect(name).toBe(`hf://o/mlp@${second}/onnx/model.onnx`);
    expect(existsSync(path)).toBe(true);
    // The answer is an address itself, of which everything is there.
    const before = asked().length;
    expect(await localModel(name, options())).toEqual({ path, name });
    expect(asked().length).toBe(before);
    expect((await localModel("hf://o/two/onnx", options())).name).toBe(`hf://o/two@${second}/onnx/b.onnx`);
  });

  test.each([
    ["onnx/model.onnx", "onnx/model.onnx.data"],
    ["deep/model.onnx", "deep/weights/c.bin"],
  ])("%s brings the data that it names", async (model, data) => {
    const { path } = await localModel(`hf://o/external/${model}`, options());
    expect(readModel(path).graph.constants.get("c")!.data).toEqual(Float32Array.of(1.5, -2));
    expect(asked()).toContain(`/o/external/resolve/${second}/${data}`);
  });

  test.each([
    ["lost.onnx", "its data lies in gone.bin, and there is no such file beside it"],
    ["far.onnx", "its data lies in nowhere/gone.bin, and there is no such file beside it"],
    ["out.onnx", "its data lies in ../secret.bin, outside the model's folder"],
  ])("%s, whose data is not there, is refused when it is read", async (model, sentence) => {
    const { path } = await localModel(`hf://o/external/${model}`, options());
    const constant = readModel(path).graph.constants.get("c")!;
    expect(() => constant.bytes).toThrow(ModelError);
    expect(() => constant.bytes).toThrow(sentence);
  });

  test("has a name with any characters", async () => {
    const { path } = await localModel("hf://o/odd/a #1%.onnx", options());
    expect(Buffer.compare(readFileSync(path), golden)).toBe(0);
  });

  test("that was cut short is gone on with", async () => {
    server.storage.mishaps = [{ cutAfter: 5000 }];
    await expect(localModel("hf://o/mlp", options())).rejects.toThrow(DownloadError);
    expect((await filesBelow(cache)).some(({ path }) => path.endsWith("model.onnx"))).toBe(false);
    await localModel("hf://o/mlp", options());
    expect(server.storage.requests.map(({ status }) => status)).toEqual([200, 206]);
  });

  test("that the hub describes otherwise than it is, is refused", async () => {
    server.storage.files.set = () => server.storage.files;
    Map.prototype.set.call(server.storage.files, `/lfs/${sha256(golden)}`, golden.with(100, golden[100]! ^ 1));
    await expect(localModel("hf://o/mlp", options())).rejects.toThrow("onnx/model.onnx: damaged: expected sha256");
    expect((await filesBelow(cache)).some(({ path }) => path.endsWith(".onnx"))).toBe(false);
  });
});

describe("a private model", () => {
  const source = "hf://o/private/model.onnx";

  test("is fetched with the token, which only the hub sees", async () => {
    await localModel(source, options("secret"));
    expect(server.hub.requests.map(({ headers }) => headers.authorization)).toEqual(Array(3).fill("Bearer secret"));
    expect(server.storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });

  test("without a token, or with a wrong one, is refused", async () => {
    await expect(localModel(source, options())).rejects.toThrow(
      new DownloadError(
        "hf://o/private@main/model.onnx: no such repository, or a private or gated one: set HF_TOKEN to a token that may read it.",
      ),
    );
    await expect(localModel(source, options("guess"))).rejects.toThrow(
      new DownloadError(
        "hf://o/private@main/model.onnx: no such repository, or a private or gated one: HF_TOKEN may not read it.",
      ),
    );
  });
});

describe("a data set of the hub", () => {
  test("is the Parquet files of its train split, in the hub's layout", async () => {
    const { path, name } = await localData("hf://datasets/o/parquet", options());
    expect(name).toBe(`hf://datasets/o/parquet@${second}/data`);
    expect(inCache(path)).toBe(`hub/datasets/o/parquet/files/${second}/data`);
    const before = asked().length;
    expect(await localData(name, options())).toEqual({ path, name });
    expect(asked().length).toBe(before);
    const files = await filesBelow(path);
    expect(files.map((file) => file.path)).toEqual(["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"]);
    for (const file of files) {
      expect(Buffer.compare(readFileSync(join(path, file.path)), parquet[`data/${file.path}`]!)).toBe(0);
    }
  });

  test("or of another", async () => {
    const { path } = await localData("hf://datasets/o/parquet", { ...options(), split: "test" });
    expect((await filesBelow(path)).map((file) => file.path)).toEqual(["test-00000-of-00001.parquet"]);
  });

  test("or of a folder, where each split is a folder itself", async () => {
    const source = "hf://datasets/o/converted@refs/convert/parquet/en";
    const { path, name } = await localData(source, { ...options(), split: "test" });
    expect(name).toBe(`hf://datasets/o/converted@${first}/en`);
    expect((await filesBelow(path)).map((file) => file.path)).toEqual(["test/0000.parquet"]);
  });

  test("or one file, whatever it is", async () => {
    const { path, name } = await localData("hf://datasets/o/arrays/batch.npz", options());
    expect(name).toBe(`hf://datasets/o/arrays@${second}/batch.npz`);
    expect(readFileSync(path).length).toBe(50);
  });

  test.each([
    ["hf://datasets/o/parquet", "dev", "hf://datasets/o/parquet@2…: no split dev. It has: test, train."],
    [
      "hf://datasets/o/converted",
      undefined,
      "hf://datasets/o/converted@2…: it has several configurations: name one of " +
        "hf://datasets/o/converted@2…/en, hf://datasets/o/converted@2…/fr.",
    ],
    [
      "hf://datasets/o/arrays",
      undefined,
      "hf://datasets/o/arrays@2…: no Parquet files: name a file, or the hub's own conversion, hf://datasets/o/arrays@refs/convert/parquet.",
    ],
    ["hf://o/mlp", undefined, "hf://o/mlp: a model: expected data, hf://datasets/owner/name."],
  ])("%s with split %s is refused", async (source, split, sentence) => {
    const refused = localData(source, { ...options(), split });
    await expect(refused).rejects.toThrow(new UsageError(sentence.replaceAll("2…", second)));
    expect(server.storage.requests).toEqual([]);
  });
});

describe("what the hub has not", () => {
  test.each([
    ["hf://o/nobody/model.onnx", "hf://o/nobody@main/model.onnx: no such repository, or a private or gated one"],
    ["hf://o/mlp/model.onnx@v9", "hf://o/mlp@v9/model.onnx: http"],
    ["hf://o/mlp/onnx/other.onnx", "no such file. onnx has: model.onnx."],
    [`hf://o/mlp/onnx/model.onnx@${"0".repeat(40)}`, "has no such repository, revision or folder."],
    ["hf://o/mlp/nowhere/model.onnx", "no such file. The repository has: README.md, onnx."],
  ])("%s", async (source, sentence) => {
    await expect(localModel(source, options())).rejects.toThrow(DownloadError);
    await expect(localModel(source, options())).rejects.toThrow(sentence);
  });

  test.each([
    ["hf://o/two", "expected one .onnx file, it has a.onnx, onnx/b.onnx: name one of them."],
    ["hf://o/none", "expected one .onnx file, it has none."],
    ["hf://datasets/o/parquet", "a data set: expected a model"],
  ])("%s as a model", async (source, sentence) => {
    await expect(localModel(source, options())).rejects.toThrow(UsageError);
    await expect(localModel(source, options())).rejects.toThrow(sentence);
  });

  test("a path that leads out of the cache", async () => {
    const evil = { "../../evil.onnx": golden };
    const other = await serveHub({ "models/o/evil": { revisions, files: evil } });
    try {
      const settings = { cache, hub: other.hub.url };
      await expect(localModel("hf://o/evil", { settings })).rejects.toThrow(
        "the hub's list of its files has entries that are none, or lead out of it.",
      );
      expect(await filesBelow(cache)).toEqual([]);
    } finally {
      await other.close();
    }
  });
});

describe("what is no address", () => {
  test("is itself", async () => {
    for (const path of ["model.onnx", "example:digits-mlp", join(cache, "x.npz")]) {
      expect(await localModel(path, options())).toEqual({ path, name: path });
      expect(await localData(path, options())).toEqual({ path, name: path });
    }
    expect(server.hub.requests).toEqual([]);
  });

  test("the name of a set that was not fetched says how to", async () => {
    await expect(localData("mnist", options())).rejects.toThrow(
      new UsageError(`mnist: not in the cache (${cache}/data/mnist): fetch it once with flatness data fetch mnist.`),
    );
  });

  test("the name of a set in the cache is its folder, or its file; half of it is not", async () => {
    for (const { name, files } of knownSets) {
      const folder = join(cache, "data", name);
      mkdirSync(folder, { recursive: true });
      for (const file of files) {
        await expect(localData(name, options())).rejects.toThrow("not in the cache");
        writeFileSync(join(folder, file.name), "");
        // Sparse: as long as the real one, and no space taken.
        truncateSync(join(folder, file.name), file.bytes);
      }
    }
    const path = async (name: string) => inCache((await localData(name, options())).path);
    expect(await path("mnist")).toBe("data/mnist");
    expect(await path("fashion-mnist")).toBe("data/fashion-mnist");
    expect(await path("cifar10")).toBe("data/cifar10/cifar-10-binary.tar.gz");
  });
});
