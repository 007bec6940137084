import type { TopLevelSpec } from "vega-lite";
import type { ResultRow } from "../evaluation/result.ts";
import { measureLabel, optionsText, printable } from "./labels.ts";
import { totalError } from "./pivot.ts";
import { axisOf } from "./scale.ts";
import { ink } from "./theme.ts";

/** Half a 95 % interval of a normal law, in standard errors. */
const INTERVAL = 1.96;
/** With values further apart than this, a linear axis shows the largest alone. */
const SPAN = 100;
const WIDTH = 840;
/** About how wide a letter of a layer's name is. */
const CHARACTER = 7;

/** A value to be drawn, and what it is of: a layer, or a run. */
export interface NamedRow {
  readonly name: string;
  readonly row: ResultRow;
}

/**
 * A figure of one measure of several things, in the order of the rows, each with its 95 % interval (± 1.96 standard errors,
 * data and probes together).
 *
 * The axis is logarithmic where all values are positive and their range is over 100; an interval that reaches zero then
 * ends at the axis. Values that are not finite are left out and counted in the subtitle.
 *
 * @param rows of one measure
 * @param text the title; what its things are, in the plural; what the axis states in brackets, empty for none
 * @param width of the figure, in pixels
 */
export function intervals(
  rows: readonly NamedRow[],
  { title, things, unit }: { readonly title: string; readonly things: string; readonly unit: string },
  width = WIDTH,
): TopLevelSpec {
  const finite = rows.filter(({ row }) => Number.isFinite(row.value));
  const values = finite.map(({ row }) => row.value);
  const smallest = Math.min(...values);
  const largest = Math.max(...values);
  const log = smallest > 0 && largest > SPAN * smallest;
  // The end of an interval may come within a hair of zero: it must not stretch the axis over many empty decades.
  const bottom = log ? decade(smallest / 2, Math.floor) : -Infinity;
  const points = finite.map(({ name, row }) => {
    const error = totalError(row) ?? 0;
    const half = Number.isFinite(error) ? INTERVAL * error : 0;
    const way = [row.curvature ?? "", optionsText(row.options)].filter((text) => text !== "").join(", ");
    const low = Math.max(bottom, row.value - half);
    return { name: printable(name), way, value: row.value, low, high: row.value + half };
  });
  const top = decade(Math.max(...points.map((point) => point.high)), Math.ceil);
  const names = [...new Set(points.map((point) => point.name))];
  const several = new Set(points.map((point) => point.way)).size > 1 && points.length > names.length;
  const label = measureLabel(rows[0]?.row.measure ?? "relative-flatness");
  const lost = rows.length - finite.length;
  const subtitle =
    "bars: 95 % intervals (± 1.96 standard errors)" + (lost > 0 ? ` · ${lost} not finite, not drawn` : "");
  // Where the names don't fit side by side, they go from top to bottom.
  const wide = names.join("").length * CHARACTER + names.length * 2 * CHARACTER > width;
  const along = wide ? { name: "y", value: "x", end: "x2" } : { name: "x", value: "y", end: "y2" };
  const color = several ? {} : { color: ink.data };
  const ways: object = {
    color: { field: "way", type: "nominal", title: null, legend: { orient: "top" } },
    [`${along.name}Offset`]: { field: "way" },
  };
  const axis = {
    labelAngle: 0,
    labelLimit: width / 2.6,
    labelOverlap: false,
    ticks: false,
    labelPadding: 8,
    grid: wide,
  };
  return {
    title: { text: title, subtitle },
    description: `${label} of ${names.length} ${things} with 95 % intervals`,
    width,
    height: wide ? 110 + 20 * names.length : 330,
    autosize: { type: "fit", contains: "padding" },
    data: { values: points },
    encoding: {
      [along.name]: { field: "name", type: "nominal", sort: null, title: null, axis },
      ...(several ? ways : {}),
    },
    layer: [
      {
        mark: { type: "rule", strokeWidth: 2, ...color },
        encoding: {
          [along.value]: {
            field: "low",
            type: "quantitative",
            title: unit === "" ? label : `${label} (${unit})`,
            scale: log ? { type: "log", domain: [bottom, top] } : { zero: true, nice: true },
            axis: log ? axisOf({ type: "log" }, bottom, top) : { tickCount: 6 },
          },
          [along.end]: { field: "high" },
        },
      },
      {
        mark: { type: "point", filled: true, size: 70, opacity: 1, ...color },
        encoding: { [along.value]: { field: "value", type: "quantitative" } },
      },
    ],
  };
}

function decade(value: number, round: (power: number) => number): number {
  return 10 ** round(Math.log10(value));
}
