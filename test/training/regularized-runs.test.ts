import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { measureModel } from "../../src/evaluation/measure-model.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { train } from "../../src/training/train.ts";
import { normals } from "../sketch.ts";

/** Two float32 routes to κ. */
const FLOAT32 = 5e-6;
const STRENGTH = 0.25;
/** So small that the weights stay. */
const STILL = 1e-30;
const n = 24;

/** Inputs of the dims, and labels: classes, or numbers of so many outputs. */
function data(dims: readonly number[], labels: "classes" | "numbers" | "bits") {
  const normal = normals(8);
  const size = dims.reduce((product, length) => product * length, n);
  const own = labels === "classes" ? [] : [3];
  const values = Float32Array.from({ length: 3 * n }, () => (labels === "bits" ? Number(normal() > 0) : normal()));
  return arrayDataset({ source: "memory", sha256: labels }, [
    { name: "x", type: "float32", dims: [n, ...dims], data: Float32Array.from({ length: size }, normal) },
    labels === "classes"
      ? {
          name: "y",
          type: "int64",
          dims: [n],
          data: BigInt64Array.from({ length: n }, (_, index) => BigInt(index % 3)),
        }
      : { name: "y", type: "float32", dims: [n, ...own], data: values },
  ]);
}

async function run(given: ReturnType<typeof data>, layer: string, more: Partial<RecipeInput>) {
  const recipe: RecipeInput = {
    model: { name: "mlp", hidden: [6], activation: "tanh" },
    data: { source: "memory" },
    batchSize: n,
    optimizer: { name: "sgd", learningRate: STILL },
    regularizers: [{ name: "flatness", strength: STRENGTH, layer }],
    stop: { epochs: 1 },
    ...more,
  };
  const { history, prepared } = await train(recipe, { runtime: nodeRuntime, data: { train: given } });
  const { graph, loss } = prepared.task;
  const { result } = await measureModel(
    { graph, file: "", sha256: "", opset: graph.opset },
    { data: given, indices: Int32Array.from({ length: n }, (_, index) => index), description: "" },
    {
      layers: layer === "last" ? "last" : [layer],
      measures: ["relative-flatness"],
      method: "exact",
      loss: loss.name,
      threads: 1,
    },
    nodeRuntime,
  );
  return { penalties: history.map(({ penalty }) => penalty!), kappa: result.results[0]!.value };
}

describe("what the flatness of the last layer adds to a step's loss is λ κ as it is measured", () => {
  test.each([
    ["cross-entropy", "classes"],
    ["binary-cross-entropy", "bits"],
    ["squared-error-mean", "numbers"],
    ["squared-error-sum", "numbers"],
  ] as const)("under %s", async (loss, labels) => {
    const { penalties, kappa } = await run(data([5], labels), "last", { loss });
    expect(kappa).toBeGreaterThan(0);
    expect(Math.abs(penalties[0]! / (STRENGTH * kappa) - 1)).toBeLessThan(FLOAT32);
  });
});

test("what the flatness of a convolution adds is λ κ in the mean over steps, each with directions of its own", async () => {
  const draws = 400;
  const { penalties, kappa } = await run(data([1, 16, 16], "classes"), "conv2", {
    model: { name: "lenet5" },
    stop: { epochs: draws },
    evaluate: draws,
  });
  expect(new Set(penalties).size).toBeGreaterThan(0.9 * draws);
  const mean = penalties.reduce((sum, value) => sum + value, 0) / draws;
  const deviation = Math.sqrt(penalties.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (draws - 1));
  const error = deviation / Math.sqrt(draws);
  expect(Math.abs(mean - STRENGTH * kappa)).toBeLessThan(4 * error);
  // And not by a wide margin for want of draws.
  expect(error).toBeLessThan(0.2 * STRENGTH * kappa);
}, 60_000);

test("flatness in the loss makes a flatter network", async () => {
  const given = data([5], "classes");
  const kappas: number[] = [];
  for (const strength of [0, 0.1]) {
    const recipe: RecipeInput = {
      model: { name: "mlp", hidden: [16] },
      data: { source: "memory" },
      batchSize: 8,
      optimizer: { name: "sgd", learningRate: 0.1 },
      regularizers: [{ name: "flatness", strength }],
      measure: { every: 60 },
      stop: { epochs: 60 },
    };
    const { last } = await train(recipe, { runtime: nodeRuntime, data: { train: given } });
    kappas.push(last.measures![0]!.value);
  }
  expect(kappas[1]!).toBeLessThan(0.5 * kappas[0]!);
});
