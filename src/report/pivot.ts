import type { LayerRow, Result, ResultRow } from "../evaluation/result.ts";
import { rowLabel } from "./labels.ts";

/** One line of the table of layers. A layer takes more than one where a measure was got in more than one way. */
export interface Line {
  readonly layer: LayerRow;
  /** In the order of the columns; undefined where there is no value. */
  readonly cells: readonly (ResultRow | undefined)[];
  readonly method: string;
}

/** The heads of the columns that a result's layers need: a measure under one set of options each, as they come. */
export function columnHeads(result: Result): string[] {
  return [...new Map(ofLayers(result).map((row) => [columnKey(row), rowLabel(row)])).values()];
}

/** A result's rows as lines: layers in the model's order, their values in the order of `columnHeads(result)`. */
export function lines(result: Result): Line[] {
  const keys = [...new Set(ofLayers(result).map(columnKey))];
  return result.layers.flatMap((layer) => {
    const rows = result.results.filter((row) => row.layer === layer.name);
    const stacks = keys.map((key) => rows.filter((row) => columnKey(row) === key));
    const height = Math.max(1, ...stacks.map((stack) => stack.length));
    return Array.from({ length: height }, (_, level) => {
      const cells = stacks.map((stack) => stack[level]);
      return { layer, cells, method: methodOf(cells, height > 1) };
    });
  });
}

/** Standard error from data and probes together, √(data² + probe²); null where the data's is not known. */
export function totalError({ standardError }: ResultRow): number | null {
  if (standardError === null || standardError.data === null) return null;
  return Math.hypot(standardError.data, standardError.probe);
}

function ofLayers(result: Result): ResultRow[] {
  return result.results.filter((row) => row.layer !== null);
}

function columnKey(row: ResultRow): string {
  return `${row.measure}\n${rowLabel(row)}`;
}

/** How the averages of a line were got; how its norms were, only if there is nothing else. */
function methodOf(cells: readonly (ResultRow | undefined)[], withCurvature: boolean): string {
  const present = cells.filter((cell) => cell !== undefined);
  const averages = present.filter((cell) => cell.standardError !== null);
  const shown = averages.length > 0 ? averages : present;
  const methods = shown.map((cell) =>
    withCurvature && cell.curvature !== null ? `${cell.method} (${cell.curvature})` : cell.method,
  );
  return [...new Set(methods)].join(", ");
}
