import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { goldenBatch, goldenModel, goldenPath, measureAll, relativeError, rowOf } from "../golden-model.ts";

/** Rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
/** ‖W‖² is summed in float64; only the truth's own summation order differs. */
const NORM = 1e-9;
/** The runtime's logits are within 9e-6 of float64's. */
const LOSS = 1e-6;
/** Lanczos stops at an error bound of 1e-5 of the value; float32 products leave 1e-6. */
const EIGENVALUE = 1e-4;

interface TwinTruth {
  readonly mean_loss: number;
  readonly layers: readonly {
    initializer: string;
    kappa: number;
    trace: number;
    frobenius_sq: number;
    lambda_max: number;
    maxeig_sum: number;
  }[];
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

  // Row by row it takes a while: for the twins whose rows differ most.
  const byRow = ["twin_neuron.onnx", "twin_softmax_shift.onnx"];
  test.each(Object.entries(twins))(
    "%s: largest eigenvalues",
    async (_, { file, from_file_float32_weights: truth }) => {
      const rows = byRow.includes(file);
      const measures = ["max-eigenvalue", ...(rows ? ["relative-flatness-max-eigenvalue"] : [])];
      const layers = truth.layers.map(({ initializer }) => initializer);
      const measured = await measureAll(goldenModel("digits-mlp-relu", file), goldenBatch("digits-mlp-relu"), {
        measures,
        layers,
      });
      for (const { initializer, lambda_max, maxeig_sum } of truth.layers) {
        const layer = initializer.replace(".weight", "");
        expect(relativeError(rowOf(measured, layer, "max-eigenvalue").value, lambda_max)).toBeLessThan(EIGENVALUE);
        if (!rows) continue;
        const { value } = rowOf(measured, layer, "relative-flatness-max-eigenvalue");
        expect(relativeError(value, maxeig_sum)).toBeLessThan(EIGENVALUE);
      }
    },
    60_000,
  );
});
