import { DataError } from "../errors.ts";
import { type Cell, rowsOf, type Table, tableOf } from "../store/table.ts";
import type { MeasuredValue, StudyRun } from "./study-run.ts";

const SETTING = "setting.";
const FACT = "fact.";
const measured = [
  "layer",
  "measure",
  "value",
  "error_data",
  "error_probe",
  "n",
  "method",
  "curvature",
  "options",
  "warnings",
];
const origin = ["model", "data", "flatness", "onnxruntime", "provider", "threads", "batch", "seed"];

/**
 * All runs as a table: a row a run, layer and measure. Columns: `run`, `epoch`, `setting.…`, `fact.…`, then the value and how it was
 * got. No timings, dates or paths: two runs of a study are equal byte for byte.
 */
export function resultsTable(runs: readonly StudyRun[]): Table {
  const settings = namesOf(runs.map((run) => run.settings)).map((name) => SETTING + name);
  const facts = namesOf(runs.map((run) => run.facts)).map((name) => FACT + name);
  const rows = runs.flatMap((run) => {
    const shared: Record<string, Cell> = { run: run.run, epoch: run.epoch };
    for (const [name, value] of Object.entries(run.settings))
      shared[SETTING + name] = typeof value === "boolean" ? String(value) : value;
    for (const [name, value] of Object.entries(run.facts)) shared[FACT + name] = finite(value);
    for (const name of origin) shared[name] = run.origin[name as keyof StudyRun["origin"]];
    return run.values.length === 0 ? [shared] : run.values.map((value) => ({ ...shared, ...cellsOf(value) }));
  });
  return tableOf(["run", "epoch", ...settings, ...facts, ...measured, ...origin], rows);
}

function cellsOf(value: MeasuredValue): Record<string, Cell> {
  const { layer, measure, n, method, curvature, errorData, errorProbe, options, warnings } = value;
  return {
    layer,
    measure,
    value: finite(value.value),
    error_data: finite(errorData),
    error_probe: finite(errorProbe),
    n,
    method,
    curvature,
    options: Object.keys(options).length === 0 ? null : JSON.stringify(options),
    warnings: warnings.length === 0 ? null : warnings.join(" "),
  };
}

/** The runs of a table that {@link resultsTable} made. @throws DataError when a column is not there */
export function runsOf(table: Table, file: string): StudyRun[] {
  const names = table.columns.map(({ name }) => name);
  for (const name of ["run", "epoch", ...measured, ...origin]) {
    if (!names.includes(name)) throw new DataError(`${file}: no column ${name}: expected the results of a study.`);
  }
  const runs = new Map<string, StudyRun & { values: MeasuredValue[] }>();
  for (const row of rowsOf(table)) {
    const key = `${row.run} ${row.epoch}`;
    const known = runs.get(key);
    const run = known ?? {
      run: String(row.run),
      epoch: row.epoch as number | null,
      settings: withPrefix(row, SETTING) as Record<string, string | number>,
      facts: withPrefix(row, FACT),
      values: [],
      origin: Object.fromEntries(origin.map((name) => [name, row[name]])) as unknown as StudyRun["origin"],
    };
    if (!known) runs.set(key, run);
    if (row.measure !== null) run.values.push(valueOf(row));
  }
  return [...runs.values()];
}

function valueOf(row: Record<string, Cell>): MeasuredValue {
  return {
    layer: row.layer as string | null,
    measure: String(row.measure),
    value: (row.value as number | null) ?? Number.NaN,
    errorData: row.error_data as number | null,
    errorProbe: row.error_probe as number | null,
    n: row.n as number,
    method: String(row.method),
    curvature: row.curvature as string | null,
    options: typeof row.options === "string" ? (JSON.parse(row.options) as Record<string, unknown>) : {},
    warnings: typeof row.warnings === "string" ? row.warnings.split(" ") : [],
  };
}

function withPrefix(row: Record<string, Cell>, prefix: string): Record<string, Cell> {
  const entries = Object.entries(row).filter(([name, value]) => name.startsWith(prefix) && value !== null);
  return Object.fromEntries(entries.map(([name, value]) => [name.slice(prefix.length), value]));
}

/** Names in the order in which they first come. */
function namesOf(records: readonly Readonly<Record<string, unknown>>[]): string[] {
  return [...new Set(records.flatMap((record) => Object.keys(record)))];
}

function finite<T extends Cell>(value: T): T | null {
  return typeof value === "number" && !Number.isFinite(value) ? null : value;
}
