import type { Runs } from "../evaluation/result.ts";
import { normalizationText, printable, warningText } from "./labels.ts";
import { duration, percentage, withError } from "./number.ts";
import { totalError } from "./pivot.ts";
import {
  lossHead,
  methodsOf,
  networkGrid,
  type RunGrid,
  runGrids,
  type RunNames,
  runNames,
  skippedOf,
  warningsOf,
} from "./runs.ts";
import { aligned, textTable, valueText } from "./text-table.ts";

/** Columns of a terminal that a table may take; a table of more layers goes on below. */
const WIDTH = 120;

/**
 * Several results as plain text for a terminal: a line a run with its loss and the measures of the whole network, then a table
 * a measure with a line a run and a column a layer, value ± one standard error. No colour codes.
 */
export function runsTable(result: Runs): string {
  const names = runNames(result);
  const blocks = [
    heading(result, names),
    ...overview(result, names),
    ...runGrids(result).flatMap((grid) => measureTable(grid, names)),
  ];
  const skipped = skippedOf(result).map((text) => `not measured: ${text}`);
  const methods = methodsOf(result).map((text) => `measured by ${text}`);
  const warnings = warningsOf(result).map(({ warning, of }) => {
    const which = of.length === 0 ? "" : ` (${of.join(", ")})`;
    return `warning: [${warning.code}] ${warningText(warning)}${which}`;
  });
  blocks.push(...[skipped, methods, warnings].filter((block) => block.length > 0), [footing(result)]);
  return blocks.map((block) => block.map((line) => printable(line).trimEnd()).join("\n")).join("\n\n");
}

function heading({ runs }: Runs, { head, model, folder }: RunNames): string[] {
  const where = folder === "" ? "" : ` in ${folder}`;
  const [first] = runs;
  const what =
    head === "weights"
      ? `model  ${model}${first ? ` (opset ${first.model.opset})` : ""} with ${runs.length} files of weights${where}`
      : `models ${runs.length}${where}`;
  const data = runs.map((run) => {
    const split = run.data.split === undefined ? "" : ` (${run.data.split})`;
    return `data   ${run.data.source}${split}, n = ${run.data.n}`;
  });
  const normalized = runs.flatMap(({ results }) => normalizationText(results) ?? []);
  return [what, ...new Set(data), ...new Set(normalized.map((text) => `layers ${text}`))];
}

/** The losses, and what is measured of a network as a whole. */
function overview(result: Runs, { head, names }: RunNames): string[][] {
  const { runs } = result;
  const columns: [string, string[]][] = [
    [lossHead(runs), aligned(runs.map(({ loss }) => withError(loss.value, loss.standardError)))],
  ];
  if (runs.some(({ loss }) => loss.accuracy !== undefined)) {
    columns.push(["accuracy", runs.map(({ loss }) => (loss.accuracy === undefined ? "–" : percentage(loss.accuracy)))]);
  }
  const network = networkGrid(result);
  columns.push(...(network ? columnsOf(network) : []));
  return tables(head, names, columns);
}

function measureTable(grid: RunGrid, { head, names }: RunNames): string[][] {
  return tables(head, names, columnsOf(grid)).map((table) => [grid.label, ...table]);
}

function columnsOf({ columns, cells }: RunGrid): [string, string[]][] {
  return columns.map((column, index) => [column, aligned(cells.map((line) => valueText(line[index])))]);
}

/** A table of these columns behind the names, or several one below the other where they are wider than a terminal. */
function tables(head: string, names: readonly string[], columns: readonly [string, readonly string[]][]): string[][] {
  const widthOf = (texts: readonly string[]) => Math.max(...texts.map((text) => [...text].length));
  const first = widthOf([head, ...names]);
  const found: (readonly [string, readonly string[]])[][] = [];
  let width = Infinity;
  for (const column of columns) {
    const own = 2 + widthOf([column[0], ...column[1]]);
    if (width + own > WIDTH) {
      found.push([]);
      width = first;
    }
    found.at(-1)?.push(column);
    width += own;
  }
  return found.map((list) =>
    textTable(
      [head, ...list.map(([name]) => name)],
      ["left", ...list.map(() => "right" as const)],
      names.map((name, run) => [name, ...list.map(([, cells]) => cells[run] as string)]),
    ),
  );
}

function footing({ runs }: Runs): string {
  const rows = runs.flatMap(({ results }) => results);
  const notes: string[] = [];
  if (rows.some(({ measure }) => measure.startsWith("relative-flatness"))) {
    notes.push("κ small = flat; κ has the unit of the loss");
  }
  if (rows.some((row) => totalError(row) !== null)) notes.push("± is one standard error");
  notes.push(`took ${duration(runs.reduce((sum, { seconds }) => sum + seconds.total, 0))}`);
  return notes.join("; ");
}
