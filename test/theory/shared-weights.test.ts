import { describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import type { ModelFile } from "../../src/graph/files.ts";
import { orthogonalFamily } from "../../src/theory/feature-family.ts";
import { featureRobustness } from "../../src/theory/feature-robustness.ts";
import { averageTheory } from "../../src/theory/robustness-theory.ts";
import { goldenBatch, goldenModel, goldenTruth, type LayerTruth, measureAll, layerOf } from "../golden-model.ts";
import { datasetOf, measureSketch, modelOf } from "../sketch-data.ts";
import { smoothNetworks } from "../smooth-networks.ts";
import { withLayer } from "./opened.ts";

// Theorem 5 where weights are shared over positions or are apart in groups. Networks without kinks: κ knows none.

const STANDARD_ERRORS = 4;
/** Of a standard error beside the theory: a value that is half of what it should be would be seen. */
const SHARE = 0.125;
/** Small enough for the fourth order of δ to be below the errors, large enough for float32. */
const DELTA = 0.02;

/** How far the average over orthogonal matrices is from δ²κ/2m, in standard errors, and how large one is beside it. */
async function away(model: ModelFile, data: Dataset, layer: string, kappa: number, draws: number) {
  return withLayer(model, data, layer, async (opened) => {
    const { m } = opened.layer;
    const task = { family: orthogonalFamily(m), deltas: [DELTA], draws, seed: 11, antithetic: true };
    const [row] = await featureRobustness(opened, task, averageTheory(1, m, { value: kappa, probeError: 0 }));
    const { measured, theory, standardError } = row!;
    return { off: (measured - theory!) / standardError!, share: standardError! / Math.abs(theory!) };
  });
}

test.each(Object.entries(smoothNetworks))("%s: every layer", async (_, make) => {
  const net = make();
  const { result } = await measureSketch(net, "cross-entropy", { measures: ["relative-flatness"] });
  for (const { layer, value } of result.results) {
    if (layer === null) continue;
    const { off, share } = await away(modelOf(net.graph), datasetOf(net, "cross-entropy"), layer, value, 1_000);
    expect(Math.abs(off), layer).toBeLessThan(STANDARD_ERRORS);
    expect(share, layer).toBeLessThan(SHARE);
  }
});

describe.each([
  ["digits-cnn-gelu-bn", 200],
  ["mini-gpt", 24],
])("%s: the κ of float64", (folder, draws) => {
  const model = goldenModel(folder);
  const data = goldenBatch(folder);
  const cases = goldenTruth(folder).layers.map((truth) => [truth.node_name, truth] as const);
  test.each(cases)("of %s", async (_, truth: LayerTruth) => {
    const measurement = await measureAll(model, data, { measures: ["squared-weight-norm"] });
    const { off, share } = await away(model, data, layerOf(measurement, truth), truth.kappa_hessian, draws);
    expect(Math.abs(off)).toBeLessThan(STANDARD_ERRORS);
    expect(share).toBeLessThan(SHARE);
  });
});
