import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { layerWise } from "../../../src/graph/reparameterization/layer-wise.ts";
import { neuronWise } from "../../../src/graph/reparameterization/neuron-wise.ts";
import { rescaled } from "../../../src/graph/reparameterization/rescalings.ts";
import { softmaxShift } from "../../../src/graph/reparameterization/softmax-shift.ts";
import type { Graph } from "../../../src/graph/graph.ts";
import { goldenModel, goldenPath } from "../../golden-model.ts";
import { oneSample, rescalingsOf } from "./twins.ts";

/** Weights are rounded to float32 once, by both programs, of products that may differ in a last bit of float64. */
const ONE_ROUNDING = 2 ** -23;

const { graph } = goldenModel("digits-mlp-relu");
const { twins } = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
  twins: Record<string, { file: string; c_hidden1?: number[]; c_hidden2?: number[]; v?: number[] }>;
};
const [neurons, shift] = ["neuron", "softmax"].map((kind) =>
  Object.values(twins).find(({ file }) => file.includes(kind)),
);

/** The largest relative difference of a weight, over all constants. */
function distance(left: Graph, right: Graph): number {
  expect([...left.constants.keys()]).toEqual([...right.constants.keys()]);
  const differences = [...right.constants].map(([name, tensor]) => {
    const [truth, values] = [tensor.numbers(), left.constants.get(name)!.numbers()];
    return Array.from(truth, (value, index) => Math.abs(values[index]! - value) / Math.max(Math.abs(value), 1e-3));
  });
  return Math.max(...differences.flat());
}

describe("twins of digits-mlp-relu, as another program made them", () => {
  test.each([
    ["twin_layer_0x7_2x1_7.onnx", { "0": 7, "2": 1 / 7 }],
    ["twin_layer_2x7_4x1_7.onnx", { "2": 7, "4.weight": 1 / 7 }],
    ["twin_layer_2x8_4x1_8.onnx", { "2": 8, "4": 1 / 8 }],
    ["twin_layer_0x7_4x1_7.onnx", { "0": 7, "/4/Gemm": 1 / 7 }],
  ])("%s", (file, factors) => {
    const rescalings = rescalingsOf(graph, "layer");
    const twin = rescaled(rescalings, layerWise(rescalings, factors));
    expect(distance(twin, goldenModel("digits-mlp-relu", file).graph)).toBeLessThan(ONE_ROUNDING);
  });

  test("neuron by neuron, by its factors", () => {
    const [low, high] = [0.1, 10];
    const given = [...neurons!.c_hidden1!, ...neurons!.c_hidden2!].values();
    const draw = () => Math.log(given.next().value! / low) / Math.log(high / low);
    const rescalings = rescalingsOf(graph);
    const twin = rescaled(rescalings, neuronWise(rescalings, ["0", "2"], [low, high], draw));
    expect(distance(twin, goldenModel("digits-mlp-relu", neurons!.file).graph)).toBeLessThan(ONE_ROUNDING);
  });

  test("shifted before the softmax, by its v", () => {
    const w = graph.constants.get("4.weight")!.numbers();
    const size = Math.sqrt(Array.from(w).reduce((sum, value) => sum + value * value, 0) / w.length);
    const given = shift!.v!.values();
    const twin = softmaxShift(graph, oneSample(graph), "4", () => given.next().value! / size);
    expect(distance(twin.graph, goldenModel("digits-mlp-relu", shift!.file).graph)).toBeLessThan(ONE_ROUNDING);
    expect([...twin.scores]).toEqual([["logits", 1]]);
  });
});
