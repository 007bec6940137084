import { association, quantileGroups, stratified } from "../statistics/association.ts";
import { correlations } from "../statistics/correlation.ts";
import { benjaminiHochberg } from "../statistics/false-discovery.ts";
import { granulatedKendall } from "../statistics/granulated-kendall.ts";
import { partialPearson, partialSpearman } from "../statistics/partial-correlation.ts";
import { quantile } from "../statistics/quantile.ts";
import { robustSignError } from "../statistics/sign-error.ts";
import type { Settings } from "../statistics/settings-grid.ts";
import { version } from "../version.ts";
import type { Analysis, Study } from "./schema.ts";
import { columnOf, selected } from "./selection.ts";
import type { StudyRun } from "./study-run.ts";
import type {
  CorrelationName,
  CorrelationSummary,
  FailedTask,
  GroupSummary,
  MeasureSummary,
  StrataSummary,
  Summary,
} from "./summary.ts";

/** What runs say of a study's question: a summary that follows from rows and study alone. */
export function analyse(study: Study, all: readonly StudyRun[], failed: readonly FailedTask[]): Summary {
  const { analysis } = study;
  const { runs, excluded } = selected(all, analysis);
  return {
    schema: 1,
    study: study.name,
    title: study.title,
    about: study.about.trim(),
    deviations: study.deviations,
    target: analysis.target,
    correlation: analysis.correlation,
    confidence: analysis.confidence,
    equalLoss: analysis.equalLoss ?? null,
    runs: { total: new Set(all.map(({ run }) => run)).size, compared: runs.length, excluded, failed },
    facts: factRanges(runs),
    measures: measureSummaries(study, runs),
    groups: analysis.by === undefined ? [] : groupSummaries(study, runs, analysis.by),
    versions: { flatness: version, onnxruntime: runs[0]?.origin.onnxruntime ?? null },
  };
}

/** One measure of one layer over the runs that have it. */
interface Series {
  readonly measure: string;
  readonly layer: string | null;
  readonly runs: readonly StudyRun[];
  readonly x: readonly number[];
  readonly y: readonly number[];
  readonly warnings: readonly string[];
}

/** In the order in which the first run has them. */
export function seriesOf(runs: readonly StudyRun[], target: string): Series[] {
  const found = new Map<string, { measure: string; layer: string | null; points: [StudyRun, number, string[]][] }>();
  for (const run of runs) {
    for (const { measure, layer, value, warnings } of run.values) {
      const key = JSON.stringify([measure, layer]);
      const series = found.get(key) ?? { measure, layer, points: [] };
      found.set(key, series);
      if (Number.isFinite(value)) series.points.push([run, value, [...warnings]]);
    }
  }
  return [...found.values()].map(({ measure, layer, points }) => ({
    measure,
    layer,
    runs: points.map(([run]) => run),
    x: points.map(([, value]) => value),
    y: points.map(([run]) => columnOf(run, target) as number),
    warnings: [...new Set(points.flatMap(([, , codes]) => codes))].sort(),
  }));
}

function measureSummaries(study: Study, runs: readonly StudyRun[]): MeasureSummary[] {
  const { analysis } = study;
  const series = seriesOf(runs, analysis.target);
  const found = series.map((each) => associationsOf(each.x, each.y, analysis));
  const adjusted = Object.fromEntries(
    names.map((name) => [name, benjaminiHochberg(found.map((each) => each[name].pValue ?? Number.NaN))]),
  ) as Record<CorrelationName, number[]>;
  return series.map((each, index): MeasureSummary => {
    const settings = settingsOf(study, each.runs);
    const controls = analysis.controls.filter((name) => varies(each.runs, name));
    return {
      measure: each.measure,
      layer: each.layer,
      n: each.x.length,
      correlations: Object.fromEntries(
        names.map((name) => [name, { ...found[index]![name], adjusted: finite(adjusted[name][index]!) }]),
      ) as Record<CorrelationName, CorrelationSummary>,
      partial: controls.length === 0 ? null : partialOf(each, controls),
      strata: [...controls.map((name) => strataOf(each, name, analysis)), ...cellsOf(each, settings, analysis)],
      granulated: settings && granulatedOf(each, settings),
      signError: settings && signErrorOf(each, settings),
      warnings: each.warnings,
    };
  });
}

const names = Object.keys(correlations) as CorrelationName[];

/** What the strata of equal settings are called. */
const ALL_SETTINGS = "all settings together";

function associationsOf(x: readonly number[], y: readonly number[], analysis: Analysis) {
  return Object.fromEntries(names.map((name) => [name, associationOf(name, x, y, analysis)])) as Record<
    CorrelationName,
    CorrelationSummary
  >;
}

function associationOf(
  name: CorrelationName,
  x: readonly number[],
  y: readonly number[],
  { confidence, resamples, seed }: Analysis,
): CorrelationSummary {
  const found = association(correlations[name], x, y, { confidence, resamples, seed });
  const pair = ({ low, high }: { low: number; high: number }) => (Number.isNaN(low) ? null : ([low, high] as const));
  return {
    value: finite(found.value),
    interval: pair(found.interval),
    pValue: finite(found.pValue),
    adjusted: null,
    null: pair(found.null),
  };
}

