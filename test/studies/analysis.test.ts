import { describe, expect, test } from "vitest";
import { association, stratified } from "../../src/statistics/association.ts";
import { kendall, spearman } from "../../src/statistics/correlation.ts";
import { partialSpearman } from "../../src/statistics/partial-correlation.ts";
import { analyse } from "../../src/studies/analysis.ts";
import type { StudyRun } from "../../src/studies/study-run.ts";
import { changed, run, value } from "./tiny-study.ts";

const study = (text: string) => changed(["resamples: 100", `resamples: 100, ${text}`]);

/** Two optimizers: within each the gap falls as the measure grows, and both are larger with adam. */
const simpson = [
  ...[1, 2, 3, 4].map((m, index) => run(`s${m}`, m, 4 - index, { settings: { optimizer: "sgd" } })),
  ...[11, 12, 13, 14].map((m, index) => run(`a${m}`, m, 14 - index, { settings: { optimizer: "adam" } })),
];

describe("a summary", () => {
  test("has the statistics of the runs' values, with intervals at the study's seed", () => {
    const { measures, runs } = analyse(study("correlation: kendall"), simpson, []);
    const [x, y] = [
      simpson.map((each) => each.values[0]!.value),
      simpson.map((each) => each.facts["generalization-gap"] as number),
    ];
    const expected = association(kendall, x, y, { confidence: 0.95, resamples: 100, seed: 0 });
    expect(runs).toMatchObject({ total: 8, compared: 8, excluded: [], failed: [] });
    expect(measures).toHaveLength(1);
    expect(measures[0]).toMatchObject({ measure: "m", layer: "fc1", n: 8 });
    // 16 of 28 pairs are concordant (those of different optimizers), 12 are not.
    expect(measures[0]!.correlations.kendall).toEqual({
      value: (16 - 12) / 28,
      interval: [expected.interval.low, expected.interval.high],
      pValue: expected.pValue,
      adjusted: expected.pValue,
      null: [expected.null.low, expected.null.high],
    });
    expect(measures[0]!.correlations.spearman.value).toBe(spearman(x, y));
  });

  test("warns where a control's strata have the other sign than the whole", () => {
    const { measures } = analyse(study("controls: [optimizer]"), simpson, []);
    const x = simpson.map((each) => each.values[0]!.value);
    const y = simpson.map((each) => each.facts["generalization-gap"] as number);
    const optimizer = simpson.map((each) => String(each.settings["optimizer"]));
    expect(measures[0]!.strata).toEqual([
      {
        by: "optimizer",
        within: -1,
        pValue: stratified(kendall, x, y, optimizer, { resamples: 100 }).pValue,
        signDiffers: true,
        strata: [
          { name: "adam", n: 4, value: -1 },
          { name: "sgd", n: 4, value: -1 },
        ],
      },
    ]);
    expect(measures[0]!.partial!.spearman).toBe(partialSpearman(x, y, [optimizer]));
    expect(measures[0]!.partial!.spearman).toBeLessThan(0);
  });

  test("looks at runs that have all settings in common, where there are four of them", () => {
    // In each of four cells the gap grows with the measure; from cell to cell it falls more.
    const cell = (optimizer: string, batchSize: number, place: number, size = 4) =>
      Array.from({ length: size }, (_, seed) =>
        run(`${optimizer}${batchSize}${seed}`, 10 * place + seed, seed - 10 * place, {
          settings: { optimizer, batchSize },
        }),
      );
    const cells = [...cell("sgd", 16, 0), ...cell("sgd", 32, 1), ...cell("adam", 16, 2)];
    const [measure] = analyse(study("controls: [optimizer]"), [...cells, ...cell("adam", 32, 3, 3)], []).measures;
    expect(measure!.correlations.kendall.value).toBeLessThan(0);
    expect(measure!.strata.map(({ by, signDiffers }) => [by, signDiffers])).toEqual([
      ["optimizer", false],
      ["all settings together", true],
    ]);
    expect(measure!.strata[1]).toMatchObject({
      within: 1,
      strata: [
        { name: "16, adam", n: 4, value: 1 },
        { name: "16, sgd", n: 4, value: 1 },
        { name: "32, adam", n: 3, value: null },
        { name: "32, sgd", n: 4, value: 1 },
      ],
    });
    const few = [...cell("sgd", 16, 0, 3), ...cell("sgd", 32, 1, 3), ...cell("adam", 16, 2, 3)];
    expect(analyse(study("controls: []"), few, []).measures[0]!.strata).toEqual([]);
  });

  test("does not warn where they agree, and leaves out controls that do not vary", () => {
    const alike = [1, 2, 3, 4, 5, 6, 7, 8].map((m) =>
      run(`r${m}`, m, m + (m % 2), { settings: { optimizer: m % 2 ? "sgd" : "adam", batchSize: 16 } }),
    );
    const [measure] = analyse(study("controls: [optimizer, batchSize]"), alike, []).measures;
    expect(measure!.strata.map(({ by, signDiffers }) => [by, signDiffers])).toEqual([["optimizer", false]]);
    expect(measure!.partial!.controls).toEqual(["optimizer"]);
  });

  test("cuts a numeric control of many values into strata of like values", () => {
    const runs = Array.from({ length: 12 }, (_, i) =>
      run(`r${i}`, i, (7 * i) % 12, { facts: { "train-loss": i / 100 } }),
    );
    const [measure] = analyse(study("controls: [train-loss], strata: 3"), runs, []).measures;
    expect(measure!.strata[0]!.strata.map(({ name, n }) => [name, n])).toEqual([
      ["1: 0 … 0.03", 4],
      ["2: 0.04 … 0.07", 4],
      ["3: 0.08 … 0.11", 4],
    ]);
  });

  test("adjusts p values over all measures of the study", () => {
    // b is the gap itself, a has nothing to do with it.
    const runs = Array.from({ length: 12 }, (_, i) => ({
      ...run(`r${i}`, 0, i),
      values: [value("a", (5 * i) % 12), value("b", i)],
    }));
    const [a, b] = analyse(study("correlation: pearson"), runs, []).measures.map((each) => each.correlations.pearson);
    expect(b!.pValue).toBeLessThan(a!.pValue!);
    expect(b!.adjusted).toBe(Math.min(2 * b!.pValue!, a!.pValue!));
    expect(a!.adjusted).toBe(a!.pValue);
  });

  test("takes one axis of the grid at a time; seeds are repetitions, and gaps within their noise are in no order", () => {
    const at = (batchSize: number, optimizer: string, seed: number, m: number, gap: number) =>
      run(`${batchSize}${optimizer}${seed}`, m, gap, {
        settings: { batchSize, optimizer, seed },
        facts: { "gap-standard-error": 0.3 },
      });
    // Along batchSize the measure is right, along optimizer it is wrong, by gaps of 10 and of 0.4 < 0.3·√2.
    const runs = [
      at(16, "slow", 0, 2, 1),
      at(16, "fast", 0, 1, 1.4),
      at(32, "slow", 0, 4, 11),
      at(32, "fast", 0, 3, 11.4),
    ];
    const [measure] = analyse(study("correlation: kendall"), runs, []).measures;
    expect(measure!.granulated).toEqual({ axes: { batchSize: 1, optimizer: -1 }, mean: 0 });
    expect(measure!.signError).toEqual({
      environments: 2,
      mean: 0,
      ninetieth: 0,
      worst: 0,
      worstEnvironment: "batchSize 16 → 32 at optimizer=slow",
    });
    const [narrow] = analyse(study("axes: [optimizer]"), runs, []).measures;
    // One line of all four: of the pairs at the same optimizer 2 agree, of the 4 others 2 do not.
    expect(narrow!.granulated!.axes).toEqual({ optimizer: (4 - 2) / 6 });
  });

  test("has groups in the order of their value, with means of facts", () => {
    const runs = [3, 1].flatMap((separation) =>
      [1, 2, 3, 4, 5].map((m) =>
        run(`${separation}-${m}`, m, separation === 1 ? m : -m, { settings: { seed: separation } }),
      ),
    );
    const { groups } = analyse(study("by: seed"), runs, []);
    expect(
      groups.map(({ value: at, n, measures }) => [at, n, measures[0]!.mean, measures[0]!.correlation.value]),
    ).toEqual([
      [1, 5, 3, 1],
      [3, 5, 3, -1],
    ]);
    expect(groups[0]!.facts["generalization-gap"]).toBe(3);
  });

  test("leaves out values that are not numbers, and says how many are compared", () => {
    const broken: StudyRun = { ...simpson[0]!, run: "broken", values: [value("m", Number.NaN)] };
    const { measures, runs } = analyse(study("correlation: kendall"), [...simpson, broken], []);
    expect([measures[0]!.n, runs.compared]).toEqual([8, 9]);
  });
});
