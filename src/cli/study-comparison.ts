import { correlationLabel, seriesLabel, two } from "../report/study-labels.ts";
import { textTable } from "../report/text-table.ts";
import { checkWritable, writeFileWhole } from "../store/write-file.ts";
import type { CorrelationSummary, MeasureSummary, Summary } from "../studies/summary.ts";
import type { Format } from "./options.ts";
import { readSummary } from "./study-report.ts";

interface Line {
  readonly measure: string;
  readonly layer: string | null;
  readonly a: CorrelationSummary | null;
  readonly b: CorrelationSummary | null;
  /** Of b − a. */
  readonly difference: number | null;
  /** Whether the two intervals have nothing in common: then they differ for sure; the reverse does not hold. */
  readonly apart: boolean;
}

/** `flatness study compare`: the measures of two studies side by side. */
export function compareStudies(a: string, b: string, { format, out }: { format: Format; out?: string }): void {
  if (out !== undefined) checkWritable(out);
  const [one, other] = [readSummary(a), readSummary(b)];
  const lines = compared(one, other);
  const text = {
    table: () => tableText(one, other, lines),
    json: () => json(one, other, lines),
    csv: () => csv(lines),
  }[format]();
  if (out === undefined) process.stdout.write(`${text.trimEnd()}\n`);
  else writeFileWhole(out, `${text.trimEnd()}\n`);
}

/** In the correlation of the first. */
export function compared(one: Summary, other: Summary): Line[] {
  const key = ({ measure, layer }: MeasureSummary) => JSON.stringify([measure, layer]);
  const all = new Map([...one.measures, ...other.measures].map((each) => [key(each), each]));
  return [...all].map(([name, { measure, layer }]) => {
    const of = (summary: Summary) =>
      summary.measures.find((each) => key(each) === name)?.correlations[one.correlation] ?? null;
    const [a, b] = [of(one), of(other)];
    const both = a !== null && b !== null && a.value !== null && b.value !== null;
    const apart = Boolean(
      a?.interval && b?.interval && (a.interval[1] < b.interval[0] || b.interval[1] < a.interval[0]),
    );
    return { measure, layer, a, b, difference: both ? b.value! - a.value! : null, apart };
  });
}

function tableText(one: Summary, other: Summary, lines: readonly Line[]): string {
  const shown = (each: CorrelationSummary | null) =>
    each === null || each.value === null
      ? "–"
      : `${two(each.value)}${each.interval ? ` [${two(each.interval[0])}, ${two(each.interval[1])}]` : ""}`;
  const rows = lines.map((line) => [
    seriesLabel(line),
    shown(line.a),
    shown(line.b),
    two(line.difference),
    line.apart ? "intervals apart" : "",
  ]);
  const about = `a: ${one.title} (${one.runs.compared} runs)\nb: ${other.title} (${other.runs.compared} runs)\n`;
  const heads = [correlationLabel(one.correlation), "a", "b", "b − a", ""];
  return `${about}\n${textTable(heads, ["left", "left", "left", "right", "left"], rows).join("\n")}`;
}

function json(one: Summary, other: Summary, lines: readonly Line[]): string {
  const { correlation } = one;
  return JSON.stringify({ schema: 1, a: one.study, b: other.study, correlation, measures: lines }, null, 2);
}

function csv(lines: readonly Line[]): string {
  const ends = (each: CorrelationSummary | null) => [each?.value, each?.interval?.[0], each?.interval?.[1]];
  const rows = lines.map(({ measure, layer, a, b, difference, apart }) => [
    measure,
    layer,
    ...ends(a),
    ...ends(b),
    difference,
    apart,
  ]);
  const head = ["measure", "layer", "a", "a_low", "a_high", "b", "b_low", "b_high", "difference", "apart"];
  return [head, ...rows].map((fields) => fields.map((field) => String(field ?? "")).join(",")).join("\r\n");
}
