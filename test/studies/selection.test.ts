import { describe, expect, test } from "vitest";
import { atLoss, columnOf, selected } from "../../src/studies/selection.ts";
import type { StudyRun } from "../../src/studies/study-run.ts";
import { changed, run } from "./tiny-study.ts";

const analysisOf = (text: string) => changed(["resamples: 100", text], ["seeds: 3", "seeds: 3\n  record: 1"]).analysis;

/** A network at an epoch, with its train and test loss and measure. */
function record(id: string, epoch: number, [train, test]: readonly [number, number], m: number): StudyRun {
  return run(id, m, test - train, { epoch, facts: { "train-loss": train, "test-loss": test, "test-accuracy": epoch } });
}

describe("what is compared", () => {
  test("is each network's last record, in the order of the runs", () => {
    const records = [
      record("a", 1, [1, 2], 10),
      record("a", 2, [0.5, 2], 20),
      record("b", 2, [0.4, 3], 30),
      record("b", 1, [1, 3], 40),
    ];
    const { runs, excluded } = selected(records, analysisOf("resamples: 100"));
    expect(runs.map((each) => [each.run, each.epoch, each.values[0]!.value])).toEqual([
      ["a", 2, 20],
      ["b", 2, 30],
    ]);
    expect(excluded).toEqual([]);
  });

  test("is what no rule excludes; bounds themselves count, and each exclusion has its reason", () => {
    const runs = [
      run("low", 1, 0.1, { facts: { "train-loss": 0.05 } }),
      run("edge", 1, 0.1, { facts: { "train-loss": 0.1 } }),
      run("high", 1, 0.1, { facts: { "train-loss": 0.11 } }),
      run("adam", 1, 0.1, { facts: { "train-loss": 0.05 }, settings: { optimizer: "adam" } }),
      run("small", 1, 0.1, { facts: { "train-loss": 0.001 } }),
      run("without", 1, Number.NaN, { facts: { "train-loss": 0.05, "generalization-gap": null } }),
    ];
    const rules = `exclude: [
      { column: train-loss, above: 0.1, reason: not trained },
      { column: train-loss, below: 0.01, reason: trained too far },
      { column: optimizer, equals: adam, reason: no adam }]`;
    const found = selected(runs, analysisOf(rules));
    expect(found.runs.map((each) => each.run)).toEqual(["low", "edge"]);
    expect(found.excluded).toEqual([
      { run: "high", reason: "not trained" },
      { run: "adam", reason: "no adam" },
      { run: "small", reason: "trained too far" },
      { run: "without", reason: "it has no generalization-gap" },
    ]);
  });
});

describe("networks at the same train loss", () => {
  // From 1 to 0.01 in the logarithm: 0.1 is half way. The loss rises again: the first crossing counts.
  const records = [
    record("a", 1, [1, 2], 10),
    record("a", 2, [0.01, 3], 30),
    record("a", 3, [0.5, 9], 90),
    record("a", 4, [0.001, 9], 90),
  ];

  test("are on the line between two records, in the logarithm of the train loss", () => {
    const found = atLoss(records, 0.1)!;
    expect(found.facts["train-loss"]).toBe(0.1);
    expect(found.facts["test-loss"]).toBeCloseTo(2.5, 12);
    // Test loss − 0.1; half way between the records' gaps, 1 and 2.99, it would be 1.995.
    expect(found.facts["generalization-gap"]).toBeCloseTo(2.4, 12);
    expect(found.facts["test-accuracy"]).toBeCloseTo(1.5, 12);
    expect(found.values[0]!.value).toBeCloseTo(20, 12);
    // A quarter of the way: 10^(−1/2).
    expect(atLoss(records, 10 ** -0.5)!.values[0]!.value).toBeCloseTo(15, 12);
  });

  test("are the record where one is there", () => {
    const found = atLoss(records, 0.01)!;
    expect([found.facts["test-loss"], found.values[0]!.value]).toEqual([3, 30]);
  });

  test("are none where no record is above or below, and are said to be left out", () => {
    expect(atLoss(records, 2)).toBeUndefined();
    expect(atLoss(records.slice(0, 1), 0.1)).toBeUndefined();
    const { runs, excluded } = selected(
      [...records, record("b", 1, [0.05, 1], 1), record("b", 2, [0.02, 1], 1)],
      analysisOf("equalLoss: 0.1"),
    );
    expect(runs.map((each) => each.run)).toEqual(["a"]);
    expect(excluded).toEqual([{ run: "b", reason: "its train loss never fell to 0.1 between two records" }]);
  });

  test("have only measures that both records have", () => {
    const [one, other] = records as [StudyRun, StudyRun];
    expect(atLoss([{ ...one, values: [] }, other], 0.1)!.values).toEqual([]);
  });
});

test("a column is a setting, a fact or the epoch", () => {
  const one = run("a", 1, 0.1, { settings: { flag: true, "train-loss": 7 }, facts: { "train-loss": 1 }, epoch: 3 });
  expect(["flag", "train-loss", "epoch", "generalization-gap", "other"].map((name) => columnOf(one, name))).toEqual([
    "true",
    7,
    3,
    0.1,
    undefined,
  ]);
});
