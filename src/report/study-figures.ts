import type { TopLevelSpec } from "vega-lite";
import type { FigureChoice } from "../studies/schema.ts";
import { columnOf } from "../studies/selection.ts";
import type { StudyRun } from "../studies/study-run.ts";
import type { MeasureSummary, Summary } from "../studies/summary.ts";
import { measureLabel } from "./labels.ts";
import { coefficient, columnLabel, correlationLabel, seriesLabel, titled } from "./study-labels.ts";
import { ink } from "./theme.ts";

type Choice<Kind extends FigureChoice["kind"]> = Extract<FigureChoice, { kind: Kind }>;

/** A figure of a study, and the name of its files. */
export interface StudyFigure {
  readonly name: string;
  readonly figure: TopLevelSpec;
}

const PANEL = 240;
/** Panels beside each other. */
const COLUMNS = 3;
const WIDE = 700;
/** Numbers that a legend lists one by one; more are a gradient. */
const MOST_STEPS = 12;
/** Panels are placed by their axes, and not by how long their labels are; between them is room for those. */
const placed = { bounds: "flush" as const, spacing: { row: 100, column: 84 } };

/** Above the panel's axes, wherever their labels end. */
function panelTitle(words: string) {
  return { text: titled(words), frame: "group" as const };
}

/** The figures that a study asks for, drawn from its rows and summary; one that has nothing to show is left out. */
export function studyFigures(
  choices: readonly FigureChoice[],
  { compared, all }: { compared: readonly StudyRun[]; all: readonly StudyRun[] },
  summary: Summary,
): StudyFigure[] {
  return choices.flatMap((choice, index) => {
    const figure = figureOf(choice, compared, all, summary);
    return figure ? [{ name: `${index + 1}-${choice.kind}`, figure }] : [];
  });
}

function figureOf(choice: FigureChoice, compared: readonly StudyRun[], all: readonly StudyRun[], summary: Summary) {
  if (choice.kind === "scatter") return scatter(choice, compared, summary);
  if (choice.kind === "correlations") return forest(choice, summary);
  if (choice.kind === "groups") return groups(choice, summary);
  return trend(choice, all);
}

function chosen(summary: Summary, { measures }: { measures?: readonly string[] }): MeasureSummary[] {
  return summary.measures.filter(({ measure }) => !measures || measures.includes(measure));
}

/** The target against each measure: a panel a measure and layer, a point a run. */
function scatter(choice: Choice<"scatter">, runs: readonly StudyRun[], summary: Summary): TopLevelSpec | undefined {
  const { target, correlation } = summary;
  const color = choice.color === undefined ? undefined : colorOf(runs, choice.color);
  const panels = chosen(summary, choice).map((each) => {
    const points = runs.flatMap((run) => {
      const found = run.values.find(({ measure, layer }) => measure === each.measure && layer === each.layer);
      const y = columnOf(run, target);
      if (!found || typeof y !== "number" || (choice.logarithmic && found.value <= 0)) return [];
      return [
        { x: found.value, y, ...(choice.color !== undefined && { color: columnOf(run, choice.color) ?? "none" }) },
      ];
    });
    return {
      title: {
        ...panelTitle(seriesLabel(each)),
        subtitle: `${correlationLabel(correlation)} ${coefficient(each, correlation)}`,
      },
      width: PANEL,
      height: PANEL * 0.8,
      data: { values: points },
      mark: { type: "point" as const, filled: true, size: 34, opacity: 0.75 },
      encoding: {
        x: {
          field: "x",
          type: "quantitative" as const,
          title: axisTitle(each.measure),
          scale: choice.logarithmic ? { type: "log" as const } : { zero: false },
          axis: choice.logarithmic
            ? { format: "~g", tickCount: 4, labelOverlap: true }
            : { tickCount: 4, format: ".3~r" },
        },
        y: { field: "y", type: "quantitative" as const, title: columnLabel(target), scale: { zero: false } },
        ...(color && { color }),
      },
    };
  });
  if (panels.length === 0 || runs.length === 0) return undefined;
  return {
    title: { text: choice.title ?? `${titled(columnLabel(target))} against flatness and its peers` },
    description: `${titled(columnLabel(target))} against ${panels.length} measures, a point a run`,
    columns: Math.min(COLUMNS, panels.length),
    ...placed,
    concat: panels,
  } as TopLevelSpec;
}

