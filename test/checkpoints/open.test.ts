import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, test } from "vitest";
import { inMemory } from "../../src/checkpoints/byte-ranges.ts";
import { openCheckpoint, readTensors } from "../../src/checkpoints/open.ts";
import { npzBytes } from "../../src/data/npz.ts";
import { DataError, ModelError, UsageError } from "../../src/errors.ts";
import { goldenPath } from "../golden-model.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryCheckpoints } from "./memory-checkpoints.ts";
import { float32, safetensorsBytes } from "./safetensors-bytes.ts";

const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
const json = (value: unknown) => ascii(JSON.stringify(value));
const array = (values: readonly number[]) => ({
  type: "float32" as const,
  dims: [values.length],
  data: Float32Array.from(values),
});
const folder = mkdtempSync(join(tmpdir(), "flatness-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the format is told by the content", () => {
  const npz = npzBytes({ "fc.weight": array([1, 2]) });
  const contents = {
    "a.bin": npz,
    "b.weights": safetensorsBytes({ "fc.weight": float32([2], [1, 2]) }),
    "c.pth": new Uint8Array(readFileSync(goldenPath("state-dicts", "plain.pt"))),
  };

  test.each([
    ["a.bin", true, "fc.weight"],
    ["b.weights", false, "fc.weight"],
    ["c.pth", true, "conv.weight"],
  ] as const)("%s", async (file, ordered, first) => {
    const found = await openCheckpoint(file, memoryCheckpoints(contents));
    const sha256 = createHash("sha256").update(contents[file]).digest("hex");
    expect([found.file, found.sha256, found.ordered]).toEqual([file, sha256, ordered]);
    expect([...found.tensors.keys()][0]).toBe(first);
  });

  test.each<[string, Uint8Array, string]>([
    ["nothing", new Uint8Array(0), "not a file of weights: expected .pt or .pth of torch.save, .npz, .safetensors,"],
    ["a text", ascii("# Weights\n"), "not a file of weights"],
    ["HDF5", ascii("\u0089HDF\r\n"), "an HDF5 file: expected weights as .npz or .safetensors"],
    ["GGUF", ascii("GGUF"), "a GGUF file"],
    ["a pickle", ascii("\u0080\u0004}."), "a Python pickle: expected a file of torch.save"],
    [
      "the format before 1.6",
      new Uint8Array(readFileSync(goldenPath("state-dicts", "legacy.pt"))),
      "in the format of PyTorch before 1.6: expected a zip archive; save it again",
    ],
    ["a model", new Uint8Array(readFileSync(goldenPath("state-dicts", "model.onnx"))), "an ONNX model, it seems"],
    ["another zip file", npzBytes({}), "not a file of weights"],
  ])("%s is refused", (_, bytes, message) => {
    const read = () => readTensors(inMemory("w", bytes));
    expect(read).toThrow(ModelError);
    expect(read).toThrow(`w: ${message}`);
  });

  it("is absent where the path leads nowhere", async () => {
    await expect(openCheckpoint(join(folder, "none.pt"))).rejects.toThrow(DataError);
  });
});

describe("a folder", () => {
  const weights = safetensorsBytes({ "fc.weight": float32([2], [1, 2]) });

  it("has its weights under a usual name", async () => {
    const found = await openCheckpoint(
      "m",
      memoryCheckpoints({ "m/model.safetensors": weights, "m/config.json": json({}) }),
    );
    expect([found.file, found.tensors.size]).toEqual(["m/model.safetensors", 1]);
  });

  it("without is refused", async () => {
    const files = memoryCheckpoints({ "m/weights.safetensors": weights });
    await expect(openCheckpoint("m", files)).rejects.toThrow(
      "m: no weights in this folder: expected model.safetensors",
    );
  });
});

describe("a part of a file", () => {
  const files = memoryCheckpoints({
    "w.npz": npzBytes({ "ema.fc.weight": array([1]), "ema/fc/bias": array([2]), "model.fc.weight": array([3]) }),
    "w#1.npz": npzBytes({ "fc.weight": array([4]) }),
  });

  it("has its tensors alone, under their names in it", async () => {
    const { tensors, file, part } = await openCheckpoint("w.npz#ema", files);
    expect([file, part]).toEqual(["w.npz", "ema"]);
    expect([...tensors].map(([name, tensor]) => [name, ...tensor.numbers()])).toEqual([
      ["fc.weight", 1],
      ["fc/bias", 2],
    ]);
  });

  it("must be there", async () => {
    const missing = openCheckpoint("w.npz#em", files);
    await expect(missing).rejects.toThrow(UsageError);
    await expect(missing).rejects.toThrow("w.npz#em: no such part of the file. It has: ema, model.");
  });

  it("is not looked for where a file is called so", async () => {
    const { tensors, part } = await openCheckpoint("w#1.npz", files);
    expect([part, tensors.size]).toEqual([undefined, 1]);
  });

  it("is found in a dictionary of torch.save", async () => {
    const { tensors, asides } = await openCheckpoint(`${goldenPath("state-dicts", "nested.pt")}#model.module`);
    expect([[...tensors.keys()][0], asides.size]).toEqual(["conv.weight", 0]);
  });
});

describe("shards", () => {
  const one = safetensorsBytes({ a: float32([1], [1]), b: float32([2], [2, 3]) });
  const two = safetensorsBytes({ c: float32([1], [4]) });
  const index = {
    metadata: { total_size: 16 },
    weight_map: { c: "two.safetensors", a: "one.safetensors", b: "one.safetensors" },
  };
  const contents = (given: unknown) => ({
    "m/model.safetensors.index.json": json(given),
    "m/one.safetensors": one,
    "m/two.safetensors": two,
  });
  const open = (given: unknown, more: Record<string, Uint8Array> = {}) =>
    openCheckpoint("m/model.safetensors.index.json", memoryCheckpoints({ ...contents(given), ...more }));

  it("are one file of weights; the hash is of the index and the shards", async () => {
    const found = await open(index);
    expect([...found.tensors].map(([name, tensor]) => [name, ...tensor.numbers()])).toEqual([
      ["c", 4],
      ["a", 1],
      ["b", 2, 3],
    ]);
    const hash = createHash("sha256");
    for (const bytes of [json(index), two, one]) hash.update(bytes);
    expect([found.sha256, found.ordered]).toEqual([hash.digest("hex"), false]);
  });

  it("are read from the disk", async () => {
    writeFileSync(join(folder, "one.safetensors"), one);
    writeFileSync(join(folder, "two.safetensors"), two);
    const path = join(folder, "model.safetensors.index.json");
    writeFileSync(path, json(index));
    const { tensors } = await openCheckpoint(path);
    expect([...tensors.get("b")!.numbers()]).toEqual([2, 3]);
  });

  const map = index.weight_map;
  test.each<[string, unknown, string]>([
    ["no JSON", "no", "expected an index of shards with a weight_map"],
    ["no map", {}, "expected an index of shards with a weight_map"],
    [
      "a tensor that its shard has not",
      { weight_map: { ...map, d: "two.safetensors" } },
      "says that d is in two.safetensors",
    ],
    [
      "a tensor that no line names",
      { weight_map: { a: "one.safetensors" } },
      "does not name b, which one.safetensors has",
    ],
    [
      "a path that leads out",
      { weight_map: { a: "../one.safetensors" } },
      'a is in "../one.safetensors": expected the name of a file',
    ],
    ["a folder", { weight_map: { a: ".." } }, 'a is in "..": expected the name of a file'],
    ["no name", { weight_map: { a: 3 } }, "a is in 3: expected the name of a file"],
    ["an object", { weight_map: { a: { b: 3 } } }, "a is in {…}: expected the name of a file"],
    ["a shard that is not there", { weight_map: { a: "three.safetensors" } }, "no such file or directory"],
  ])("refused: %s", async (_, given, message) => {
    await expect(open(given)).rejects.toThrow(message);
  });

  test("text that is no JSON is refused with its byte", async () => {
    const files = memoryCheckpoints({ "i.index.json": ascii("{") });
    await expect(openCheckpoint("i.index.json", files)).rejects.toThrow("i.index.json: byte 0: no JSON:");
  });

  test("damaged indices are read or refused", async () => {
    await survivesMutations(json(index), async (bytes) => {
      const files = memoryCheckpoints({ ...contents(index), "m/model.safetensors.index.json": bytes });
      const { tensors } = await openCheckpoint("m/model.safetensors.index.json", files);
      for (const tensor of tensors.values()) tensor.numbers();
    });
  });
});

test("damaged .npz files of weights are read or refused", async () => {
  const bytes = npzBytes({ "fc.weight": { ...array([1, 2, 3, 4]), dims: [2, 2] }, "fc.bias": array([5, 6]) });
  await survivesMutations(bytes, (damaged) => {
    for (const tensor of readTensors(inMemory("w.npz", damaged)).tensors.values()) tensor.numbers();
  });
});
