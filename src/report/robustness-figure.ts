import type { TopLevelSpec } from "vega-lite";
import type { RobustnessResult, RobustnessRow } from "../theory/result.ts";
import { lossUnit, printable } from "./labels.ts";
import { ink } from "./theme.ts";

/** Half a 95 % interval of a normal law, in standard errors. */
const INTERVAL = 1.96;
const WIDTH = 440;
const CURVE_POINTS = 60;

/**
 * A figure of the feature robustness of one layer over δ: measured points with 95 % intervals, on theory's parabola. For several given
 * matrices a line each, of the ones that move the loss most.
 *
 * @param rows of one layer
 */
export function robustnessFigure(result: RobustnessResult, layer: string): TopLevelSpec {
  const rows = loudest(result.rows.filter((row) => row.layer === layer));
  const unit = lossUnit(result.loss.kind);
  const names = [...new Set(rows.map(nameOf))];
  const points = rows.map((row) => {
    const half = INTERVAL * (row.standardError ?? 0);
    return {
      name: nameOf(row),
      delta: row.delta,
      value: row.measured,
      low: row.measured - half,
      high: row.measured + half,
    };
  });
  const curves = names.flatMap((name) =>
    curveOf(
      name,
      rows.filter((row) => nameOf(row) === name),
    ),
  );
  const several = names.length > 1;
  const color = several ? { color: { field: "name", type: "nominal" as const, title: "matrix", sort: null } } : {};
  const x = { field: "delta", type: "quantitative" as const, title: "δ" };
  const all = rows.filter((row) => row.theory !== null).length > 0;
  // A line each: a title that is wider than the figure leaves no room for it.
  const subtitle = [
    `points: measured${rows.some((row) => row.standardError !== null) ? ", bars: 95 % intervals over the draws" : ""}`,
    ...(all ? ["line: theory to second order in δ"] : []),
  ];
  return {
    title: { text: printable(layer), subtitle },
    description: `Feature robustness of ${printable(layer)} over δ, measured and in theory`,
    width: WIDTH,
    height: 280,
    autosize: { type: "fit", contains: "padding" },
    layer: [
      {
        data: { values: curves },
        mark: { type: "line", ...(several ? {} : { color: ink.mark }) },
        encoding: { x, y: { field: "value", type: "quantitative", title: `E_F (${unit})` }, ...color },
      },
      {
        data: { values: points },
        mark: { type: "rule" },
        encoding: { x, y: { field: "low", type: "quantitative" }, y2: { field: "high" }, ...color },
      },
      {
        data: { values: points },
        mark: { type: "point" },
        encoding: { x, y: { field: "value", type: "quantitative" }, ...color },
      },
    ],
  };
}

/** Matrices that a figure or a table shows. */
export const SHOWN = 6;

/** The rows of the matrices whose |E_F| is largest at the largest δ; all rows of a distribution. */
export function loudest(rows: readonly RobustnessRow[], most = SHOWN): RobustnessRow[] {
  const last = Math.max(...rows.map((row) => row.delta));
  const ranked = rows
    .filter((row) => row.delta === last)
    .sort((a, b) => Math.abs(b.measured) - Math.abs(a.measured))
    .slice(0, most)
    .map(nameOf);
  return rows.filter((row) => ranked.includes(nameOf(row)));
}

function nameOf({ matrix }: RobustnessRow): string {
  return matrix ?? "average";
}

/** a δ + b δ² through theory's values at the smallest and the largest δ; a parabola about 0 where there is one δ, or no odd order. */
function curveOf(name: string, rows: readonly RobustnessRow[]): { name: string; delta: number; value: number }[] {
  const known = rows.flatMap(({ delta, theory }) => (theory === null ? [] : [{ delta, theory }]));
  const [first, last] = [known[0], known.at(-1)];
  if (!first || !last) return [];
  const slope =
    first === last || rows[0]?.matrix === null
      ? 0
      : (first.theory / first.delta - (last.theory * first.delta) / last.delta ** 2) / (1 - first.delta / last.delta);
  const bend = (last.theory - slope * last.delta) / last.delta ** 2;
  return Array.from({ length: CURVE_POINTS + 1 }, (_, index) => {
    const delta = (index / CURVE_POINTS) * last.delta * 1.05;
    return { name, delta, value: slope * delta + bend * delta ** 2 };
  });
}
