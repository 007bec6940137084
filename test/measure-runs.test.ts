import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { npzBytes } from "../src/data/npz.ts";
import { DataError } from "../src/errors.ts";
import { readModel } from "../src/graph/files.ts";
import { Tensor } from "../src/graph/tensor.ts";
import { measure, measureRuns } from "../src/measure.ts";
import { withWeights } from "../src/weights.ts";
import { goldenPath } from "./golden-model.ts";
import { graphOf, node } from "./graph/small-graph.ts";

const mlp = (name: string) => goldenPath("digits-mlp-relu", `${name}.onnx`);
const data = goldenPath("digits-mlp-relu", "batch.npz");
const options = { layers: "last", threads: 1 } as const;

test("several models on the same data are the results of each alone", async () => {
  const models = [mlp("model"), mlp("twin_neuron")];
  const begun: string[] = [];
  const several = await measureRuns(
    models.map((model) => ({ model })),
    data,
    { ...options, onRun: ({ model }, index) => begun.push(`${index} ${model}`) },
  );
  expect(begun).toEqual(models.map((model, index) => `${index} ${model}`));
  for (const [index, { result }] of several.entries()) {
    const alone = await measure(models[index]!, data, options);
    expect(result.model).toEqual(alone.result.model);
    expect(result.results).toEqual(alone.result.results);
  }
  expect(several[0]!.result.model.sha256).not.toBe(several[1]!.result.model.sha256);
});

test("no run begins before every file was read", async () => {
  const begun: number[] = [];
  const runs = [{ model: mlp("model") }, { model: mlp("model"), weights: "none.pt" }];
  const measured = measureRuns(runs, data, { ...options, onRun: (_, index) => begun.push(index) });
  await expect(measured).rejects.toThrow(DataError);
  expect(begun).toEqual([]);
});

test("weights found by shape and order alone are warned of, and right where the order is", async () => {
  const alone = await measure(mlp("model"), data, options);
  const { constants } = readModel(mlp("model")).graph;
  // The model's own weights without their names: two biases have one shape.
  const arrays = ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias"].map((name, index) => {
    const { dims, data: values } = constants.get(name)!;
    return [`array_${index}`, { type: "float32" as const, dims, data: values }] as const;
  });
  const folder = mkdtempSync(join(tmpdir(), "flatness-nameless-"));
  const file = join(folder, "nameless.npz");
  writeFileSync(file, npzBytes(Object.fromEntries(arrays)));
  try {
    const { result } = await measure(mlp("model"), data, { ...options, weights: file });
    expect(result.results).toEqual(alone.result.results);
    expect(result.warnings[0]).toEqual({
      code: "weights-by-shape",
      text:
        "6 of 6 weights were found by shape or order alone, no name says that they are right: 0.weight from array_0, " +
        "0.bias from array_1, 2.weight from array_2, 2.bias from array_3, 4.weight from array_4, 4.bias from array_5; " +
        "--explain-weights shows all",
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("constants that the file does not have are warned of", async () => {
  const graph = graphOf(
    { x: [2, 4] },
    [node("Mul", ["x", "mask"], "h"), node("Gemm", ["h", "fc.weight"], "y", { transB: 1 })],
    { mask: Tensor.float32([4], [1, 0, 1, 1]), "fc.weight": Tensor.float32([3, 4], new Float32Array(12)) },
  );
  const folder = mkdtempSync(join(tmpdir(), "flatness-constants-"));
  const file = join(folder, "fc.npz");
  writeFileSync(file, npzBytes({ "fc.weight": { type: "float32", dims: [3, 4], data: new Float32Array(12).fill(2) } }));
  try {
    const weighted = await withWeights({ graph, file: "m.onnx", sha256: "", opset: 18 }, file);
    expect(weighted.warnings).toEqual([
      {
        code: "weights-kept",
        text: "constants that the file of weights does not have stay as the model has them: mask",
      },
    ]);
    expect([...weighted.graph.constants.get("fc.weight")!.numbers()]).toEqual(Array.from({ length: 12 }, () => 2));
    expect(weighted.graph.constants.get("mask")).toBe(graph.constants.get("mask"));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
