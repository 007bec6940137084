import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readModel } from "../../src/graph/files.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { decodeModel } from "../../src/graph/onnx.ts";
import { ModelProtoSchema, TensorProto_DataLocation } from "../../src/graph/onnx_pb.ts";
import { convertOpset } from "../../src/graph/opset.ts";
import { survivesMutations } from "../mutations.ts";

/** Of the copies of which all bytes count, most are noticed: what remains are names, and weights that are in the file. */
const MOST = 1000;

const folder = mkdtempSync(join(tmpdir(), "flatness-mutated-"));
afterAll(() => rmSync(folder, { recursive: true }));

const golden = (name: string) => new Uint8Array(readFileSync(new URL(`../golden/${name}/model.onnx`, import.meta.url)));

/** Everything that is read of a model before it runs: shapes, layers and their matrices. */
function readLayers(graph: Graph): number {
  const types = graph.inputs.map(({ name, type = "float32", dims = [] }) => {
    const sizes = dims.map((dim) => (typeof dim === "number" ? dim : 2));
    return [name, { type, dims: sizes }] as const;
  });
  const layers = findLayers(instantiate(graph, new Map(types)).builder);
  for (const layer of layers) layer.matrix();
  return layers.length;
}

describe("damaged models are read or refused", () => {
  test.each(["regression-mlp-3", "digits-cnn-gelu-bn", "mini-resnet", "mini-gpt"])("%s", async (name) => {
    const read = (damaged: Uint8Array) => readLayers(convertOpset(decodeModel(damaged, { file: "damaged.onnx" })));
    const { refused } = await survivesMutations(golden(name), read);
    expect(refused).toBeGreaterThan(MOST);
  });
});

/** A model whose weights lie in the file `weights.bin`, one after the other, and that file's bytes. */
function withExternalData(bytes: Uint8Array): { model: Uint8Array; data: Uint8Array } {
  const model = fromBinary(ModelProtoSchema, bytes);
  const parts: Uint8Array[] = [];
  let offset = 0;
  for (const tensor of model.graph!.initializer) {
    const { length } = tensor.rawData;
    parts.push(tensor.rawData);
    const entries = { location: "weights.bin", offset: String(offset), length: String(length) };
    tensor.externalData = Object.entries(entries).map(([key, value]) => ({
      $typeName: "onnx.StringStringEntryProto",
      key,
      value,
    }));
    tensor.dataLocation = TensorProto_DataLocation.EXTERNAL;
    tensor.rawData = new Uint8Array();
    offset += length;
  }
  return { model: toBinary(ModelProtoSchema, model), data: new Uint8Array(Buffer.concat(parts)) };
}

describe("with its weights in another file", () => {
  const { model, data } = withExternalData(golden("digits-cnn-gelu-bn"));
  const [modelFile, dataFile] = [join(folder, "model.onnx"), join(folder, "weights.bin")];
  const holds = model.length + data.length;

  test("a damaged model", async () => {
    writeFileSync(dataFile, data);
    writeFileSync(modelFile, model);
    expect(readLayers(readModel(modelFile).graph)).toBe(3);
    const read = (damaged: Uint8Array) => {
      writeFileSync(modelFile, damaged);
      readLayers(readModel(modelFile).graph);
    };
    const { refused } = await survivesMutations(model, read, { holds });
    expect(refused).toBeGreaterThan(MOST);
  });

  test("damaged weights: any bytes will do, but not fewer", async () => {
    writeFileSync(modelFile, model);
    let short = 0;
    const read = (damaged: Uint8Array) => {
      if (damaged.length < data.length) short++;
      writeFileSync(dataFile, damaged);
      const { graph } = readModel(modelFile);
      readLayers(graph);
      for (const tensor of graph.constants.values()) expect(tensor.bytes.length).toBe(4 * tensor.size);
    };
    const { refused } = await survivesMutations(data, read, { holds });
    expect(refused).toBe(short);
  });
});
