import type { TopLevelSpec } from "vega-lite";
import type { PerSample } from "../evaluation/result.ts";
import { measureLabel, printable } from "./labels.ts";
import { significant } from "./number.ts";
import { axisOf, chooseScale, coordinate, niceStep, type Scale } from "./scale.ts";
import { ink } from "./theme.ts";

/** Samples whose value v satisfies from ≤ v < to. */
export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * A figure of how a measure's per-sample values are spread, with their mean as a line: whether few samples carry it.
 *
 * The axis is logarithmic where no value is negative and the positive ones span more than three decades, signed
 * logarithmic for both signs with a long tail. Values that are not finite, and zeros on a logarithmic axis, are not
 * drawn and are counted in the subtitle.
 *
 * @param sample the values, in the measure's own unit
 * @param unit what the axis states in brackets; empty for none
 */
export function histogram(sample: PerSample, unit: string): TopLevelSpec {
  const finite = Array.from(sample.values).filter(Number.isFinite);
  const scale = chooseScale(finite);
  const drawn = scale.type === "log" ? finite.filter((value) => value !== 0) : finite;
  const data = bins(drawn, scale);
  const low = data[0]?.from ?? 0;
  const high = data[data.length - 1]?.to ?? 1;
  const mean = finite.reduce((sum, value) => sum + value, 0) / finite.length;
  const where = sample.layer === null ? "whole network" : printable(sample.layer);
  const label = measureLabel(sample.measure);
  const subtitle = summary(sample.values.length, finite, drawn.length, mean);
  const quantity = `${label} of a sample${unit === "" ? "" : ` (${unit})`}`;
  const domain = [low, high];
  const zero = scale.type === "linear" ? { zero: false } : {};
  const x = { type: "quantitative" as const, scale: { ...scale, domain, nice: false, ...zero } };
  return {
    title: { text: where, subtitle },
    description: `Histogram of the ${label} of each sample, ${where}: ${subtitle.join(" · ")}`,
    width: 440,
    height: 250,
    autosize: { type: "fit", contains: "padding" },
    data: { values: data as Bin[] },
    layer: [
      {
        mark: { type: "rect", color: ink.data, stroke: "white", strokeWidth: 0.5 },
        encoding: {
          x: { ...x, field: "from", title: quantity, axis: { grid: false, ...axisOf(scale, low, high) } },
          x2: { field: "to" },
          y: {
            field: "count",
            type: "quantitative",
            title: "samples",
            axis: { tickCount: 5, format: "d", tickMinStep: 1 },
            ...(data.length === 0 ? { scale: { domain: [0, 1] } } : {}),
          },
          y2: { datum: 0 },
        },
      },
      ...(mean >= low && mean <= high
        ? [
            {
              data: { values: [{ mean }] },
              mark: { type: "rule" as const, color: ink.mark, strokeWidth: 2 },
              encoding: { x: { ...x, field: "mean" } },
            },
          ]
        : []),
    ],
  };
}

/** Bins of equal width on the scale, their number about √n and at most fifty, ended at round places. */
export function bins(values: readonly number[], scale: Scale): Bin[] {
  if (values.length === 0) return [];
  const { to, from } = coordinate(scale);
  const places = values.map(to);
  const low = places.reduce((a, b) => Math.min(a, b));
  const high = places.reduce((a, b) => Math.max(a, b));
  const wanted = Math.min(50, Math.max(8, Math.sqrt(values.length)));
  const step = niceStep((high - low) / wanted || Math.abs(low) / 10 || 1);
  // A single bin would fill the figure: an empty one goes on either side.
  const margin = Math.floor(low / step) === Math.floor(high / step) ? 1 : 0;
  const first = Math.floor(low / step) - margin;
  const counts = Array.from({ length: Math.floor(high / step) - first + 1 + margin }, () => 0);
  for (const place of places) {
    const index = Math.floor(place / step) - first;
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return counts.map((count, index) => ({
    from: from((first + index) * step),
    to: from((first + index + 1) * step),
    count,
  }));
}

/** The subtitle: what the samples are, and on a second line what is not drawn. */
function summary(all: number, finite: readonly number[], drawn: number, mean: number): string[] {
  const parts = [`${all} samples`];
  if (finite.length > 0) {
    const sorted = [...finite].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
    parts.push(`mean ${significant(mean)} (line)`, `median ${significant(median)}`);
  }
  const missing: string[] = [];
  if (drawn < finite.length) missing.push(`${finite.length - drawn} are 0 and have no place on this axis`);
  if (finite.length < all) missing.push(`${all - finite.length} are not finite`);
  return [parts, missing].filter((line) => line.length > 0).map((line) => line.join(" · "));
}
