import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { goldenBatch, goldenModel, goldenTruth, layerOf, measureAll, relativeError, rowOf } from "../golden-model.ts";

/** Lanczos stops at an error bound of 1e-5 of the value; float32 products leave 1e-6. */
const EIGENVALUE = 1e-4;
/** λ_max of a block is at most that of the whole, but for the errors of both. */
const INTERLACING = 1e-4;

describe.each([
  ["digits-mlp-relu", "all"],
  ["digits-mlp-tanh", "all"],
  ["digits-cnn-gelu-bn", "all"],
  ["regression-mlp-1", "all"],
  ["regression-mlp-3", "all"],
  ["mini-resnet", ["stem", "r2.down.0", "fc"]],
] as const)("%s", (folder, asked) => {
  const [model, data] = [goldenModel(folder), goldenBatch(folder)];
  const names = asked === "all" ? undefined : new Set<string>(asked);
  const layers = goldenTruth(folder).layers;
  let hessian: Measurement;
  let gaussNewton: Measurement;
  const chosen = () => layers.filter((layer) => layerNames().has(layer.node_name));
  const layerNames = () => new Set(hessian.result.layers.map(({ node }) => node));

  beforeAll(async () => {
    const measures = ["max-eigenvalue", "relative-flatness-max-eigenvalue"];
    const options = { measures, layers: names ? [...names] : ("all" as const) };
    hessian = await measureAll(model, data, options);
    gaussNewton = await measureAll(model, data, {
      ...options,
      measures: ["max-eigenvalue"],
      curvature: "gauss-newton",
    });
  }, 60_000);

  test("λ_max of each layer's Hessian and Gauss-Newton matrix", () => {
    for (const layer of chosen()) {
      const name = layerOf(hessian, layer);
      const row = rowOf(hessian, name, "max-eigenvalue");
      expect(relativeError(row.value, layer.lambda_max_hessian)).toBeLessThan(EIGENVALUE);
      expect(row).toMatchObject({ method: "lanczos", curvature: "hessian", standardError: null });
      const other = rowOf(gaussNewton, name, "max-eigenvalue");
      expect(relativeError(other.value, layer.lambda_max_ggn)).toBeLessThan(EIGENVALUE);
      expect(other.curvature).toBe("gauss-newton");
    }
    expect(chosen()).toHaveLength(names?.size ?? layers.length);
  });

  test("Σ_s ‖w_s‖² λ_max(H_ss)", () => {
    for (const layer of chosen()) {
      const { value } = rowOf(hessian, layerOf(hessian, layer), "relative-flatness-max-eigenvalue");
      expect(relativeError(value, layer.maxeig_sum_hessian)).toBeLessThan(EIGENVALUE);
    }
  });

  test("the network's λ_max is at least each layer's, and at most their sum; none where layers are left out", () => {
    for (const measured of [hessian, gaussNewton]) {
      if (names) {
        expect(measured.result.results.every(({ layer }) => layer !== null)).toBe(true);
        continue;
      }
      const whole = measured.result.results.find(
        ({ layer, measure }) => layer === null && measure === "max-eigenvalue",
      )!;
      const parts = measured.result.layers.map(({ name }) => rowOf(measured, name, "max-eigenvalue").value);
      expect(whole.value).toBeGreaterThanOrEqual(Math.max(...parts) * (1 - INTERLACING));
      // True of a positive semidefinite matrix.
      if (measured === gaussNewton) {
        expect(whole.value).toBeLessThanOrEqual(parts.reduce((sum, value) => sum + value, 0) * (1 + INTERLACING));
      }
    }
  });

  test("no run of products ends without a bound that is small enough", () => {
    for (const measured of [hessian, gaussNewton]) {
      expect(measured.result.warnings.map(({ code }) => code)).not.toContain("iteration-not-converged");
    }
  });
});
