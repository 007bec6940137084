import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import {
  goldenBatch,
  goldenModel,
  goldenTruth,
  layerOf,
  measureAll,
  relativeError,
  rowOf,
  samplesOf,
  type LayerTruth,
} from "../golden-model.ts";

/** What is had of any layer's mean: rounding of a few thousand float32 products. 7e-7 is the worst seen. */
const TYPICAL = 1e-5;
/** ‖W‖² is summed in float64; only the truth's own summation order differs. */
const NORM = 1e-9;
/** One sample's κ, in units of the largest |κ_i|: with a Hessian κ_i may be a difference. 2e-6 is the worst seen. */
const SAMPLE = 1e-5;
/**
 * The same in units of itself, where all that is summed is positive, or of a thousandth of the mean for samples that hardly
 * contribute.
 */
const SAMPLE_ITSELF = 1e-4;
const HARDLY_CONTRIBUTES = 1e-3;
/** The runtime's logits are within 9e-6 of float64's. */
const LOSS = 1e-6;

const folders = [
  "digits-mlp-relu",
  "digits-mlp-tanh",
  "digits-cnn-gelu-bn",
  "mini-resnet",
  "regression-mlp-1",
  "regression-mlp-3",
  "lenet5-fashion/net00-batch64",
  "mini-gpt",
] as const;

function largestError(values: ArrayLike<number>, truths: readonly number[]): number {
  const scale = Math.max(...truths.map(Math.abs));
  return Math.max(...truths.map((truth, index) => Math.abs(values[index]! - truth))) / scale;
}

/** Samples whose κ is off, in units of itself. */
function outside(values: Float32Array, truths: readonly number[]): number {
  const mean = truths.reduce((sum, value) => sum + Math.abs(value), 0) / truths.length;
  return truths.filter((truth, index) => {
    const allowed = SAMPLE_ITSELF * Math.max(Math.abs(truth), HARDLY_CONTRIBUTES * mean);
    return !(Math.abs(values[index]! - truth) <= allowed);
  }).length;
}

describe.each(folders)("%s", (folder) => {
  const truth = goldenTruth(folder);
  const value = (measured: Measurement, layer: LayerTruth, measure: string) =>
    rowOf(measured, layerOf(measured, layer), measure).value;
  let hessian: Measurement;
  let gaussNewton: Measurement;

  beforeAll(async () => {
    const [model, data] = [goldenModel(folder), goldenBatch(folder)];
    hessian = await measureAll(model, data, { method: "exact", perSample: true });
    gaussNewton = await measureAll(model, data, { method: "exact", curvature: "gauss-newton", perSample: true });
  }, 120_000);

  test.each(truth.layers)("$node_name: κ, trace and norm are those of float64", (layer) => {
    expect(relativeError(value(hessian, layer, "relative-flatness"), layer.kappa_hessian)).toBeLessThan(TYPICAL);
    expect(relativeError(value(hessian, layer, "hessian-trace"), layer.trace_hessian)).toBeLessThan(TYPICAL);
    expect(relativeError(value(hessian, layer, "squared-weight-norm"), layer.frobenius_sq)).toBeLessThan(NORM);
  });

  test.each(truth.layers)(
    "$node_name: κ and trace of the Gauss-Newton matrix, by columns and by the sweep",
    (layer) => {
      expect(relativeError(value(gaussNewton, layer, "relative-flatness"), layer.kappa_ggn)).toBeLessThan(TYPICAL);
      expect(relativeError(value(gaussNewton, layer, "hessian-trace"), layer.trace_ggn)).toBeLessThan(TYPICAL);
      const swept = ["relative-flatness", "hessian-trace"].map((measure) =>
        rowOf(hessian, layerOf(hessian, layer), measure),
      );
      swept.forEach((row, index) => {
        expect(row.gaussNewton !== undefined).toBe(row.method === "taylor-exact");
        if (!row.gaussNewton) return;
        const expected = [layer.kappa_ggn, layer.trace_ggn][index]!;
        expect(relativeError(row.gaussNewton.value, expected)).toBeLessThan(TYPICAL);
        expect(row.gaussNewton.difference).toBe(row.value - row.gaussNewton.value);
      });
    },
  );

  test.each(truth.layers)("$node_name: κ of every sample", (layer) => {
    const name = layerOf(hessian, layer);
    const values = samplesOf(hessian, name, "relative-flatness");
    expect(largestError(values, layer.kappa_hessian_i)).toBeLessThan(SAMPLE);
    const parts = samplesOf(gaussNewton, name, "relative-flatness");
    expect(largestError(parts, layer.kappa_ggn_i)).toBeLessThan(SAMPLE);
    expect(outside(parts, layer.kappa_ggn_i)).toBe(0);
    if (rowOf(hessian, name, "relative-flatness").method !== "taylor-exact") {
      expect(outside(values, layer.kappa_hessian_i)).toBe(0);
    }
  });

  test("the last layer in closed form, those below by a sweep or by columns", () => {
    const methods = truth.layers.map((layer) => rowOf(hessian, layerOf(hessian, layer), "relative-flatness").method);
    expect(methods.pop()).toBe("closed-form");
    const smooth = truth.layers.some((layer) => relativeError(layer.kappa_ggn, layer.kappa_hessian) > TYPICAL);
    expect(new Set(methods)).toEqual(new Set([smooth ? "taylor-exact" : "gauss-newton-exact"]));
  });

  test("loss and accuracy", () => {
    const { loss } = hessian.result;
    expect(relativeError(loss.value, truth.mean_loss)).toBeLessThan(LOSS);
    expect(loss.accuracy).toBe(truth.accuracy);
  });

  test("the layers are those of the file, in its order, and none is skipped", () => {
    expect(hessian.result.layers.map(({ node, d, m, skipped }) => ({ node, d, m, skipped }))).toEqual(
      truth.layers.map(({ node_name, d, m }) => ({ node: node_name, d, m, skipped: undefined })),
    );
  });
});

describe("mini-gpt, weights behind Transpose nodes", () => {
  const truth = goldenTruth("mini-gpt");
  const measure = (options: Parameters<typeof measureAll>[2]) =>
    measureAll(goldenModel("mini-gpt", "model_unfolded_transpose.onnx"), goldenBatch("mini-gpt"), options);

  test("all layers: κ and trace of the Gauss-Newton matrix", async () => {
    const measured = await measure({ method: "exact", curvature: "gauss-newton" });
    expect(measured.result.layers.map(({ d, m }) => [d, m])).toEqual(truth.layers.map(({ d, m }) => [d, m]));
    truth.layers.forEach((layer, index) => {
      const { name } = measured.result.layers[index]!;
      expect(relativeError(rowOf(measured, name, "relative-flatness").value, layer.kappa_ggn)).toBeLessThan(TYPICAL);
      expect(relativeError(rowOf(measured, name, "hessian-trace").value, layer.trace_ggn)).toBeLessThan(TYPICAL);
    });
  });

  test("the last block and the embedding: κ of the Hessian", async () => {
    const names = ["tok", "blocks.1.att.proj", "blocks.1.f1", "blocks.1.f2", "head"];
    const measured = await measure({ method: "exact", layers: names, measures: ["relative-flatness"] });
    for (const name of names) {
      const layer = truth.layers.find(({ node_name }) =>
        node_name.includes(name.replaceAll(".", "/").replace("/1", ".1")),
      );
      const row = rowOf(measured, name, "relative-flatness");
      expect(relativeError(row.value, layer!.kappa_hessian)).toBeLessThan(TYPICAL);
    }
  }, 60_000);
});