/** Numbers from light to dark, in order; a colour of its own for each of what is not a number. */
function colorOf(runs: readonly StudyRun[], name: string) {
  const values = runs.map((run) => columnOf(run, name)).filter((value) => value !== undefined);
  const numeric = values.every((value) => typeof value === "number");
  const shared = { field: "color", title: columnLabel(name) };
  if (!numeric) return { ...shared, type: "nominal" as const };
  const few = new Set(values).size <= MOST_STEPS;
  const scale = { scheme: "viridis" as const, reverse: true };
  return { ...shared, type: few ? ("ordinal" as const) : ("quantitative" as const), scale };
}

/** A measure's symbol where it has one that a reader knows, else its words. */
function axisTitle(measure: string): string {
  const label = measureLabel(measure);
  return label === measure ? columnLabel(measure) : label;
}

/** Each measure's coefficient with its interval, and where it lies by chance. */
function forest(choice: Choice<"correlations">, summary: Summary): TopLevelSpec | undefined {
  const { correlation, confidence } = summary;
  const rows = chosen(summary, choice).flatMap((each) => {
    const { value, interval, null: chance } = each.correlations[correlation];
    if (value === null || !interval) return [];
    const [low, high] = interval;
    return [{ name: seriesLabel(each), value, low, high, chanceLow: chance?.[0] ?? 0, chanceHigh: chance?.[1] ?? 0 }];
  });
  if (rows.length === 0) return undefined;
  const x = { type: "quantitative" as const, scale: { domain: [-1, 1] }, title: correlationLabel(correlation) };
  const y = { field: "name", type: "nominal" as const, sort: null, title: null, axis: { labelLimit: 240 } };
  const percent = Math.round(100 * confidence);
  return {
    title: {
      text: choice.title ?? `How each measure goes with the ${columnLabel(summary.target)}`,
      subtitle: `points with ${percent} % bootstrap intervals; grey: where ${percent} % lie by chance`,
    },
    description: `correlations of ${rows.length} measures with their intervals`,
    width: WIDE - 220,
    height: 40 + 30 * rows.length,
    data: { values: rows },
    layer: [
      {
        mark: { type: "bar", color: ink.grid, height: 18 },
        encoding: { y, x: { field: "chanceLow", ...x }, x2: { field: "chanceHigh" } },
      },
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: "rule", color: ink.faint, strokeWidth: 1 },
        encoding: { x: { field: "zero", ...x } },
      },
      {
        mark: { type: "rule", color: ink.data, strokeWidth: 2 },
        encoding: { y, x: { field: "low", ...x }, x2: { field: "high" } },
      },
      {
        mark: { type: "point", color: ink.data, filled: true, size: 70 },
        encoding: { y, x: { field: "value", ...x } },
      },
    ],
  };
}

