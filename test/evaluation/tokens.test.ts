import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { DataError } from "../../src/errors.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import { maximumError } from "../float64-array.ts";
import { curvatureByDifferences, curvatureByJacobian, losses64, lossOf, type Loss64 } from "../float64-curvature.ts";
import { measureAll, rowOf, samplesOf } from "../golden-model.ts";
import { modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** float32 on the device against float64. */
const ROUNDING = 5e-6;
/** The same of a forward sweep, against second differences at STEP and Richardson's rule. */
const SWEEP = 5e-6;
const STEP = 2e-3;

const [N, T, C] = [4, 3, 4];
const IGNORED = -100;

/** Labels of each sample's tokens: all count, some, one, none. */
const labels = [
  [0, 3, 1],
  [2, IGNORED, 2],
  [IGNORED, IGNORED, 1],
  [IGNORED, IGNORED, IGNORED],
];
const counted = labels.map((list) => list.filter((label) => label !== IGNORED).length);
const terms = counted.reduce((sum, count) => sum + count, 0);
const samples = labels.map((_, index) => index);

/** Cross-entropy of T tokens of C classes, summed over those that count. @param place of class c of token t in the outputs */
function tokenLoss(own: readonly number[], place: (t: number, c: number) => number): Loss64 {
  const [entropy] = losses64 as [Loss64];
  const scoresOf = (outputs: Float64Array, t: number) =>
    Float64Array.from({ length: C }, (_, c) => outputs[place(t, c)]!);
  const kept = own.map((label, t) => ({ label, t })).filter(({ label }) => label !== IGNORED);
  return {
    name: "tokens",
    value: (outputs) =>
      kept.reduce((sum, { label, t }) => sum + entropy.value(scoresOf(outputs, t), Float64Array.of(label)), 0),
    hessian(outputs) {
      const whole = new Float64Array((T * C) ** 2);
      for (const { t } of kept) {
        const block = entropy.hessian(scoresOf(outputs, t));
        for (let j = 0; j < C; j++) {
          for (let k = 0; k < C; k++) whole[place(t, j) * T * C + place(t, k)] = block[j * C + k]!;
        }
      }
      return whole;
    },
  };
}

function measureTokens(net: Sketched, options: MeasureOptions = {}, ignored = IGNORED) {
  const flat = labels.flat().map((label) => BigInt(label === IGNORED ? ignored : label));
  const y = { name: "y", type: "int64" as const, dims: [N, T], data: BigInt64Array.from(flat) };
  const x = { name: "x", type: "float32" as const, dims: net.x.dims, data: Float32Array.from(net.x.data) };
  const data = arrayDataset({ source: "tokens", sha256: "" }, [x, y]);
  return measureAll(modelOf(net.graph), data, { batch: 3, perSample: true, ...options });
}

/** Tokens of three numbers → a, kink or curve → tokens mixed by b → kink or curve → c: scores of each token. */
function network(activation: "Relu" | "Tanh", mixed: boolean): Sketch & { scores: string } {
  const s = new Sketch(301, [T, 3]);
  const a = s.op(activation, [s.op("Add", [s.op("MatMul", ["x", s.columns("a", 3, 4)]), s.random("a.bias", [4])])]);
  const b = mixed ? s.op(activation, [s.op("MatMul", [s.rows("b", [T, T]), a])]) : a;
  const scores = s.op("MatMul", [b, s.columns("c", 4, C)]);
  return Object.assign(s, { scores });
}

const lastAxis = (t: number, c: number) => t * C + c;

describe("cross-entropy of tokens, the mean over all that count", () => {
  const s = network("Relu", true);
  const net = s.done(s.scores, N);

  test("loss and accuracy", async () => {
    const { loss } = (await measureTokens(net)).result;
    const sum = samples.reduce(
      (total, index) => total + lossOf(net, tokenLoss(labels[index]!, lastAxis), index, []),
      0,
    );
    expect(maximumError([loss.value], [sum / terms])).toBeLessThan(ROUNDING);
    expect((loss.accuracy! * terms) % 1).toBeCloseTo(0, 12);
    expect(loss.accuracy).toBeLessThanOrEqual(1);
  });

  test.each(net.layers)("κ and Tr(H) of $name by brute force, values and standard error", async (layer) => {
    const measured = await measureTokens(net);
    const exact = samples.map((index) => curvatureByJacobian(net, layer, tokenLoss(labels[index]!, lastAxis), index));
    for (const [measure, part] of [
      ["relative-flatness", "kappa"],
      ["hessian-trace", "trace"],
    ] as const) {
      const row = rowOf(measured, layer.name, measure);
      const values = exact.map((each) => each[part]);
      const ratio = values.reduce((sum, value) => sum + value, 0) / terms;
      expect(row.method).toBe(layer.name === "c" ? "closed-form" : "gauss-newton-exact");
      expect(maximumError([row.value], [ratio])).toBeLessThan(ROUNDING);
      // A sample's share: its sum by the mean number of terms, so that the mean of shares is the ratio.
      const shares = values.map((value) => value / (terms / N));
      expect(maximumError(samplesOf(measured, layer.name, measure), shares)).toBeLessThan(ROUNDING);
      const rest = values.map((value, index) => value - ratio * counted[index]!);
      const variance = rest.reduce((sum, value) => sum + value * value, 0) / (N - 1) / (terms / N) ** 2;
      expect(maximumError([row.standardError!.data!], [Math.sqrt(variance / N)])).toBeLessThan(ROUNDING);
    }
  });

  test("--ignore-index is another label that does not count", async () => {
    const [usual, other] = [await measureTokens(net), await measureTokens(net, { ignoreIndex: -1 }, -1)];
    expect(other.result.results).toEqual(usual.result.results);
    await expect(measureTokens(net, {}, -1)).rejects.toThrow(
      new DataError(
        "labels: sample 1 has label -1; expected an integer from 0 to 3, as the model has 4 outputs, or -100 for a term that does not count",
      ),
    );
  });

  test("classes in the first axis, as of images, are the same scores", async () => {
    const turned = network("Relu", true);
    const other = turned.done(turned.op("Transpose", [turned.scores], { perm: [0, 2, 1] }), N);
    const [usual, moved] = [await measureTokens(net), await measureTokens(other)];
    for (const { layer, measure, value } of usual.result.results) {
      expect(maximumError([rowOf(moved, layer!, measure).value], [value])).toBeLessThan(ROUNDING);
    }
    // z is no longer the scores as they stand, only a piecewise linear function of them.
    expect(rowOf(moved, "c", "relative-flatness").method).toBe("gauss-newton-exact");
  });
});

describe("smooth networks of tokens", () => {
  test.each([
    ["mixed above", true],
    ["not mixed above: lengths stand for features", false],
  ])("%s, by second differences", async (_, mixed) => {
    const s = network("Tanh", mixed);
    const net = s.done(s.scores, N);
    const measured = await measureTokens(net, { method: "exact" });
    for (const layer of net.layers.filter(({ name }) => name !== "c")) {
      expect(rowOf(measured, layer.name, "relative-flatness").method).toBe("taylor-exact");
      const exact = samples.map((index) => {
        const loss = tokenLoss(labels[index]!, lastAxis);
        const [near, far] = [STEP, 2 * STEP].map((step) => curvatureByDifferences(net, layer, loss, index, [], step));
        return { kappa: (4 * near!.kappa - far!.kappa) / 3, trace: (4 * near!.trace - far!.trace) / 3 };
      });
      for (const [measure, part] of [
        ["relative-flatness", "kappa"],
        ["hessian-trace", "trace"],
      ] as const) {
        const shares = exact.map((each) => each[part] / (terms / N));
        expect(maximumError(samplesOf(measured, layer.name, measure), shares)).toBeLessThan(SWEEP);
      }
    }
  });
});
