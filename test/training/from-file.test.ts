import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { ModelError, UsageError } from "../../src/errors.ts";
import { attributes } from "../../src/graph/builder.ts";
import { readModel } from "../../src/graph/files.ts";
import type { Graph, Node } from "../../src/graph/graph.ts";
import { encodeModel } from "../../src/graph/onnx.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { train, type Trained } from "../../src/training/train.ts";
import { goldenBatch, goldenPath } from "../golden-model.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-start-"));
afterAll(() => rmSync(folder, { recursive: true }));

function written(name: string, graph: Graph): string {
  const file = join(folder, name);
  writeFileSync(file, encodeModel(graph));
  return file;
}

function trained(file: string, data: string, more: Partial<RecipeInput> = {}, names?: string[]): Promise<Trained> {
  return train(
    {
      model: { name: "onnx", file, ...(names && { train: names }) },
      data: { source: "batch.npz" },
      batchSize: 16,
      optimizer: { name: "sgd", learningRate: 0.05 },
      stop: { epochs: 3 },
      ...more,
    },
    { runtime: nodeRuntime, data: { train: goldenBatch(data) } },
  );
}

/** Constants of floats that another model of the same names has other values for. */
function changed(before: Graph, after: Graph): string[] {
  return [...before.constants]
    .filter(([name, tensor]) => {
      const now = after.constants.get(name)!;
      return tensor.type === "float32" && tensor.bytes.some((byte, index) => byte !== now.bytes[index]);
    })
    .map(([name]) => name)
    .toSorted();
}

const relu = goldenPath("digits-mlp-relu", "model.onnx");

describe("any ONNX file is a start", () => {
  test.each(["digits-mlp-tanh", "digits-cnn-gelu-bn", "mini-resnet", "mini-gpt", "regression-mlp-3"])(
    "%s: the loss on the data falls, and what is written is a model like the one that was read",
    async (name) => {
      const file = goldenPath(name, "model.onnx");
      // Rates that suit networks which are trained already.
      const { history, graph, prepared } = await trained(file, name, {
        optimizer: { name: "adam", learningRate: 1e-3 },
        stop: { epochs: 6 },
      });
      expect(history.at(-1)!.train!.loss).toBeLessThan(history[0]!.train!.loss);
      const before = readModel(file).graph;
      const running = prepared.task.statistics.map((entry) => entry.name);
      const moved = changed(before, graph);
      expect(moved).toEqual([...prepared.task.layout.entries.map((entry) => entry.name), ...running].toSorted());
      expect([graph.inputs, graph.outputs]).toEqual([before.inputs, before.outputs]);
      expect(readModel(written(`${name}.onnx`, graph)).graph.constants.size).toBe(before.constants.size);
    },
    60_000,
  );

  test("a softmax at its end is not taken twice, and stays in the model that is written", async () => {
    const { graph } = readModel(relu);
    const [output] = graph.outputs as [(typeof graph.outputs)[0]];
    const softmax: Node = {
      op: "Softmax",
      domain: "",
      name: "softmax",
      inputs: [output.name],
      outputs: ["probabilities"],
      attributes: attributes({ axis: -1 }),
    };
    const ending = { ...graph, nodes: [...graph.nodes, softmax], outputs: [{ ...output, name: "probabilities" }] };
    const file = written("softmax.onnx", ending);
    const penalty: Partial<RecipeInput> = { regularizers: [{ name: "flatness", strength: 0.01 }] };
    const [plain, ended] = [
      await trained(relu, "digits-mlp-relu", penalty),
      await trained(file, "digits-mlp-relu", penalty),
    ];
    expect(ended.state.vectors).toEqual(plain.state.vectors);
    expect(ended.last.train).toEqual(plain.last.train);
    expect(ended.graph.nodes.at(-1)!.op).toBe("Softmax");
  });

  test("layers and constants that are named are trained alone, under any name that the file has for them", async () => {
    const { graph } = readModel(relu);
    const known = [...graph.constants.keys()].toSorted();
    expect(known).toEqual(["0.bias", "0.weight", "2.bias", "2.weight", "4.bias", "4.weight"]);
    const layer = await trained(relu, "digits-mlp-relu", {}, ["4"]);
    expect(changed(graph, layer.graph)).toEqual(["4.bias", "4.weight"]);
    const two = await trained(relu, "digits-mlp-relu", {}, ["0.weight", "2.bias"]);
    expect(changed(graph, two.graph)).toEqual(["0.weight", "2.bias"]);
    // An exporter's own names, onnx::MatMul_…: the layer has the framework's.
    const gpt = goldenPath("mini-gpt", "model.onnx");
    const head = await trained(gpt, "mini-gpt", {}, ["head"]);
    const [only, ...others] = changed(readModel(gpt).graph, head.graph);
    expect(only).toMatch(/^onnx::MatMul_\d+$/);
    expect(others).toEqual([]);
  });

  test("what is named and is not there is refused", async () => {
    await expect(trained(relu, "digits-mlp-relu", {}, ["fc9"])).rejects.toThrow(
      new UsageError(
        `train fc9: no such constant of ${relu}, which has 0.weight, 0.bias, 2.weight, 2.bias, 4.weight, 4.bias`,
      ),
    );
    const { graph } = readModel(relu);
    const empty = { ...graph, nodes: [], constants: new Map(), outputs: graph.inputs };
    await expect(trained(written("empty.onnx", empty), "digits-mlp-relu")).rejects.toThrow(ModelError);
  });

  test("a rule about a layer whose weight is not trained is refused", async () => {
    const stop = { epochs: 1, gradient: { below: 1, layer: "0" } };
    await expect(trained(relu, "digits-mlp-relu", { stop }, ["4"])).rejects.toThrow(
      new UsageError("stop.gradient: layer 0: its weight is not trained; trained are 4.weight, 4.bias"),
    );
  });
});
