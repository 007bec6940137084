import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, test } from "vitest";
import { ModelError, UsageError } from "../../src/errors.ts";
import { readModel } from "../../src/graph/files.ts";
import { firstNaN } from "../../src/graph/nan.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import type { Tensor } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Field } from "./onnx-bytes.ts";
import { addingModel, message, tensorProto } from "./onnx-bytes.ts";
import { runGraph, tensor } from "./running.ts";

let folder = "";
const at = (...names: string[]) => join(folder, ...names);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "flatness-files-"));
  mkdirSync(at("model"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** y = x + c, the two floats of c in this file. Returns the model's path. */
function writeModel(location: string, entries: Readonly<Record<string, string>> = {}): string {
  const all = Object.entries({ location, ...entries });
  const data = all.map(([key, value]): Field => [13, message([1, key], [2, value])]);
  writeFileSync(at("model", "m.onnx"), addingModel(tensorProto("c", 1, [2], ...data, [14, 1])));
  return at("model", "m.onnx");
}

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
const constantOf = (path: string) => readModel(path).graph.constants.get("c") as Tensor;

describe("a model file", () => {
  it("is read with its operator set and the hash of its bytes", () => {
    const path = new URL("../golden/digits-mlp-tanh/model.onnx", import.meta.url).pathname;
    const { graph, opset, sha256, file } = readModel(path);
    expect([graph.opset, opset, file]).toEqual([18, 15, path]);
    expect(sha256).toBe(createHash("sha256").update(readFileSync(path)).digest("hex"));
  });

  it("of the package is an example: the network whose truth is in golden", () => {
    const truth = new URL("../golden/digits-mlp-relu/model.onnx", import.meta.url).pathname;
    const [example, golden] = [readModel("example:digits-mlp"), readModel(truth)];
    expect(example.file).toBe("example:digits-mlp");
    expect(example.sha256).toBe(golden.sha256);
  });

  const refused: readonly [string, () => string, string][] = [
    ["that is absent", () => at("none.onnx"), "none.onnx: no such file"],
    ["that is a folder", () => at("model"), "model: is a folder; expected an .onnx file"],
    ["whose folder is a file", () => join(writeModel("c.bin"), "m.onnx"), "m.onnx: ENOTDIR"],
  ];
  test.each(refused)("%s is refused", (_, path, sentence) => {
    const given = path();
    expect(() => readModel(given)).toThrow(ModelError);
    expect(() => readModel(given)).toThrow(sentence);
  });

  it("that is cut short is called by its path", () => {
    writeFileSync(at("cut.onnx"), addingModel(tensorProto("c", 1, [2], [9, floats(1, 2)])).subarray(0, 30));
    expect(() => readModel(at("cut.onnx"))).toThrow(`${at("cut.onnx")}: truncated or not an ONNX model`);
  });

  it("of an operator set that is too new is refused", () => {
    const bytes = addingModel(tensorProto("c", 1, [2], [9, floats(1, 2)]));
    writeFileSync(at("new.onnx"), encodeModel({ ...decodeModel(bytes), opset: 99 }));
    expect(() => readModel(at("new.onnx"))).toThrow("opset 99: expected ai.onnx opset 7 to 21");
  });

  it("an example that does not exist names those that do", () => {
    expect(() => readModel("example:none")).toThrow(UsageError);
    expect(() => readModel("example:none")).toThrow("example:none: no such example; there are example:digits-mlp");
  });
});

describe("data in another file", () => {
  it("is found by offset and length", () => {
    writeFileSync(at("model", "c.bin"), floats(9, 1.5, -2, 9));
    expect(constantOf(writeModel("c.bin", { offset: "4", length: "8" })).data).toEqual(Float32Array.of(1.5, -2));
  });

  it("begins with the file and has the dimensions' length where the model says neither", () => {
    writeFileSync(at("model", "c.bin"), floats(1.5, -2, 9));
    expect(constantOf(writeModel("c.bin")).data).toEqual(Float32Array.of(1.5, -2));
  });

  it("may lie in a folder beside the model", () => {
    mkdirSync(at("model", "data"));
    writeFileSync(at("model", "data", "c.bin"), floats(3, 4));
    expect(constantOf(writeModel("data/c.bin")).data).toEqual(Float32Array.of(3, 4));
  });

  it("is read when it is needed, and once", () => {
    const constant = constantOf(writeModel("c.bin"));
    writeFileSync(at("model", "c.bin"), floats(1, 2));
    expect(constant.data).toEqual(Float32Array.of(1, 2));
    writeFileSync(at("model", "c.bin"), floats(5, 6));
    expect(constant.data).toEqual(Float32Array.of(1, 2));
  });

  it("goes with the model when it is written, so that the runtime has it", async () => {
    writeFileSync(at("model", "c.bin"), floats(9, 10, 20));
    const { graph } = readModel(writeModel("c.bin", { offset: "4" }));
    const results = await runGraph(graph, new Map([["x", tensor("float32", [2], [1, 2])]]));
    expect(results.get("y")?.data).toEqual(Float32Array.of(11, 22));
    expect(decodeModel(encodeModel(graph)).constants.get("c")?.data).toEqual(Float32Array.of(10, 20));
  });

  it("through a symbolic link inside the folder is read", () => {
    writeFileSync(at("model", "real.bin"), floats(7, 8));
    symlinkSync("real.bin", at("model", "c.bin"));
    expect(constantOf(writeModel("c.bin")).data).toEqual(Float32Array.of(7, 8));
  });

  it("of a model that is reached through a linked folder is read", () => {
    writeFileSync(at("model", "c.bin"), floats(7, 8));
    writeModel("c.bin");
    symlinkSync(at("model"), at("linked"));
    expect(constantOf(at("linked", "m.onnx")).data).toEqual(Float32Array.of(7, 8));
  });

  it("of a model that is a link is found beside what it links to", () => {
    writeFileSync(at("model", "c.bin"), floats(7, 8));
    writeModel("c.bin");
    symlinkSync(at("model", "m.onnx"), at("linked.onnx"));
    expect(constantOf(at("linked.onnx")).data).toEqual(Float32Array.of(7, 8));
  });

  it("is told to have no numbers without being kept", () => {
    writeFileSync(at("model", "c.bin"), floats(1, Number.NaN));
    const constant = constantOf(writeModel("c.bin"));
    expect(firstNaN(constant)).toBe(1);
    writeFileSync(at("model", "c.bin"), floats(1, 2));
    expect(firstNaN(constant)).toBeUndefined();
  });

  it("is part of the model's hash: what sha256sum says of the files one after the other", () => {
    writeFileSync(at("model", "c.bin"), floats(9, 1, 2, 9));
    const path = writeModel("c.bin", { offset: "4" });
    const hash = createHash("sha256")
      .update(readFileSync(path))
      .update(readFileSync(at("model", "c.bin")));
    expect(readModel(path).sha256).toBe(hash.digest("hex"));
    writeFileSync(at("model", "c.bin"), floats(9, 1, 3, 9));
    expect(readModel(path).sha256).not.toBe(hash);
  });

  it("that is absent is missed when the hash is asked for", () => {
    const model = readModel(writeModel("none.bin"));
    expect(() => model.sha256).toThrow("its data lies in none.bin, and there is no such file beside it");
  });

  describe("in a Hugging Face cache, where a snapshot's files are links to blobs", () => {
    /** A cache of two repositories with the model in a folder of one snapshot; c.bin is a link to this. */
    function cached(link: string, repository = "models--me--net"): string {
      const snapshot = at(repository, "snapshots", "0123abcd", "onnx");
      mkdirSync(snapshot, { recursive: true });
      for (const name of [repository, "models--you--net"]) mkdirSync(at(name, "blobs", "more"), { recursive: true });
      writeFileSync(at(repository, "blobs", "da7a"), floats(3, 4));
      for (const elsewhere of [
        at(repository, "blobs", "more", "da7a"),
        at("models--you--net", "blobs", "da7a"),
        at(repository, "token"),
      ])
        writeFileSync(elsewhere, floats(66, 66));
      renameSync(writeModel("c.bin"), at(repository, "blobs", "90d3"));
      symlinkSync("../../../blobs/90d3", join(snapshot, "m.onnx"));
      symlinkSync(link, join(snapshot, "c.bin"));
      return join(snapshot, "m.onnx");
    }

    it("is read", () => {
      expect(constantOf(cached("../../../blobs/da7a")).data).toEqual(Float32Array.of(3, 4));
    });

    test.each([
      ["to another repository's blobs", "../../../../models--you--net/blobs/da7a", undefined],
      ["to a folder among the blobs", "../../../blobs/more/da7a", undefined],
      ["to a file that is no blob", "../../../token", undefined],
      ["in a folder that is no repository of such a cache", "../../../blobs/da7a", "net"],
    ])("but not through a link %s", (_, link, repository) => {
      const constant = constantOf(cached(link, repository));
      expect(() => constant.bytes).toThrow("outside the model's folder; expected a file inside it");
    });
  });

  const outside = "outside the model's folder; expected a file inside it";
  const refused: readonly [string, () => string, string][] = [
    ["above the folder", () => writeModel("../secret.bin"), `its data lies in ../secret.bin, ${outside}`],
    ["above it by a detour", () => writeModel("data/../../secret.bin"), outside],
    ["at an absolute path", () => writeModel(at("secret.bin")), outside],
    ["in a folder whose name begins alike", () => writeModel("../model-2/c.bin"), outside],
    ["in the folder itself", () => writeModel("."), outside],
    [
      "behind a link that leads out",
      () => {
        symlinkSync(at("secret.bin"), at("model", "c.bin"));
        return writeModel("c.bin");
      },
      `its data lies in c.bin, ${outside}`,
    ],
    [
      "behind a linked folder that leads out",
      () => {
        symlinkSync(folder, at("model", "up"));
        return writeModel("up/secret.bin");
      },
      outside,
    ],
    ["nowhere", () => writeModel("none.bin"), "its data lies in none.bin, and there is no such file beside it"],
    [
      "in a folder",
      () => {
        mkdirSync(at("model", "data"));
        return writeModel("data");
      },
      "its data lies in data, which is no file",
    ],
    [
      "beyond the end of the file",
      () => {
        writeFileSync(at("model", "c.bin"), floats(1, 2));
        return writeModel("c.bin", { offset: "4" });
      },
      "c.bin: truncated: expected 12 bytes, have 8",
    ],
  ];
  test.each(refused)("%s is refused", (_, path, sentence) => {
    writeFileSync(at("secret.bin"), floats(66, 66));
    mkdirSync(at("model-2"));
    writeFileSync(at("model-2", "c.bin"), floats(66, 66));
    const constant = constantOf(path());
    expect(() => constant.bytes).toThrow(ModelError);
    expect(() => constant.bytes).toThrow(sentence);
  });

  test.each([
    ["-4", "expected 8 bytes in c.bin, the model says 8 from byte -4"],
    ["1e30", "the model says 8 from byte 1e+30"],
    ["four", "the model says 8 from byte NaN"],
  ])("an offset of %s is refused", (offset, sentence) => {
    const path = writeModel("c.bin", { offset });
    expect(() => readModel(path)).toThrow(sentence);
  });

  it("that the runtime cannot have is an error of the model", async () => {
    const { graph } = readModel(writeModel("none.bin"));
    await expect(nodeRuntime.open(graph, { provider: "cpu", threads: 1 })).rejects.toThrow(
      new RegExp("none.bin, and there is no such file beside it$"),
    );
  });
});
