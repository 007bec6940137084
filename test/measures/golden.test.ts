import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import {
  goldenBatch,
  goldenModel,
  goldenPath,
  goldenTruth,
  measureAll,
  relativeError,
  rowOf,
  samplesOf,
  type LayerTruth,
} from "../golden-model.ts";

/** What DESIGN promises of any layer's mean: float32 on the device against float64. */
const RELATIVE = 1e-4;
/** What is in fact had where activations do not sit on a kink: rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
/** ‖W‖² is summed in float64; only the truth's own summation order differs. */
const NORM = 1e-9;
/** One sample's κ, in units of itself, or of a thousandth of the mean for samples that hardly contribute. */
const SAMPLE = 1e-4;
const HARDLY_CONTRIBUTES = 1e-3;
/** Samples that may lie outside: float32 can put a pre-activation on the other side of a kink. None does here. */
const SAMPLES_OUTSIDE = 0;
/** The runtime's logits are within 9e-6 of float64's. */
const LOSS = 1e-6;

describe.each(["digits-mlp-relu", "mini-resnet", "lenet5-fashion/net00-batch64"])("%s", (folder) => {
  const truth = goldenTruth(folder);
  let measured: Measurement;

  beforeAll(async () => {
    measured = await measureAll(goldenModel(folder), goldenBatch(folder), { perSample: true });
  });

  const layerNamed = ({ node_name }: LayerTruth) =>
    measured.result.layers.find(({ node }) => node === node_name)?.name as string;

  test.each(truth.layers)("$node_name: κ, trace and norm are those of float64", (layer) => {
    const name = layerNamed(layer);
    const kappa = relativeError(rowOf(measured, name, "relative-flatness").value, layer.kappa_hessian);
    const trace = relativeError(rowOf(measured, name, "hessian-trace").value, layer.trace_hessian);
    expect(kappa).toBeLessThan(RELATIVE);
    expect(trace).toBeLessThan(RELATIVE);
    expect(kappa).toBeLessThan(TYPICAL);
    expect(trace).toBeLessThan(TYPICAL);
    expect(relativeError(rowOf(measured, name, "squared-weight-norm").value, layer.frobenius_sq)).toBeLessThan(NORM);
  });

  test.each(truth.layers)("$node_name: κ of every sample", (layer) => {
    const truths = layer.kappa_hessian_i;
    const mean = truths.reduce((sum, value) => sum + Math.abs(value), 0) / truths.length;
    const outside = Array.from(samplesOf(measured, layerNamed(layer), "relative-flatness")).filter((value, index) => {
      const expected = truths[index] as number;
      return !(Math.abs(value - expected) <= SAMPLE * Math.max(Math.abs(expected), HARDLY_CONTRIBUTES * mean));
    });
    expect(outside).toHaveLength(SAMPLES_OUTSIDE);
  });

  test("loss and accuracy", () => {
    const { value, accuracy } = measured.result.loss;
    expect(relativeError(value, truth.mean_loss)).toBeLessThan(LOSS);
    expect(accuracy).toBe(truth.accuracy);
  });

  test("the layers are those of the file, in its order", () => {
    expect(measured.result.layers.map(({ node, d, m }) => ({ node, d, m }))).toEqual(
      truth.layers.map(({ node_name, d, m }) => ({ node: node_name, d, m })),
    );
  });
});

interface TwinTruth {
  readonly mean_loss: number;
  readonly layers: readonly { initializer: string; kappa: number; trace: number; frobenius_sq: number }[];
}

const { twins } = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
  twins: Record<string, { file: string; from_file_float32_weights: TwinTruth }>;
};

describe("reparameterised twins of digits-mlp-relu", () => {
  test.each(Object.entries(twins))("%s", async (_, { file, from_file_float32_weights: truth }) => {
    const measured = await measureAll(goldenModel("digits-mlp-relu", file), goldenBatch("digits-mlp-relu"));
    expect(relativeError(measured.result.loss.value, truth.mean_loss)).toBeLessThan(LOSS);
    for (const { initializer, kappa, trace, frobenius_sq } of truth.layers) {
      const layer = initializer.replace(".weight", "");
      expect(relativeError(rowOf(measured, layer, "relative-flatness").value, kappa)).toBeLessThan(TYPICAL);
      expect(relativeError(rowOf(measured, layer, "hessian-trace").value, trace)).toBeLessThan(TYPICAL);
      expect(relativeError(rowOf(measured, layer, "squared-weight-norm").value, frobenius_sq)).toBeLessThan(NORM);
    }
  });
});

describe.each([
  ["digits-mlp-tanh", "Tanh", "/1/Tanh"],
  ["digits-cnn-gelu-bn", "Erf", "/Erf"],
  ["regression-mlp-1", "Softplus", "/1/Softplus"],
  ["regression-mlp-3", "Tanh", "/1/Tanh"],
])("%s, smooth inside", (folder, op, node) => {
  const truth = goldenTruth(folder);
  let measured: Measurement;

  beforeAll(async () => {
    measured = await measureAll(goldenModel(folder), goldenBatch(folder), { perSample: true });
  });

  test("the last layer needs no rule for what is below", () => {
    const layer = truth.layers.at(-1) as LayerTruth;
    const name = measured.result.layers.at(-1)?.name as string;
    const row = rowOf(measured, name, "relative-flatness");
    expect(row.method).toBe("closed-form");
    expect(relativeError(row.value, layer.kappa_hessian)).toBeLessThan(TYPICAL);
    expect(relativeError(rowOf(measured, name, "hessian-trace").value, layer.trace_hessian)).toBeLessThan(TYPICAL);
    samplesOf(measured, name, "relative-flatness").forEach((value, index) => {
      expect(relativeError(value, layer.kappa_hessian_i[index] as number)).toBeLessThan(SAMPLE);
    });
    expect(relativeError(measured.result.loss.value, truth.mean_loss)).toBeLessThan(LOSS);
  });

  test("the layers below are skipped, with the reason, and their norms are still there", () => {
    const below = measured.result.layers.slice(0, -1);
    expect(below).toHaveLength(truth.layers.length - 1);
    expect(below[0]?.skipped).toContain(`operator ${op} of node ${node} (${op}) above it`);
    below.forEach(({ name, skipped }, index) => {
      expect(skipped).toBeDefined();
      expect(measured.result.results.filter(({ layer }) => layer === name).map(({ measure }) => measure)).toEqual([
        "squared-weight-norm",
      ]);
      const norm = rowOf(measured, name, "squared-weight-norm").value;
      expect(relativeError(norm, truth.layers[index]?.frobenius_sq as number)).toBeLessThan(NORM);
    });
  });
});
