import { beforeAll, describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { goldenBatch, goldenModel, measureAll, relativeError, rowOf, samplesOf } from "../golden-model.ts";

/** An average over independent seeds lies this many of its standard errors from the truth at most. */
const STANDARD_ERRORS = 4;
/**
 * Of intervals of ±1.96 standard errors 95 % hold the truth, 94 % where the variance comes of 32 pairs of draws: 91 % to 99 % of 200
 * that are independent.
 */
const COVERAGE = [0.91, 0.99] as const;
/** The spread over 200 seeds is itself known to 5 %. */
const SPREAD = 0.2;
/** The same signs in another batch: float32 sums in another order. */
const SAME_SIGNS = 1e-6;
/** The Gauss-Newton part, made exact by columns on either route. */
const EXACT_PART = 1e-6;

const seeds = Array.from({ length: 200 }, (_, seed) => seed);
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

function variance(values: readonly number[]): number {
  const centre = mean(values);
  return values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / (values.length - 1);
}

const cases = [
  // Positions mixed above, and few enough classes for an exact Gauss-Newton part.
  { folder: "digits-cnn-gelu-bn", layers: ["c2"], measures: ["relative-flatness", "hessian-trace"] },
  // Positions mixed, and not, 496 columns: the probes carry all.
  { folder: "mini-gpt", layers: ["blocks.0.att.proj", "blocks.1.f2"], measures: ["relative-flatness"] },
];

describe.each(cases)("four probes, 200 seeds: $folder", ({ folder, layers, measures }) => {
  const each = layers.flatMap((layer) => measures.map((measure) => ({ layer, measure })));
  const [model, data] = [goldenModel(folder), goldenBatch(folder)];
  const runs: Measurement[] = [];
  let exact: Measurement;

  beforeAll(async () => {
    exact = await measureAll(model, data, { method: "exact", layers, measures });
    for (const seed of seeds) runs.push(await measureAll(model, data, { method: "probes", layers, measures, seed }));
  }, 120_000);

  test.each(each)("$measure of $layer is unbiased", ({ layer, measure }) => {
    const rows = runs.map((run) => rowOf(run, layer, measure));
    const values = rows.map(({ value }) => value);
    const error = Math.sqrt(variance(values) / seeds.length);
    expect(Math.abs(mean(values) - rowOf(exact, layer, measure).value)).toBeLessThan(STANDARD_ERRORS * error);
    const parts = rows.map(({ gaussNewton }) => gaussNewton!.value);
    const part = rowOf(exact, layer, measure).gaussNewton!.value;
    const allowed = STANDARD_ERRORS * Math.sqrt(variance(parts) / seeds.length) + EXACT_PART * part;
    expect(Math.abs(mean(parts) - part)).toBeLessThan(allowed);
    expect(new Set(rows.map(({ method }) => method))).toEqual(new Set(["taylor-probes"]));
    expect(rowOf(exact, layer, measure).standardError!.probe).toBe(0);
  });

  test.each(each)("$measure of $layer: the probe's standard error is honest", ({ layer, measure }) => {
    const truth = rowOf(exact, layer, measure).value;
    const rows = runs.map((run) => rowOf(run, layer, measure));
    const covered = rows.filter(({ value, standardError }) => Math.abs(value - truth) <= 1.96 * standardError!.probe);
    expect(covered.length / seeds.length).toBeGreaterThanOrEqual(COVERAGE[0]);
    expect(covered.length / seeds.length).toBeLessThanOrEqual(COVERAGE[1]);
    const reported = Math.sqrt(mean(rows.map(({ standardError }) => standardError!.probe ** 2)));
    expect(relativeError(reported, Math.sqrt(variance(rows.map(({ value }) => value))))).toBeLessThan(SPREAD);
  });

  test.each(each)(
    "$measure of $layer: the data's standard error does not contain the probe's",
    ({ layer, measure }) => {
      const reported = runs.map((run) => rowOf(run, layer, measure).standardError!.data! ** 2);
      const truth = rowOf(exact, layer, measure).standardError!.data! ** 2;
      // Unbiased before it is cut at zero.
      const error = Math.sqrt(variance(reported) / seeds.length);
      expect(Math.abs(mean(reported) - truth)).toBeLessThan(STANDARD_ERRORS * error);
    },
  );
});

describe.each([
  ["digits-cnn-gelu-bn", "c2"],
  ["mini-gpt", "blocks.0.att.proj"],
  ["mini-gpt", "blocks.1.f2"],
])("seeds: %s %s", (folder, layer) => {
  const [model, data] = [goldenModel(folder), goldenBatch(folder)];
  const indices = Int32Array.from({ length: 10 }, (_, index) => index);
  const run = (seed: number, batch?: number, probes?: number) =>
    measureAll(model, data, { method: "probes", layers: [layer], seed, batch, probes, perSample: true }, indices);
  const value = (measured: Measurement, measure = "relative-flatness") => rowOf(measured, layer, measure).value;

  test("the same seed gives the same bits on the same batch, and the same value on any", async () => {
    const [once, again, one, three] = [await run(5, 4), await run(5, 4), await run(5, 1), await run(5, 3)];
    expect(again.result.results).toEqual(once.result.results);
    expect(samplesOf(again, layer, "relative-flatness")).toEqual(samplesOf(once, layer, "relative-flatness"));
    for (const other of [one, three]) {
      for (const measure of ["relative-flatness", "hessian-trace"]) {
        expect(relativeError(value(other, measure), value(once, measure))).toBeLessThan(SAME_SIGNS);
      }
    }
  });

  test("another seed gives another value; more probes a smaller error", async () => {
    expect(value(await run(6, 4))).not.toBe(value(await run(5, 4)));
    const [few, many] = [await run(5, 4, 1), await run(5, 4, 32)].map(
      (measured) => rowOf(measured, layer, "relative-flatness").standardError!.probe,
    ) as [number, number];
    // Five times smaller on average; the estimate from ten pairs is off by a quarter.
    expect(many).toBeLessThan(few / 2);
  });
});
