import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { maximumError } from "../float64-array.ts";
import { curvatureByDifferences, losses64, type Loss64 } from "../float64-curvature.ts";
import { rowOf, samplesOf } from "../golden-model.ts";
import { rewritten } from "../rewritten.ts";
import { measureSketch, targetsOf } from "../sketch-data.ts";
import type { Sketched, SketchedLayer } from "../sketch.ts";
import { smoothNetworks } from "../smooth-networks.ts";

/**
 * float32 sweeps against float64. A sample's value may be a small difference of parts of both signs: relative to the largest
 * sample's.
 */
const SWEEP = 5e-6;
/** Step of the second differences: the fourth power of it and rounding over its square are 1e-10 alike. */
const STEP = 2e-3;

const measures = [
  ["relative-flatness", "kappa"],
  ["hessian-trace", "trace"],
] as const;

/** Second differences at two steps, so that the fourth derivative drops out (Richardson). */
function curvature(net: Sketched, layer: SketchedLayer, loss: Loss64, sample: number) {
  const at = (step: number) =>
    curvatureByDifferences(net, layer, loss, sample, targetsOf(net, loss.name, sample), step);
  const [near, far] = [at(STEP), at(2 * STEP)];
  return { kappa: (4 * near.kappa - far.kappa) / 3, trace: (4 * near.trace - far.trace) / 3 };
}

const chosen = losses64.filter(({ name }) => name === "cross-entropy" || name === "squared-error-mean");

describe.each(Object.entries(smoothNetworks))("%s", (_, make) => {
  const net = make();
  const samples = Array.from({ length: net.x.dims[0]! }, (__, index) => index);

  describe.each(chosen)("$name", (loss) => {
    let measured: Measurement;

    beforeAll(async () => {
      measured = await measureSketch(net, loss.name, { batch: 2, perSample: true, method: "exact" });
    });

    test.each(net.layers)("κ and Tr(H) of $name by second differences", (layer) => {
      const exact = samples.map((index) => curvature(net, layer, loss, index));
      for (const [measure, part] of measures) {
        const values = samplesOf(measured, layer.name, measure);
        expect(
          maximumError(
            values,
            exact.map((each) => each[part]),
          ),
        ).toBeLessThan(SWEEP);
      }
      const { method } = rowOf(measured, layer.name, "relative-flatness");
      expect(method).toBe(layer === net.layers.at(-1) ? "closed-form" : "taylor-exact");
    });
  });
});

test("the Gauss-Newton part of the sweep is what pulled back columns give", async () => {
  for (const make of Object.values(smoothNetworks)) {
    const net = make();
    const swept = await measureSketch(net, "cross-entropy", { method: "exact" });
    const columns = await measureSketch(net, "cross-entropy", { curvature: "gauss-newton" });
    for (const { layer, measure, value, gaussNewton } of swept.result.results) {
      if (!gaussNewton) continue;
      const forced = rowOf(columns, layer!, measure);
      expect(forced).toMatchObject({ method: "gauss-newton-exact", curvature: "gauss-newton" });
      expect(maximumError([gaussNewton.value], [forced.value])).toBeLessThan(SWEEP);
      expect(gaussNewton.value + gaussNewton.difference).toBeCloseTo(value, 12);
    }
  }
});

test("a layer of zeros has κ = 0 and a trace", async () => {
  const net = rewritten(smoothNetworks["dense: lengths stand for features"]!(), { "b.weight": () => 0 });
  const layer = net.layers[1]!;
  for (const method of ["exact", "probes"] as const) {
    const measured = await measureSketch(net, "cross-entropy", { method });
    expect(rowOf(measured, "b", "relative-flatness").value).toBeCloseTo(0, 12);
    if (method === "probes") continue;
    const traces = [0, 1, 2].map((index) => curvature(net, layer, chosen[0]!, index).trace);
    const mean = traces.reduce((sum, value) => sum + value / 3, 0);
    expect(maximumError([rowOf(measured, "b", "hessian-trace").value], [mean])).toBeLessThan(SWEEP);
  }
});
