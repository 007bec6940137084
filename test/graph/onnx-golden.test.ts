import { readdirSync, readFileSync } from "node:fs";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import type { Graph } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import { count, Tensor } from "../../src/graph/tensor.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { runGraph, waves } from "./running.ts";

const golden = new URL("../golden/", import.meta.url);
const models = readdirSync(golden, { recursive: true, encoding: "utf8" }).filter((path) => path.endsWith(".onnx"));

describe.each(models)("%s", (path) => {
  const bytes = new Uint8Array(readFileSync(new URL(path, golden)));
  const once = decodeModel(bytes);
  const twice = decodeModel(encodeModel(once));

  it("decoded, encoded and decoded again is the same graph", () => {
    expect(withoutSources(twice)).toEqual(withoutSources(once));
    const data = ({ constants }: Graph) => [...constants].map(([name, tensor]) => [name, tensor.bytes.join()]);
    expect(data(twice)).toEqual(data(once));
  });

  it("gives the same values in the runtime", async () => {
    const feeds = feedsOf(once);
    const expected = await runBytes(bytes, feeds);
    const actual = await runGraph(twice, feeds);
    for (const { name } of once.outputs) {
      expect(actual.get(name)?.dims).toEqual(expected[name]?.dims);
      expect(actual.get(name)?.data).toEqual(expected[name]?.data as RuntimeArray["data"]);
    }
  });

  it("initializers are views of the file's bytes", () => {
    const own = [...once.constants.values()].filter((tensor) => tensor.bytes.buffer === bytes.buffer);
    expect(own).toHaveLength(once.constants.size);
    const aligned = own.filter(({ type, bytes: { byteOffset } }) => type === "float32" && byteOffset % 4 === 0);
    for (const tensor of aligned) expect(tensor.data.buffer).toBe(bytes.buffer);
  });
});

it("there are golden models of every folder", () => {
  expect(new Set(models.map((path) => path.split("/")[0])).size).toBe(9);
});

function withoutSources(graph: Graph): unknown {
  const nodes = graph.nodes.map((node) => ({ ...node, source: undefined }));
  return { ...graph, nodes, source: undefined };
}

function feedsOf(graph: Graph): ReadonlyMap<string, Tensor> {
  return new Map(
    graph.inputs.map(({ name, type, dims }) => {
      const sizes = (dims ?? []).map((dim) => (typeof dim === "number" ? dim : 3));
      const values = waves(count(sizes));
      if (type !== "int64") return [name, Tensor.float32(sizes, values)];
      const tokens = BigInt64Array.from(values, (value) => BigInt(Math.floor(8 * (value + 2)) % 32));
      return [name, Tensor.of("int64", sizes, tokens)];
    }),
  );
}

async function runBytes(
  bytes: Uint8Array,
  feeds: ReadonlyMap<string, Tensor>,
): Promise<InferenceSession.OnnxValueMapType> {
  const session = await InferenceSession.create(bytes, { intraOpNumThreads: 1, logSeverityLevel: 3 });
  try {
    const tensors = [...feeds].map(([name, { type, data, dims }]) => {
      return [name, new OrtTensor(type as "float32", data as Float32Array, dims)] as const;
    });
    return await session.run(Object.fromEntries(tensors));
  } finally {
    await session.release();
  }
}
