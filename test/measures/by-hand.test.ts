import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { UsageError } from "../../src/errors.ts";
import { measures } from "../../src/measures/catalog.ts";
import { measureAll, rowOf, samplesOf } from "../golden-model.ts";
import { modelOf } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";

/** Small whole numbers, exact in float32 but for roots and exponentials. */
const DIGITS = 6;

/** z = Wφ with rows w₁ = (1, 2) and w₂ = (3, 4): ‖W‖² = 30, ‖w₁ − w₂‖² = 8. */
const network = (() => {
  const s = new Sketch(1, [2]);
  const z = s.op("Gemm", ["x", s.rows("w", [2, 2], 1, [1, 2, 3, 4])], { transB: 1 });
  return modelOf(s.done(z, 1).graph);
})();

const x = { name: "x", type: "float32" as const, dims: [2, 2], data: Float32Array.of(1, 0, 1, 2) };
/** ‖φ‖² of the two samples. */
const [first, second] = [1, 5];

function data(y: { type: "float32" | "int64"; dims: number[]; data: Float32Array | BigInt64Array }) {
  return arrayDataset({ source: "hand", sha256: "" }, [x, { name: "y", ...y }]);
}

describe("linear regression: κ = 2‖W‖²·mean ‖x‖², Tr(H) = 2d·mean ‖x‖²", () => {
  const targets = data({ type: "float32", dims: [2, 2], data: Float32Array.of(1, 3, 5, 12) });

  test.each([
    ["squared-error-sum", 1],
    ["squared-error-mean", 0.5],
  ])("%s", async (loss, weight) => {
    const measured = await measureAll(network, targets, { loss, measures: "all", perSample: true });
    const value = (measure: string) => rowOf(measured, "w", measure).value;
    // Residuals (0, 0) and (0, −1).
    expect(measured.result.loss.value).toBeCloseTo(weight * 0.5, DIGITS);
    expect(value("relative-flatness")).toBeCloseTo(weight * 2 * 30 * 3, DIGITS);
    expect(value("hessian-trace")).toBeCloseTo(weight * 2 * 2 * 3, DIGITS);
    expect(value("squared-weight-norm")).toBe(30);
    const perFeature = await measureAll(network, targets, { loss, perFeature: true });
    const { value: divided, options } = rowOf(perFeature, "w", "relative-flatness");
    expect(divided).toBeCloseTo((weight * 2 * 30 * 3) / 2, DIGITS);
    expect(options).toEqual({ perFeature: true });
    expect(rowOf(perFeature, "w", "hessian-trace").options).toEqual({});
    expect(value("norm-trace")).toBeCloseTo(30 * weight * 12, DIGITS - 1);
    expect(value("norm-trace-unsquared")).toBeCloseTo(Math.sqrt(30) * weight * 12, DIGITS - 1);
    expect([...samplesOf(measured, "w", "relative-flatness")]).toEqual([weight * 60 * first, weight * 60 * second]);
  });

  test("standard errors: none of a norm, that of the mean for the rest", async () => {
    const measured = await measureAll(network, targets, { loss: "squared-error-sum", measures: "all" });
    // 60 and 300: variance 28 800, over 2 samples.
    expect(rowOf(measured, "w", "relative-flatness").standardError).toEqual({ data: 120, probe: 0 });
    expect(rowOf(measured, "w", "squared-weight-norm")).toMatchObject({
      standardError: null,
      method: "weights",
      curvature: null,
      n: 2,
    });
    expect(measured.result.loss.standardError).toBeCloseTo(0.5, DIGITS);
  });

  test("one sample has no standard error", async () => {
    const measured = await measureAll(network, targets, { loss: "squared-error-sum" }, Int32Array.of(1));
    expect(rowOf(measured, "w", "relative-flatness")).toMatchObject({
      value: 300,
      standardError: { data: null, probe: 0 },
      n: 1,
    });
    expect(measured.result.loss.standardError).toBeNull();
  });
});

describe("two classes: κ_i = ‖φ_i‖² p(1 − p)‖w₁ − w₂‖²", () => {
  test("cross-entropy", async () => {
    const labels = data({ type: "int64", dims: [2], data: BigInt64Array.of(1n, 0n) });
    const measured = await measureAll(network, labels, { perSample: true, measures: "all" });
    // Scores (1, 3) and (5, 11).
    const share = (gap: number) => 1 / (1 + Math.exp(-gap));
    const spread = [2, 6].map((gap) => share(gap) * (1 - share(gap))) as [number, number];
    const kappa = samplesOf(measured, "w", "relative-flatness");
    expect(kappa[0]).toBeCloseTo(first * spread[0] * 8, DIGITS);
    expect(kappa[1]).toBeCloseTo(second * spread[1] * 8, DIGITS);
    const trace = samplesOf(measured, "w", "hessian-trace");
    expect(trace[0]).toBeCloseTo(first * spread[0] * 2, DIGITS);
    expect(trace[1]).toBeCloseTo(second * spread[1] * 2, DIGITS);
    expect(measured.result.loss.value).toBeCloseTo((-Math.log(share(2)) - Math.log(share(-6))) / 2, DIGITS);
    expect(measured.result.loss.accuracy).toBe(0.5);
    const mean = (trace[0]! + trace[1]!) / 2;
    expect(rowOf(measured, "w", "norm-trace").value).toBeCloseTo(30 * mean, DIGITS - 1);
  });
});

test("a measure that does not exist", async () => {
  const labels = data({ type: "int64", dims: [2], data: BigInt64Array.of(1n, 0n) });
  await expect(measureAll(network, labels, { measures: ["sharpness"] })).rejects.toThrow(
    new UsageError(`measure sharpness: no such measure; there are ${measures.map(({ name }) => name).join(", ")}`),
  );
});

test("every measure says what it is", () => {
  const names = measures.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(
    expect.arrayContaining([
      "relative-flatness",
      "hessian-trace",
      "norm-trace",
      "norm-trace-unsquared",
      "squared-weight-norm",
    ]),
  );
  for (const { symbol, title, source } of measures)
    expect([symbol, title, source].every((text) => text !== "")).toBe(true);
});
