import { execFile, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Result } from "../../src/evaluation/result.ts";
import { knownSets } from "../../src/remote/known-sets.ts";
import { fashionMnist, hasFashionMnist } from "../remote/fashion-mnist.ts";
import { type FileServer, serveFiles, someBytes } from "../remote/file-server.ts";
import { type HubServer, serveHub } from "../remote/hub-server.ts";

const root = resolve(import.meta.dirname, "../..");
const commit = "0123456789abcdef0123456789abcdef01234567";
const golden = (file: string) => new Uint8Array(readFileSync(join(root, "test/golden/digits-mlp-relu", file)));
const model = golden("model.onnx");
const batch = golden("batch.npz");

let server: FileServer;
let hub: HubServer;
let cache = "";
beforeEach(async () => {
  server = await serveFiles();
  const revisions = { main: commit };
  hub = await serveHub({
    "models/o/mlp": { revisions, files: { "model.onnx": model } },
    "datasets/o/digits": { revisions, files: { "batch.npz": batch } },
  });
  cache = mkdtempSync(join(tmpdir(), "flatness-data-"));
});
afterEach(async () => {
  await Promise.all([server.close(), hub.close()]);
  rmSync(cache, { recursive: true });
});

const env = () => ({ ...process.env, FLATNESS_CACHE: cache, HF_ENDPOINT: hub.hub.url, HF_TOKEN: "" });

/** Runs the command beside the servers, which are in this process. */
function flatness(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  return new Promise((done) => {
    const options = { cwd: root, env: env(), encoding: "utf8" as const };
    execFile(process.execPath, ["bin/flatness.js", ...args], options, (error, stdout, stderr) => {
      done({ status: typeof error?.code === "number" ? error.code : 0, stdout, stderr });
    });
  });
}

async function json(...args: string[]): Promise<unknown> {
  const { status, stdout, stderr } = await flatness(...args, "--format", "json");
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout);
}

describe("flatness measure, of the hub", () => {
  test("gives the numbers of the same files here, under names that pin the commit", async () => {
    const flags = ["--layers", "last", "--threads", "1"];
    const there = (await json(
      "measure",
      "hf://o/mlp",
      "--data",
      "hf://datasets/o/digits/batch.npz",
      ...flags,
    )) as Result;
    const files = ["model.onnx", "batch.npz"].map((name) => join("test/golden/digits-mlp-relu", name)) as [
      string,
      string,
    ];
    const here = (await json("measure", files[0], "--data", files[1], ...flags)) as Result;
    expect(there.results).toEqual(here.results);
    expect(there.model).toEqual({ ...here.model, file: `hf://o/mlp@${commit}/model.onnx` });
    expect(there.data).toEqual({ ...here.data, source: `hf://datasets/o/digits@${commit}/batch.npz` });
    // The names are addresses themselves, and of a commit in the cache nothing is asked.
    const asked = hub.hub.requests.length;
    const again = (await json("measure", there.model.file, "--data", there.data.source, ...flags)) as Result;
    expect(again.results).toEqual(here.results);
    expect(hub.hub.requests.length).toBe(asked);
  });

  test("flatness layers as well", async () => {
    const { model: shown, layers } = (await json("layers", "hf://o/mlp/model.onnx")) as {
      model: { file: string };
      layers: { name: string }[];
    };
    expect(shown.file).toBe(`hf://o/mlp@${commit}/model.onnx`);
    expect(layers.map(({ name }) => name)).toEqual(["0", "2", "4"]);
  });
});

