import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { count } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { engineOf } from "../../src/training/engine.ts";
import { WEIGHTS } from "../../src/training/names.ts";
import { prepared } from "../../src/training/prepare.ts";
import { resolved } from "../../src/training/recipe-text.ts";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { norm } from "../float64-array.ts";
import { goldenBatch, goldenPath } from "../golden-model.ts";

/** ‖w − truth‖/‖truth‖ after 20 float32 steps. */
const WEIGHT_TOLERANCE = 1e-6;
/** The same of how far the weights moved, which is a hundredth of their size and less. */
const MOVE_TOLERANCE = 1e-4;
/** A float32 loss of scores of order 10. */
const LOSS_TOLERANCE = 2e-6;
const PER_ROUND = 4;

const mlp = "digits-mlp-relu";
const runs: Readonly<Record<string, readonly [folder: string, optimizer: RecipeInput["optimizer"]]>> = {
  "mlp-sgd": [mlp, { name: "sgd", learningRate: 0.05 }],
  "mlp-nesterov": [mlp, { name: "sgd", learningRate: 0.02, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }],
  "mlp-adam": [mlp, { name: "adam", learningRate: 1e-3, weightDecay: 1e-3 }],
  "mlp-adamw": [mlp, { name: "adamw", learningRate: 1e-3, weightDecay: 0.1 }],
  // With the default epsilon the rounding of a gradient that is all but zero would be a step of full size.
  "mlp-rmsprop": [mlp, { name: "rmsprop", learningRate: 1e-3, epsilon: 1e-4 }],
  "lenet5-sgd": ["lenet5-fashion/net00-batch64", { name: "sgd", learningRate: 0.02 }],
};

describe("20 steps equal PyTorch's in float64, from the same weights on the same batches", () => {
  test.each(Object.entries(runs))("%s", async (name, [folder, optimizer]) => {
    const path = goldenPath("training-20-steps", `${name}.npz`);
    const truth = parseNpz(readFileSync(path), path);
    const recipe = resolved({
      model: { name: "onnx", file: goldenPath(folder, "model.onnx") },
      data: { source: "batch.npz" },
      optimizer,
      batchSize: 16,
    });
    const made = await prepared(recipe, { train: goldenBatch(folder) });
    const engine = engineOf(recipe, made, nodeRuntime);
    const state = engine.start();
    const start = state.vectors.get(WEIGHTS)!;
    const order = Int32Array.from({ length: 64 }, (_, index) => index);
    const losses: number[] = [];
    for (let round = 0; round < 20 / PER_ROUND; round++) {
      state.batches = 0;
      losses.push(...(await engine.run(state, order, PER_ROUND)).loss);
    }
    const known = truth.array("losses").data as Float64Array;
    losses.forEach((loss, step) => expect(Math.abs(loss - known[step]!)).toBeLessThan(LOSS_TOLERANCE));
    const end = state.vectors.get(WEIGHTS)!;
    const [moves, truths] = [new Float64Array(end.length), new Float64Array(end.length)];
    for (const { name: initializer, dims, offset } of made.task.layout.entries) {
      truths.set(truth.array(initializer).data as Float32Array, offset);
      expect(truth.array(initializer).data.length).toBe(count(dims));
    }
    for (let index = 0; index < end.length; index++) moves[index] = end[index]! - start[index]!;
    const error = norm(moves.map((move, index) => move - truths[index]!));
    expect(error / norm(end)).toBeLessThan(WEIGHT_TOLERANCE);
    expect(error / norm(truths)).toBeLessThan(MOVE_TOLERANCE);
  });
});
