import type { TopLevelSpec } from "vega-lite";
import { printable } from "./labels.ts";
import { significant } from "./number.ts";
import { axisOf } from "./scale.ts";
import { meanEigenvalue, type SpectrumRow } from "./spectrum.ts";
import { ink } from "./theme.ts";

const WIDTH = 440;
const POINTS = 400;
/** Nodes are broadened into normal laws with this share of their range as standard deviation. */
const BREADTH = 0.01;
/** Standard deviations beyond the outermost nodes that the axis goes on for. */
const MARGIN = 4;

/** A point of the curve: how many eigenvalues there are at a value, per unit of it. */
export interface SpectrumPoint {
  readonly eigenvalue: number;
  readonly count: number;
}

/** Eigenvalues per unit, Σ_k size · weight_k · N(x; value_k, breadth²): their integral is the number of weights. */
export function spectrumCurve({ density: { values, weights, size } }: SpectrumRow): {
  readonly breadth: number;
  readonly points: readonly SpectrumPoint[];
} {
  const [low, high] = [values[0]!, values.at(-1)!];
  const breadth = BREADTH * (high - low || Math.abs(high) || 1);
  const [from, to] = [low - MARGIN * breadth, high + MARGIN * breadth];
  const points = Array.from({ length: POINTS + 1 }, (_, index) => {
    const eigenvalue = from + (index / POINTS) * (to - from);
    const shares = values.map(
      (value, place) => weights[place]! * Math.exp(-(((eigenvalue - value) / breadth) ** 2) / 2),
    );
    const count = (size / (breadth * Math.sqrt(2 * Math.PI))) * shares.reduce((sum, share) => sum + share, 0);
    return { eigenvalue, count };
  });
  return { breadth, points };
}

/**
 * A figure of one spectral density, on a logarithmic axis that ends at a tenth of the height of a single eigenvalue: what is lower is
 * the foot of a normal law.
 */
export function spectrumFigure(row: SpectrumRow): TopLevelSpec {
  const { breadth, points } = spectrumCurve(row);
  const single = 1 / (breadth * Math.sqrt(2 * Math.PI));
  const bottom = single / 10;
  const top = Math.max(single, ...points.map(({ count }) => count)) * 2;
  const name = printable(row.layer ?? "whole network");
  const subtitle = [
    `${row.density.size} weights · largest ${significant(row.value)} · mean ${significant(meanEigenvalue(row))}`,
    `dashed: the height of a single eigenvalue`,
  ];
  const x = { field: "eigenvalue", type: "quantitative" as const, title: "eigenvalue of the Hessian" };
  const scale = { type: "log" as const, domain: [bottom, top] };
  return {
    title: { text: name, subtitle },
    description: `Spectral density of the Hessian, ${name}: ${subtitle[0]}`,
    width: WIDTH,
    // Room for the title of the axis: where it is longer than the axis, it pushes the figure's own out of sight.
    height: 290,
    autosize: { type: "fit", contains: "padding" },
    layer: [
      {
        data: { values: points.map(({ eigenvalue, count }) => ({ eigenvalue, count: Math.max(count, bottom) })) },
        mark: { type: "area", color: ink.data, opacity: 0.25, line: { color: ink.data, strokeWidth: 1.5 }, clip: true },
        encoding: {
          x: { ...x, scale: { zero: false, nice: false }, axis: { grid: false, tickCount: 7 } },
          y: {
            field: "count",
            type: "quantitative",
            title: "eigenvalues per unit",
            scale,
            axis: axisOf({ type: "log" }, bottom, top),
          },
          y2: { datum: bottom },
        },
      },
      {
        data: { values: [{ single }] },
        mark: { type: "rule", color: ink.faint, strokeDash: [4, 3], strokeWidth: 1 },
        encoding: { y: { field: "single", type: "quantitative", scale } },
      },
    ],
  };
}
