import { describe, expect, test } from "vitest";
import type { Result, ResultRow } from "../../src/evaluation/result.ts";
import { figureSvg } from "../../src/report/figure.ts";
import { resultHtml } from "../../src/report/html.ts";
import { runsHtml } from "../../src/report/runs-html.ts";
import { spectraText } from "../../src/report/spectra.ts";
import { spectrumCurve, spectrumFigure } from "../../src/report/spectrum-figure.ts";
import type { SpectrumRow } from "../../src/report/spectrum.ts";
import { resultTable } from "../../src/report/table.ts";
import { weightedQuantile } from "../../src/statistics/quantile.ts";
import { example, row } from "./example.ts";

/** The trapezoidal rule on a smooth bump that falls to nothing at both ends. */
const INTEGRAL = 1e-3;

const spectrum = (layer: string | null, values: number[], weights: number[], size: number): SpectrumRow => ({
  ...row(layer, "spectral-density", values.at(-1)!, null, 0, "stochastic-lanczos"),
  density: { values, weights, size },
});
const rows: readonly ResultRow[] = [
  spectrum("fc1", [-2, 1e-7, 0.5, 4], [0.01, 0.89, 0.085, 0.015], 200),
  spectrum(null, [-1e-9, 1, 3], [0.9, 0.09, 0.01], 100),
];
const result: Result = { ...example, results: rows };

test("quantiles of weighted values by hand", () => {
  const [values, weights] = [
    [-2, 0, 0.5, 4],
    [0.01, 0.89, 0.085, 0.015],
  ];
  const places = [0, 0.01, 0.0101, 0.5, 0.9, 0.901, 0.985, 0.986, 1];
  expect(places.map((p) => weightedQuantile(values!, weights!, p))).toEqual([-2, -2, 0, 0, 0, 0.5, 0.5, 4, 4]);
});

test("the table has where the eigenvalues lie; what rounding leaves is no eigenvalue", () => {
  // −2·0.01 + 0.5·0.085 + 4·0.015 = 0.0825; 0.09 + 0.03 = 0.12.
  const lines = [
    "eigenvalues of  weights  smallest  median  90 %   99 %  largest     mean",
    "────────────────────────────────────────────────────────────────────────",
    "fc1                 200    -2.000     ≈ 0   ≈ 0  4.000    4.000  0.08250",
    "whole network       100       ≈ 0     ≈ 0   ≈ 0  1.000    3.000   0.1200",
  ];
  expect(spectraText(result)).toEqual(lines);
  expect(resultTable(result)).toContain(`\n\n${lines.join("\n")}\n\n`);
  expect(spectraText(example)).toEqual([]);
});

describe("the curve", () => {
  test.each(rows.map((each) => [each.layer, each as SpectrumRow] as const))(
    "of %s: its integral is the number of weights",
    (_, each) => {
      const { points } = spectrumCurve(each);
      let integral = 0;
      for (let at = 1; at < points.length; at++) {
        const [left, right] = [points[at - 1]!, points[at]!];
        integral += ((left.count + right.count) / 2) * (right.eigenvalue - left.eigenvalue);
      }
      expect(Math.abs(integral / each.density.size - 1)).toBeLessThan(INTEGRAL);
    },
  );

  test("a single eigenvalue is as high as the dashed line", () => {
    const { breadth, points } = spectrumCurve(rows[1] as SpectrumRow);
    expect(breadth).toBeCloseTo(0.03, 9);
    const near = points.filter(({ eigenvalue }) => Math.abs(eigenvalue - 3) < 0.005);
    // Weight 0.01 of 100: one eigenvalue of 1 / (0.03 √2π) = 13.298.
    expect(Math.max(...near.map(({ count }) => count))).toBeCloseTo(13.298, 1);
  });

  test("one value alone, and zeros alone", () => {
    for (const value of [0, 2]) {
      const { points } = spectrumCurve(spectrum("a", [value], [1], 5));
      expect(points.every(({ count }) => Number.isFinite(count))).toBe(true);
    }
  });
});

test("a figure for each in the page, with its name in sight", async () => {
  const page = await resultHtml(result);
  expect(page).toContain("<h2>Spectral density</h2>");
  expect(page).toContain('<th scope="row">fc1</th><td class="number">200</td><td class="number">−2.000</td>');
  expect(page.match(/aria-label="Spectral density of the Hessian, /g)).toHaveLength(2);
  expect(await resultHtml(example)).not.toContain("Spectral density");
  expect((await runsHtml({ schema: 1, runs: [result, result] })).match(/<h2>Spectral density<\/h2>/g)).toHaveLength(2);
  for (const each of rows) {
    const svg = await figureSvg(spectrumFigure(each as SpectrumRow));
    const down = Number(/translate\([\d.]+,([\d.]+)\)/.exec(svg)![1]);
    const up = Number(/role-title"><g transform="translate\([-\d.]+,(-[\d.]+)\)/.exec(svg)![1]);
    expect(down + up).toBeGreaterThanOrEqual(0);
  }
});
