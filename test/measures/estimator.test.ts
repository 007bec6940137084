import { beforeAll, describe, expect, test } from "vitest";
import type { Dataset } from "../../src/data/dataset.ts";
import { openDataset } from "../../src/data/open.ts";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { readModel } from "../../src/graph/files.ts";
import { goldenBatch, goldenModel, measureAll, relativeError, rowOf, samplesOf } from "../golden-model.ts";

/** An average over independent seeds lies this many of its standard errors from the truth at most. */
const STANDARD_ERRORS = 4;
/** Of intervals of ±1.96 standard errors, 95 % hold the truth; of 200 that are independent, 91 % to 99 %. */
const COVERAGE = [0.91, 0.99] as const;
/** The spread over 200 seeds is itself known to 5 %; the reported variance is an average over 256 samples. */
const SPREAD = 0.15;
/** The same signs in another batch: float32 sums in another order. */
const SAME_SIGNS = 1e-6;
/** The formula in another order, on the same numbers. */
const FORMULA = 1e-9;

const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const measures = ["relative-flatness", "hessian-trace"] as const;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values: ArrayLike<number>): number {
  const list = Array.from(values);
  const centre = mean(list);
  return list.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (list.length - 1);
}

describe("two largest columns exact and one probe: 200 seeds on 256 digits", () => {
  const model = readModel("example:digits-mlp");
  const indices = Int32Array.from({ length: 256 }, (_, index) => index);
  const cases = ["0", "2"].flatMap((layer) => measures.map((measure) => ({ layer, measure })));
  let exact: Measurement;
  const runs: Measurement[] = [];

  beforeAll(async () => {
    const data = await openDataset("example:digits", {});
    exact = await measureAll(model, data, { method: "exact", batch: 32 }, indices);
    for (const seed of seeds) runs.push(await measureAll(model, data, { method: "probes", seed, batch: 32 }, indices));
  }, 60_000);

  test.each(cases)("$measure of layer $layer is unbiased", ({ layer, measure }) => {
    const values = runs.map((each) => rowOf(each, layer, measure).value);
    const distance = Math.abs(mean(values) - rowOf(exact, layer, measure).value);
    expect(distance).toBeLessThan(STANDARD_ERRORS * Math.sqrt(variance(values) / seeds.length));
    expect(rowOf(runs[0]!, layer, measure).method).toBe("gauss-newton-probes");
  });

  test.each(cases)("$measure of layer $layer: the probe's standard error is honest", ({ layer, measure }) => {
    const truth = rowOf(exact, layer, measure).value;
    const rows = runs.map((each) => rowOf(each, layer, measure));
    const covered = rows.filter(({ value, standardError }) => Math.abs(value - truth) <= 1.96 * standardError!.probe);
    expect(covered.length / seeds.length).toBeGreaterThanOrEqual(COVERAGE[0]);
    expect(covered.length / seeds.length).toBeLessThanOrEqual(COVERAGE[1]);
    const reported = Math.sqrt(mean(rows.map(({ standardError }) => standardError!.probe ** 2)));
    const spread = Math.sqrt(variance(rows.map(({ value }) => value)));
    expect(relativeError(reported, spread)).toBeLessThan(SPREAD);
  });

  test.each(cases)(
    "$measure of layer $layer: the data's standard error does not contain the probe's",
    ({ layer, measure }) => {
      const plain = rowOf(exact, layer, measure).standardError!;
      expect(plain.probe).toBe(0);
      expect(
        relativeError(mean(runs.map((each) => rowOf(each, layer, measure).standardError!.data!)), plain.data!),
      ).toBeLessThan(0.01);
    },
  );

  test("the last layer is not estimated", () => {
    expect(rowOf(runs[0]!, "4", "relative-flatness")).toEqual(rowOf(exact, "4", "relative-flatness"));
  });
});

describe("convolutions: 30 seeds on LeNet5", () => {
  test("κ of every layer is unbiased, and closer than the data's own error", async () => {
    const folder = "lenet5-fashion/net00-batch64";
    const [model, data] = [goldenModel(folder), goldenBatch(folder)];
    const exact = await measureAll(model, data, { method: "exact" });
    const runs: Measurement[] = [];
    for (const seed of seeds.slice(0, 30)) runs.push(await measureAll(model, data, { method: "probes", seed }));
    for (const layer of ["conv1", "conv2", "fc1", "fc2"]) {
      const values = runs.map((each) => rowOf(each, layer, "relative-flatness").value);
      const truth = rowOf(exact, layer, "relative-flatness");
      expect(Math.abs(mean(values) - truth.value)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(variance(values) / 30));
      expect(Math.sqrt(variance(values))).toBeLessThan(truth.standardError!.data! / 3);
    }
  });
});

describe("seeds", () => {
  const folder = "digits-mlp-relu";
  const [model, data]: [ReturnType<typeof goldenModel>, Dataset] = [goldenModel(folder), goldenBatch(folder)];
  const run = (seed: number, batch: number) =>
    measureAll(model, data, { method: "probes", seed, batch, perSample: true });

  test("the same seed gives the same value on any batch, and the same bits on the same", async () => {
    const [one, seven, sixteen, again] = [await run(3, 1), await run(3, 7), await run(3, 16), await run(3, 16)];
    for (const layer of ["0", "2"]) {
      const value = (measured: Measurement) => rowOf(measured, layer, "relative-flatness").value;
      for (const other of [one, seven]) expect(relativeError(value(other), value(sixteen))).toBeLessThan(SAME_SIGNS);
      const [before, after] = [sixteen, again].map((each) => samplesOf(each, layer, "relative-flatness"));
      expect(after).toEqual(before);
    }
    expect(again.result.results).toEqual(sixteen.result.results);
  });

  test("another seed gives another value", async () => {
    const [first, second] = [await run(1, 16), await run(2, 16)];
    for (const layer of ["0", "2"]) {
      const [a, b] = [first, second].map((each) => rowOf(each, layer, "relative-flatness").value);
      expect(a).not.toBe(b);
    }
  });
});

describe("standard errors from the values of the samples", () => {
  const folder = "digits-mlp-relu";

  test.each(["exact", "probes"] as const)("%s: data² + probe² = variance / n", async (method) => {
    const measured = await measureAll(goldenModel(folder), goldenBatch(folder), { method, perSample: true });
    for (const { layer, measure, values } of measured.perSample) {
      const { value, standardError } = rowOf(measured, layer!, measure);
      expect(relativeError(value, mean(Array.from(values)))).toBeLessThan(FORMULA);
      const { data, probe } = standardError as { data: number; probe: number };
      expect(relativeError(data ** 2 + probe ** 2, variance(values) / values.length)).toBeLessThan(FORMULA);
      expect(probe > 0).toBe(method === "probes" && layer !== "4");
    }
  });
});
