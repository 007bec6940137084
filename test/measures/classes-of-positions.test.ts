import { expect, test } from "vitest";
import { maximumError } from "../float64-array.ts";
import { curvatureByDifferences, losses64 } from "../float64-curvature.ts";
import { rowOf, samplesOf } from "../golden-model.ts";
import { measureSketch, targetsOf } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";

/** float32 sweeps against float64, in units of the largest sample's value. */
const SWEEP = 5e-6;
/** Second differences at a step and twice it, extrapolated. */
const STEP = 2e-3;

test("a softmax over tokens, as in a search for the place of an answer, mixes them: κ by second differences", async () => {
  const s = new Sketch(301, [4, 3]);
  const a = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 3, 3)])]);
  const b = s.op("Reshape", [s.op("MatMul", [a, s.columns("b", 3, 1)]), s.integers(0, 4)]);
  const net = s.done(b, 3);
  const [loss] = losses64 as [(typeof losses64)[number]];
  const measured = await measureSketch(net, loss.name, { method: "exact", perSample: true });
  expect(rowOf(measured, "a", "relative-flatness").method).toBe("taylor-exact");
  for (const layer of net.layers) {
    const truths = [0, 1, 2].map((sample) => {
      const at = (step: number) =>
        curvatureByDifferences(net, layer, loss, sample, targetsOf(net, loss.name, sample), step);
      const [near, far] = [at(STEP), at(2 * STEP)];
      return { kappa: (4 * near.kappa - far.kappa) / 3, trace: (4 * near.trace - far.trace) / 3 };
    });
    const values = (measure: string) => samplesOf(measured, layer.name, measure);
    expect(
      maximumError(
        values("relative-flatness"),
        truths.map(({ kappa }) => kappa),
      ),
    ).toBeLessThan(SWEEP);
    expect(
      maximumError(
        values("hessian-trace"),
        truths.map(({ trace }) => trace),
      ),
    ).toBeLessThan(SWEEP);
  }
});