/** Numbers where all runs have numbers, else categories. */
function controlOf(runs: readonly StudyRun[], name: string): number[] | string[] {
  const values = runs.map((run) => columnOf(run, name));
  const numbers = values.filter((value) => typeof value === "number");
  return numbers.length === values.length ? numbers : values.map((value) => String(value ?? "none"));
}

function varies(runs: readonly StudyRun[], name: string): boolean {
  return new Set(runs.map((run) => columnOf(run, name))).size > 1;
}

function partialOf({ x, y, runs }: Series, names_: readonly string[]): MeasureSummary["partial"] {
  const controls = names_.map((name) => controlOf(runs, name));
  return {
    controls: names_,
    spearman: finite(partialSpearman(x, y, controls)),
    pearson: finite(partialPearson(x, y, controls)),
  };
}

function strataOf(series: Series, by: string, analysis: Analysis): StrataSummary {
  const control = controlOf(series.runs, by);
  const { strata } = analysis;
  const groups =
    typeof control[0] === "number" && new Set<number | string>(control).size > strata
      ? quantileGroups(control as number[], strata)
      : control.map(String);
  return stratifiedBy(by, series, groups, analysis);
}

/** Runs whose settings are all the same, which differ by their seeds alone: one stratification, where cells are large enough. */
function cellsOf(series: Series, settings: Settings | null, analysis: Analysis): StrataSummary[] {
  const axes = Object.values(settings ?? {});
  if (axes.length < 2) return [];
  const cells = series.runs.map((_, run) => axes.map((axis) => axis[run]).join(", "));
  const found = stratifiedBy(ALL_SETTINGS, series, cells, analysis);
  return found.within === null ? [] : [found];
}

function stratifiedBy(by: string, { x, y }: Series, groups: readonly string[], analysis: Analysis): StrataSummary {
  const { correlation, confidence, resamples, seed } = analysis;
  const found = stratified(correlations[correlation], x, y, groups, { confidence, resamples, seed });
  return {
    by,
    within: finite(found.within),
    pValue: finite(found.pValue),
    signDiffers: found.signDiffers,
    strata: found.strata
      .map(({ name, n, value }) => ({ name, n, value: finite(value) }))
      .sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true })),
  };
}

/** Where the runs stand in the study's grid: the axes that are settings of all and vary. Seeds are none, but repetitions. */
function settingsOf({ analysis, make }: Study, runs: readonly StudyRun[]): Settings | null {
  const axes = analysis.axes ?? (make.kind === "train" ? Object.keys(make.grid) : []);
  const used = axes.filter((axis) => varies(runs, axis));
  if (used.length === 0) return null;
  return Object.fromEntries(used.map((axis) => [axis, runs.map((run) => String(columnOf(run, axis) ?? "none"))]));
}

function granulatedOf({ x, y }: Series, settings: Settings): MeasureSummary["granulated"] {
  const { axes, mean } = granulatedKendall(x, y, settings);
  return {
    axes: Object.fromEntries(Object.entries(axes).map(([axis, value]) => [axis, finite(value)])),
    mean: finite(mean),
  };
}

function signErrorOf({ x, y, runs }: Series, settings: Settings): MeasureSummary["signError"] {
  // Gaps that differ by less than one standard error of the difference are in no order.
  const errors = runs.map((run) => Number(run.facts["gap-standard-error"] ?? 0));
  const noise = (one: number, other: number) => Math.hypot(errors[one]!, errors[other]!);
  const { environments, mean, ninetieth, worst, worstEnvironment } = robustSignError(x, y, settings, noise);
  if (worstEnvironment === undefined) return null;
  return { environments: environments.length, mean, ninetieth, worst, worstEnvironment };
}

function groupSummaries({ analysis }: Study, runs: readonly StudyRun[], by: string): GroupSummary[] {
  const groups = new Map<string | number, StudyRun[]>();
  for (const run of runs) {
    const value = columnOf(run, by);
    if (value !== undefined) groups.set(value, [...(groups.get(value) ?? []), run]);
  }
  const order = [...groups.keys()].sort((a, b) => (typeof a === "number" && typeof b === "number" ? a - b : 0));
  return order.map((value): GroupSummary => {
    const members = groups.get(value)!;
    const ranges = Object.keys(factRanges(members));
    const mean = (numbers: readonly number[]) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    return {
      by,
      value,
      n: members.length,
      facts: Object.fromEntries(ranges.map((name) => [name, mean(numbersOf(members, name))])),
      measures: seriesOf(members, analysis.target).map(({ measure, layer, x, y }) => ({
        measure,
        layer,
        mean: finite(mean(x)),
        correlation: associationOf(analysis.correlation, x, y, analysis),
      })),
    };
  });
}

function factRanges(runs: readonly StudyRun[]): Summary["facts"] {
  const facts = [...new Set(runs.flatMap((run) => Object.keys(run.facts)))];
  const entries = facts
    .map((name) => [name, numbersOf(runs, name)] as const)
    .filter(([, numbers]) => numbers.length > 0)
    .map(([name, numbers]) => [name, [0, 0.5, 1].map((p) => quantile(numbers, p))]);
  return Object.fromEntries(entries) as Summary["facts"];
}

function numbersOf(runs: readonly StudyRun[], name: string): number[] {
  return runs.map((run) => run.facts[name]).filter((value) => typeof value === "number");
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