describe("flatness data fetch", () => {
  test.skipIf(!hasFashionMnist)("a set, which then opens by its name", async () => {
    const files = fashionMnist();
    for (const [name, bytes] of files) server.files.set(`/mirror/${name}`, bytes);
    const mirror = ["--mirror", `${server.url}/mirror`];
    const { status, stdout, stderr } = await flatness("data", "fetch", "fashion-mnist", ...mirror);
    const folder = join(cache, "data/fashion-mnist");
    expect([status, stdout]).toEqual([0, `fashion-mnist: 4 of 4 files fetched, 30.9 MB in ${folder}\n`]);
    expect(stderr).not.toContain("\u001b");
    expect(readdirSync(folder).toSorted()).toEqual([...files.keys()].toSorted());
    const again = await flatness("data", "fetch", "fashion-mnist", ...mirror);
    expect(again.stdout).toBe(`fashion-mnist: was there, 30.9 MB in ${folder}\n`);
    expect(server.requests).toHaveLength(4);

    const lenet5 = "test/golden/lenet5-fashion/net00-batch64/model.onnx";
    const flags = "--layers last --samples 64 --threads 1 --preprocess scale=255,pad=2,channels=3".split(" ");
    const named = (await json("measure", lenet5, "--data", "fashion-mnist", ...flags)) as Result;
    const debian = (await json("measure", lenet5, "--data", "/usr/share/datasets/fashion-mnist", ...flags)) as Result;
    expect(named.results).toEqual(debian.results);
    expect([named.data.source, named.data.split, named.data.n]).toEqual(["fashion-mnist", "train", 64]);

    const listing = await flatness("data", "list");
    expect(listing.stdout).toMatch(/fashion-mnist +│ +4 +│ +30\.9 MB +│ +whole +│/);
  });

  test("into a folder, from a mirror that has it not", async () => {
    const folder = join(cache, "here");
    const refused = await flatness("data", "fetch", "mnist", "--out", folder, "--mirror", server.url);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toBe(
      `error: train-images-idx3-ubyte.gz: ${server.url}/train-images-idx3-ubyte.gz answers 404 Not Found.\n`,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  test("of the hub: data, a model", async () => {
    const data = await flatness("data", "fetch", "hf://datasets/o/digits/batch.npz");
    const place = join(cache, `hub/datasets/o/digits/files/${commit}/batch.npz`);
    expect(data.stdout).toBe(`hf://datasets/o/digits@${commit}/batch.npz: in ${place}\n`);
    expect(Buffer.compare(readFileSync(place), batch)).toBe(0);
    const fetched = (await json("data", "fetch", "hf://o/mlp")) as { name: string; path: string };
    expect(fetched.name).toBe(`hf://o/mlp@${commit}/model.onnx`);
    expect(Buffer.compare(readFileSync(fetched.path), model)).toBe(0);
    const { sources } = (await json("data", "list")) as { sources: { name: string; files: number; bytes: number }[] };
    expect(sources.map(({ name, files, bytes }) => [name, files, bytes])).toEqual([
      [`hf://datasets/o/digits@${commit}`, 1, batch.length],
      [`hf://o/mlp@${commit}`, 1, model.length],
    ]);
  });

  test("interrupted keeps what came, says so, and goes on the next time", async () => {
    const { name, bytes, sha256 } = knownSets[1]!.files[0]!;
    const content = someBytes(bytes);
    server.files.set(`/${name}`, content);
    server.mishaps = [{ stallAfter: 5_000_000 }];
    const args = ["bin/flatness.js", "data", "fetch", "mnist", "--mirror", server.url];
    const child = spawn(process.execPath, args, { cwd: root, env: env() });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const part = () => partOf(join(cache, "data/mnist"), name);
    while ((part()?.length ?? 0) < 5_000_000) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill("SIGINT");
    const status = await new Promise((resolve) => child.once("exit", resolve));
    expect([status, stderr.split("\n").at(-2)]).toEqual([
      130,
      `interrupted; ${name}: 5000000 of ${bytes} bytes are kept, and the same command goes on from there`,
    ]);
    expect(readdirSync(join(cache, "data/mnist"))).toEqual([`${name}.part`]);
    const listing = await flatness("data", "list");
    expect(listing.stdout).toMatch(/mnist +│ +0 +│ +0\.0 kB +│ 4 missing, 5\.0 MB of an unfinished file +│/);
    // These are not MNIST's bytes: fetched on to their end, and then all anew, they are refused.
    const { status: second, stderr: sentence } = await flatness("data", "fetch", "mnist", "--mirror", server.url);
    expect(second).toBe(2);
    expect(sentence).toContain(`${name}: damaged: expected sha256 ${sha256}`);
    expect(server.requests.map(({ headers, status: answer }) => [headers.range, answer])).toEqual([
      [undefined, 200],
      ["bytes=5000000-", 206],
      [undefined, 200],
    ]);
    expect(readdirSync(join(cache, "data/mnist"))).toEqual([]);
  });

  test.each([
    [["imagenet"], "imagenet: no such data set. There are: cifar10, mnist, fashion-mnist."],
    [["mnist", "--split", "test"], "--split: for data sets of the hub; this one is fetched whole."],
    [["hf://o/mlp", "--out", "here"], "--out: for named sets; what comes from the hub is kept in the cache."],
    [["hf://o/mlp", "--mirror", "http://x/"], "--mirror: for named sets; HF_ENDPOINT names another hub."],
    [["hf://o/mlp", "--split", "test"], "--split: for data sets; this is a model."],
    [["hf://mlp"], "hf://mlp: no repository of the form owner/name: expected hf://owner/model/file.onnx"],
    [["hf://o/gone"], "hf://o/gone@main: no such repository, or a private or gated one: set HF_TOKEN"],
  ])("%j is refused", async (args, sentence) => {
    const { status, stdout, stderr } = await flatness("data", "fetch", ...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(`error: ${sentence}`);
  });
});

test("a set that was not fetched says how to", async () => {
  writeFileSync(join(cache, "model.onnx"), model);
  const { status, stderr } = await flatness("measure", join(cache, "model.onnx"), "--data", "mnist");
  expect(status).toBe(2);
  expect(stderr).toBe(
    `error: mnist: not in the cache (${cache}/data/mnist): fetch it once with flatness data fetch mnist.\n`,
  );
});

test("nothing fetched, nothing listed; help has examples", async () => {
  expect((await flatness("data", "list")).stdout).toBe(
    `${cache}: nothing fetched yet. Start with: flatness data fetch mnist\n`,
  );
  for (const command of ["fetch", "list"]) {
    const { status, stdout } = await flatness("data", command, "--help");
    expect(status).toBe(0);
    expect(stdout).toContain(`  $ flatness data ${command}`);
  }
  const unknown = await flatness("data", "fetsh");
  expect(unknown.status).toBe(2);
  expect(unknown.stderr).toContain("Did you mean fetch?");
});

/** The bytes of a file that is being fetched. */
function partOf(folder: string, name: string): Uint8Array | undefined {
  try {
    const part = readdirSync(folder).find((each) => each.startsWith(`${name}.`));
    return part === undefined ? undefined : readFileSync(join(folder, part, "content"));
  } catch {
    return undefined;
  }
}
