import type { Analysis } from "./schema.ts";
import type { MeasuredValue, StudyRun } from "./study-run.ts";

/** Why a run does not count. */
export interface Exclusion {
  readonly run: string;
  readonly reason: string;
}

export interface Selection {
  /** One record a run. */
  readonly runs: readonly StudyRun[];
  readonly excluded: readonly Exclusion[];
}

/** A column of a run: a setting, a fact, or the epoch. */
export function columnOf(run: StudyRun, name: string): number | string | undefined {
  const value = name === "epoch" ? run.epoch : (run.settings[name] ?? run.facts[name]);
  if (value === null || value === undefined) return undefined;
  return typeof value === "boolean" ? String(value) : value;
}

/**
 * The record of each run that is compared: its last, or, where the study compares at one train loss, what lies between the two
 * records around it. Runs that the study excludes are told apart.
 */
export function selected(all: readonly StudyRun[], { equalLoss, exclude, target }: Analysis): Selection {
  const runs: StudyRun[] = [];
  const excluded: Exclusion[] = [];
  for (const records of byRun(all).values()) {
    const [{ run }] = records as [StudyRun];
    const chosen = equalLoss === undefined ? records.at(-1)! : atLoss(records, equalLoss);
    const rule = chosen && exclude.find((each) => excludes(each, chosen));
    if (!chosen) excluded.push({ run, reason: `its train loss never fell to ${equalLoss} between two records` });
    else if (rule) excluded.push({ run, reason: rule.reason });
    else if (typeof columnOf(chosen, target) !== "number") excluded.push({ run, reason: `it has no ${target}` });
    else runs.push(chosen);
  }
  return { runs, excluded };
}

function byRun(all: readonly StudyRun[]): Map<string, StudyRun[]> {
  const runs = new Map<string, StudyRun[]>();
  for (const record of all) runs.set(record.run, [...(runs.get(record.run) ?? []), record]);
  for (const records of runs.values()) records.sort((a, b) => (a.epoch ?? 0) - (b.epoch ?? 0));
  return runs;
}

function excludes({ column, above, below, equals }: Analysis["exclude"][number], run: StudyRun): boolean {
  const value = columnOf(run, column);
  if (value === undefined) return false;
  if (equals !== undefined) return String(value) === String(equals);
  const number = Number(value);
  return (above !== undefined && number > above) || (below !== undefined && number < below);
}

/**
 * What a run would be where its train loss first falls to `loss`: facts and values on the line between the records before and after,
 * in the logarithm of the train loss; the gap is what these facts make it, test loss − `loss`. Undefined where no record is above
 * or none below.
 */
export function atLoss(records: readonly StudyRun[], loss: number): StudyRun | undefined {
  const lossOf = (record: StudyRun) => record.facts["train-loss"] as number;
  const after = records.findIndex((record) => lossOf(record) <= loss);
  if (after < 1) return undefined;
  const [high, low] = [records[after - 1]!, records[after]!];
  const span = Math.log(lossOf(high)) - Math.log(lossOf(low));
  const share = (Math.log(lossOf(high)) - Math.log(loss)) / span;
  const between = (a: number, b: number) => a + share * (b - a);
  const facts: Record<string, number | string | null> = {};
  for (const [name, value] of Object.entries(low.facts)) {
    const before = high.facts[name];
    facts[name] = typeof value === "number" && typeof before === "number" ? between(before, value) : value;
  }
  facts["train-loss"] = loss;
  if (typeof facts["test-loss"] === "number") facts["generalization-gap"] = facts["test-loss"] - loss;
  const values = low.values.flatMap((value): MeasuredValue[] => {
    const before = high.values.find(({ layer, measure }) => layer === value.layer && measure === value.measure);
    return before ? [{ ...value, value: between(before.value, value.value) }] : [];
  });
  return { ...low, facts, values };
}