/** The coefficient in each group of runs: a panel a measure. */
function groups(choice: Choice<"groups">, summary: Summary): TopLevelSpec | undefined {
  const points = summary.groups.flatMap(({ by, value, facts, measures }) =>
    measures
      .filter(({ measure }) => !choice.measures || choice.measures.includes(measure))
      .flatMap(({ measure, layer, correlation }) => {
        const x = choice.x === undefined || choice.x === by ? value : facts[choice.x];
        if (correlation.value === null || !correlation.interval || x === undefined) return [];
        const [low, high] = correlation.interval;
        return [{ x, value: correlation.value, low, high, name: seriesLabel({ measure, layer }) }];
      }),
  );
  if (points.length === 0) return undefined;
  const numeric = points.every(({ x }) => typeof x === "number");
  const x = {
    field: "x",
    type: numeric ? ("quantitative" as const) : ("nominal" as const),
    title: columnLabel(choice.x ?? summary.groups[0]!.by),
    ...(numeric && { scale: { zero: false } }),
  };
  const y = { type: "quantitative" as const, title: correlationLabel(summary.correlation), scale: { domain: [-1, 1] } };
  const names = [...new Set(points.map(({ name }) => name))];
  const alone = names.length === 1;
  const panels = names.map((name) => ({
    ...(!alone && { title: panelTitle(name) }),
    width: alone ? WIDE : PANEL * 1.35,
    height: alone ? 340 : PANEL,
    data: { values: points.filter((point) => point.name === name) },
    layer: [
      {
        data: { values: [{ zero: 0 }] },
        mark: { type: "rule" as const, color: ink.faint, strokeWidth: 1 },
        encoding: { y: { field: "zero", ...y } },
      },
      {
        mark: { type: "rule" as const, color: ink.data, opacity: 0.45, strokeWidth: 2 },
        encoding: { x, y: { field: "low", ...y }, y2: { field: "high" } },
      },
      {
        mark: { type: "line" as const, color: ink.data, strokeWidth: 1.5, opacity: 0.6 },
        encoding: { x, y: { field: "value", ...y } },
      },
      {
        mark: { type: "point" as const, color: ink.data, filled: true, size: 50 },
        encoding: { x, y: { field: "value", ...y } },
      },
    ],
  }));
  return {
    title: {
      text: choice.title ?? `Correlation with the ${columnLabel(summary.target)}, group by group`,
      subtitle: `${alone ? `${names[0]!}, ` : ""}with ${Math.round(100 * summary.confidence)} % bootstrap intervals`,
    },
    description: `correlations in ${summary.groups.length} groups of runs`,
    columns: 2,
    ...placed,
    concat: panels,
  } as TopLevelSpec;
}

/** Measures and facts over a numeric column: means of the runs, and their range. */
function trend(choice: Choice<"trend">, runs: readonly StudyRun[]): TopLevelSpec | undefined {
  const points = runs.flatMap((run) => {
    const x = columnOf(run, choice.x);
    if (typeof x !== "number") return [];
    const measured = run.values
      .filter(({ measure }) => !choice.measures || choice.measures.includes(measure))
      .map((value) => ({ name: seriesLabel(value), y: value.value }));
    const facts = choice.facts.map((name) => ({ name: columnLabel(name), y: columnOf(run, name) }));
    return [...measured, ...facts]
      .filter(({ y }) => typeof y === "number" && Number.isFinite(y) && (!choice.logarithmic || y > 0))
      .map((point) => ({ x, ...point }));
  });
  const names = [...new Set(points.map(({ name }) => name))];
  if (points.length === 0) return undefined;
  const panels = names.map((name) => ({
    title: panelTitle(name),
    width: PANEL,
    height: PANEL * 0.7,
    data: { values: points.filter((point) => point.name === name) },
    encoding: { x: { field: "x", type: "quantitative" as const, title: columnLabel(choice.x) } },
    layer: [
      {
        mark: { type: "point" as const, size: 14, opacity: 0.35, filled: true, color: ink.faint },
        encoding: { y: yOf(choice.logarithmic) },
      },
      {
        mark: { type: "line" as const, color: ink.data, strokeWidth: 2 },
        encoding: { y: { ...yOf(choice.logarithmic), aggregate: "mean" as const } },
      },
    ],
  }));
  return {
    title: { text: choice.title ?? `Over ${columnLabel(choice.x)}`, subtitle: "points: runs; line: their mean" },
    description: `${names.length} quantities over ${columnLabel(choice.x)}`,
    columns: Math.min(COLUMNS, panels.length),
    ...placed,
    concat: panels,
  } as TopLevelSpec;
}

function yOf(logarithmic: boolean) {
  return {
    field: "y",
    type: "quantitative" as const,
    title: null,
    scale: logarithmic ? { type: "log" as const } : { zero: false },
    axis: logarithmic ? { format: "~g", tickCount: 4 } : { format: ".3~r", tickCount: 5 },
  };
}
