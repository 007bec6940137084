import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { maximumError } from "../float64-array.ts";
import { curvatureByDifferences, curvatureByJacobian, isAffineIn, lossOf, losses64 } from "../float64-curvature.ts";
import { rowOf, samplesOf } from "../golden-model.ts";
import { measureSketch, targetsOf } from "../sketch-data.ts";
import { TIED, tinyNetworks } from "../tiny-networks.ts";

/** float32 on the device against float64: sums of at most a few hundred products. */
const ROUNDING = 5e-6;
/** Second differences of a loss near 1 at steps of 1e-4 in float64: ε/step² is 2e-8, over curvatures that can be 1e-3. */
const DIFFERENCES = 5e-5;

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(Object.entries(tinyNetworks))("%s", (name, make) => {
  const net = make();
  const samples = Array.from({ length: net.x.dims[0]! }, (_, index) => index);

  test.each(net.layers)("H = JᵀGJ for $name: affine in W, and as second differences of the loss have it", (layer) => {
    expect(isAffineIn(net, layer)).toBe(true);
    if (name === TIED) return;
    const [loss] = losses64 as [(typeof losses64)[number]];
    const exact = samples.map((index) => curvatureByJacobian(net, layer, loss, index));
    const differences = samples.map((index) =>
      curvatureByDifferences(net, layer, loss, index, targetsOf(net, loss.name, index)),
    );
    const error = (pick: (value: { kappa: number; trace: number }) => number) =>
      maximumError(differences.map(pick), exact.map(pick));
    expect(error(({ kappa }) => kappa)).toBeLessThan(DIFFERENCES);
    expect(error(({ trace }) => trace)).toBeLessThan(DIFFERENCES);
  });

  describe.each(losses64)("$name", (loss) => {
    let measured: Measurement;

    beforeAll(async () => {
      measured = await measureSketch(net, loss.name, { batch: 2, perSample: true });
    });

    test("the loss", () => {
      const values = samples.map((index) => lossOf(net, loss, index, targetsOf(net, loss.name, index)));
      expect(maximumError([measured.result.loss.value], [mean(values)])).toBeLessThan(ROUNDING);
    });

    test.each(net.layers)("κ and Tr(H) of $name", (layer) => {
      const exact = samples.map((index) => curvatureByJacobian(net, layer, loss, index));
      for (const [measure, part] of [
        ["relative-flatness", "kappa"],
        ["hessian-trace", "trace"],
      ] as const) {
        const values = exact.map((each) => each[part]);
        expect(maximumError(samplesOf(measured, layer.name, measure), values)).toBeLessThan(ROUNDING);
        expect(maximumError([rowOf(measured, layer.name, measure).value], [mean(values)])).toBeLessThan(ROUNDING);
      }
    });
  });
});
