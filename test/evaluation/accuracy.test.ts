import { describe, expect, test } from "vitest";
import { measureToAccuracy } from "../../src/evaluation/accuracy.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { rowOf } from "../golden-model.ts";
import { rewritten } from "../rewritten.ts";
import { datasetOf, measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Estimates lie within this many standard errors of the truth at fixed seeds. */
const STANDARD_ERRORS = 4;
/** A probe's variance is itself estimated, from 256 samples of a skewed law: its root is known to a quarter. */
const QUARTER = 0.25;

const dense = (s: Sketch, x: string, name: string, d: number, m: number) =>
  s.op("Gemm", [x, s.rows(name, [d, m])], { transB: 1 });

function relu(n: number): Sketched {
  const s = new Sketch(401, [6]);
  return s.done(dense(s, s.op("Relu", [dense(s, "x", "a", 8, 6)]), "b", 5, 8), n);
}

/**
 * Scores of 12 classes: more columns than are made exact, so that the probes carry all of the Hessian. Pre-activations are small,
 * so that it is not far from the Gauss-Newton matrix and κ not near 0.
 */
function tanh(n: number): Sketched {
  const s = new Sketch(402, [6]);
  const net = s.done(dense(s, s.op("Tanh", [dense(s, "x", "a", 8, 6)]), "b", 12, 8), n);
  return rewritten(net, { "a.weight": (value) => 0.2 * value });
}

async function toAccuracy(net: Sketched, target: number, options: MeasureOptions = {}) {
  const data = datasetOf(net, "cross-entropy");
  const indices = Int32Array.from({ length: data.n }, (_, index) => index);
  let sessions = 0;
  const runtime = {
    ...nodeRuntime,
    open(...given: Parameters<typeof nodeRuntime.open>) {
      sessions += 1;
      return nodeRuntime.open(...given);
    },
  };
  const sampled = { data, indices, description: "all" };
  const measured = await measureToAccuracy(modelOf(net.graph), sampled, { threads: 1, ...options }, target, runtime);
  return { measured, result: measured.result, sessions };
}

const errorOf = ({ value, standardError }: ReturnType<typeof rowOf>) =>
  Math.hypot(standardError!.data!, standardError!.probe) / Math.abs(value);

describe("--relative-error", () => {
  const net = relu(6000);

  test("stops when every averaged row has it, long before all samples are taken", async () => {
    const { result } = await toAccuracy(net, 0.05);
    for (const row of result.results) if (row.standardError) expect(errorOf(row)).toBeLessThanOrEqual(0.05);
    expect(result.data.n).toBeLessThan(4000);
    expect(result.data.samples).toBe(`${result.data.n} drawn at random of: all`);
    // Weights are random, and so no minimum, which some samples may or may not tell.
    expect(result.warnings.filter(({ code }) => code !== "gradient-not-small")).toEqual([]);
  });

  test("takes no more than the first round where that is enough", async () => {
    const { result, sessions } = await toAccuracy(net, 0.5);
    // One for the averages, one to look at the gradient.
    expect([result.data.n, sessions]).toEqual([256, 2]);
  });

  test("draws the same samples for the same seed, others for another, and estimates what all have", async () => {
    const whole = await measureSketch(net, "cross-entropy", { layers: "last" });
    const runs = [];
    for (const seed of [1, 1, 2, 3]) runs.push((await toAccuracy(net, 0.5, { seed, layers: "last" })).measured);
    const kappas = runs.map((measured) => rowOf(measured, "b", "relative-flatness"));
    expect(kappas[1]).toEqual(kappas[0]);
    expect(new Set(kappas.map(({ value }) => value)).size).toBe(3);
    for (const { value, standardError } of kappas) {
      const difference = Math.abs(value - rowOf(whole, "b", "relative-flatness").value);
      expect(difference).toBeLessThan(STANDARD_ERRORS * standardError!.data!);
    }
  });

  test("warns when all samples do not have it", async () => {
    const { result } = await toAccuracy(relu(300), 0.001);
    expect(result.data).toMatchObject({ n: 300, samples: "all" });
    const [warning, ...others] = result.warnings.filter(({ code }) => code !== "gradient-not-small");
    expect(others).toEqual([]);
    expect(warning?.code).toBe("relative-error-not-met");
    expect(warning?.text).toMatch(
      /^a relative standard error of 0\.001 was asked for; (relative-flatness|hessian-trace) has 0\.\d+ on all samples given$/,
    );
    expect(["a", "b"]).toContain(warning?.layer);
  });

  const probing: MeasureOptions = { method: "probes", layers: ["a"], measures: ["relative-flatness"], probes: 1 };

  test("then takes more probes, where these are what is left", async () => {
    const few = tanh(200);
    const { value, standardError } = rowOf((await toAccuracy(few, 0.9, probing)).measured, "a", "relative-flatness");
    const target = Math.hypot(standardError!.data!, standardError!.probe / Math.sqrt(3)) / value;
    const { result, measured, sessions } = await toAccuracy(few, target, probing);
    // One probe, then two or more: three passes each.
    expect(sessions).toBeGreaterThanOrEqual(6);
    expect(result.warnings.map(({ code }) => code)).not.toContain("relative-error-not-met");
    expect(errorOf(rowOf(measured, "a", "relative-flatness"))).toBeLessThanOrEqual(target);
  });

  test("but not where the data's own spread is already too much", async () => {
    const { result, sessions } = await toAccuracy(tanh(200), 0.001, probing);
    expect(sessions).toBe(3);
    expect(result.warnings.map(({ code }) => code)).toContain("relative-error-not-met");
  });
});

describe("--probes", () => {
  // Few enough for an exact Gauss-Newton part whatever the number of probes.
  const net = tanh(190);
  const probed = async (probes: number, seed = 0) =>
    rowOf(
      await measureSketch(net, "cross-entropy", { method: "probes", probes, seed, layers: ["a"] }),
      "a",
      "relative-flatness",
    );

  test("the probes' error falls with the root of their number, the data's stays", async () => {
    const errors: number[] = [];
    const ofData: number[] = [];
    for (const probes of [2, 8, 32]) {
      let squares = 0;
      // One seed's error bar is itself some 15 % off.
      for (const seed of [0, 1, 2, 3, 4]) {
        const { options, standardError } = await probed(probes, seed);
        expect(options).toEqual({ probes });
        squares += standardError!.probe ** 2 / 5;
        if (seed === 0) ofData.push(standardError!.data!);
      }
      errors.push(Math.sqrt(squares));
    }
    const [two, eight, many] = errors as [number, number, number];
    expect(Math.abs(two / eight / 2 - 1)).toBeLessThan(QUARTER);
    expect(Math.abs(two / many / 4 - 1)).toBeLessThan(QUARTER);
    expect(Math.abs(ofData[1]! / ofData[2]! - 1)).toBeLessThan(QUARTER);
  });

  test("is honest: on the same samples the estimate is off by its probe error", async () => {
    const exact = rowOf(await measureSketch(net, "cross-entropy", { method: "exact" }), "a", "relative-flatness");
    const ratios: number[] = [];
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const { value, standardError } = await probed(2, seed);
      ratios.push((value - exact.value) / standardError!.probe);
    }
    for (const ratio of ratios) expect(Math.abs(ratio)).toBeLessThan(STANDARD_ERRORS);
    // The mean square of eight standard normal numbers is 1 ± ½.
    const square = ratios.reduce((sum, ratio) => sum + ratio ** 2 / ratios.length, 0);
    expect(Math.abs(square - 1)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(2 / ratios.length));
  });

  test("few classes: the Gauss-Newton part is exact, and the probes carry the rest alone", async () => {
    const s = new Sketch(403, [6]);
    const three = s.done(dense(s, s.op("Tanh", [dense(s, "x", "a", 8, 6)]), "b", 3, 8), 100);
    const [estimate, exact] = [
      await measureSketch(three, "cross-entropy", { method: "probes" }),
      await measureSketch(three, "cross-entropy", { method: "exact" }),
    ].map((measured) => rowOf(measured, "a", "relative-flatness"));
    expect(estimate!.gaussNewton!.value / exact!.gaussNewton!.value).toBeCloseTo(1, 5);
    expect(estimate!.value).not.toBe(exact!.value);
    expect(Math.abs(estimate!.value - exact!.value)).toBeLessThan(STANDARD_ERRORS * estimate!.standardError!.probe);
  });
});
