import { describe, expect, test } from "vitest";
import type { OpenedLayer } from "../../src/evaluation/layer-changes.ts";
import { kernelFamily } from "../../src/theory/feature-family.ts";
import { featureRobustness } from "../../src/theory/feature-robustness.ts";
import { interpolatedRisk } from "../../src/theory/interpolated-risk.ts";
import { goldenBatch, goldenModel } from "../golden-model.ts";
import { withLayer } from "./opened.ts";

/** Proposition 2: what vectors ξ ~ λ_i do to features, matrices rO do through weights. Both are estimates. */
const STANDARD_ERRORS = 4;
const DELTA = 0.3;
const SIGMA = 0.5;

const networks = [
  ["digits-mlp-relu", 1],
  ["digits-mlp-tanh", 1],
  ["regression-mlp-3", 0],
] as const;

/** E_F by both routes, their difference in joint standard errors. */
async function differenceOf(opened: OpenedLayer, bandwidth?: (length: number) => number): Promise<number> {
  const task = { delta: DELTA, sigma: SIGMA, draws: 400, seed: 100, ...(bandwidth && { bandwidth }) };
  const vectors = await interpolatedRisk(opened, task);
  const family = kernelFamily(opened.layer.m, SIGMA);
  const matrices = { family, deltas: [DELTA], draws: 2_000, seed: 200, antithetic: true };
  const [row] = await featureRobustness(opened, matrices, { at: () => undefined });
  const [sum, terms] = [{ value: 0 }, { value: 0 }];
  for await (const batch of opened.batches()) {
    (await batch.losses()).forEach((value) => (sum.value += value));
    batch.terms.forEach((value) => (terms.value += value));
  }
  const byVectors = vectors.constantLabels.mean - sum.value / terms.value;
  const error = Math.hypot(vectors.constantLabels.drawError!, row!.standardError!);
  expect(error).toBeLessThan(0.1 * Math.abs(row!.measured));
  return (byVectors - row!.measured) / error;
}

describe.each(networks)("vectors and matrices on %s, layer %i", (folder, layer) => {
  const model = goldenModel(folder);
  const data = goldenBatch(folder);
  const run = (bandwidth?: (length: number) => number) =>
    withLayer(model, data, layerName(folder, layer), (opened) => differenceOf(opened, bandwidth));

  test("agree within their errors", async () => {
    expect(Math.abs(await run())).toBeLessThan(STANDARD_ERRORS);
  }, 120_000);

  test("do not where the bandwidth is that of √‖φ‖", async () => {
    expect(Math.abs(await run((length) => DELTA * Math.sqrt(length)))).toBeGreaterThan(STANDARD_ERRORS);
  }, 120_000);
});

function layerName(folder: string, layer: number): string {
  const model = goldenModel(folder);
  const weights = [...model.graph.constants].filter(([, tensor]) => tensor.dims.length === 2);
  return weights[layer]![0];
}
