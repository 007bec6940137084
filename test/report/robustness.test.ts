import { describe, expect, test } from "vitest";
import { boundHtml } from "../../src/report/bound-html.ts";
import { figureSvg } from "../../src/report/figure.ts";
import { robustnessFigure } from "../../src/report/robustness-figure.ts";
import { robustnessHtml } from "../../src/report/robustness-html.ts";
import { robustnessTable } from "../../src/report/robustness-table.ts";
import type { BoundResult, BoundRow, RobustnessResult, RobustnessRow } from "../../src/theory/result.ts";
import { example } from "./example.ts";

const { model, data, loss, environment } = example;

/** Theory 2δ − 5δ², measured as theory says but for a δ³. */
function rowOf(delta: number, matrix: string | null = null, standardError: number | null = 0.01): RobustnessRow {
  const theory = (matrix === null ? 0 : 2 * delta) - 5 * delta ** 2;
  return {
    layer: "fc3",
    delta,
    matrix,
    measured: theory + delta ** 3,
    standardError: matrix === null ? standardError : null,
    dataError: 0.02,
    theory,
    theoryError: 0,
    draws: 100,
    holds: delta < 0.2,
    worst: { alpha: delta, measured: theory + delta ** 3, standardError },
    teacher: null,
  };
}

function resultOf(rows: readonly RobustnessRow[]): RobustnessResult {
  return {
    schema: 1,
    kind: "robustness",
    model,
    data,
    loss,
    features: { family: "orthogonal", options: { antithetic: "true" } },
    epsilon: 0.01,
    teacher: null,
    layers: [{ name: "fc3", d: 10, m: 84, positions: 1, groups: 1, flatness: null, zeroFeatures: 0 }],
    rows,
    warnings: [],
    environment,
    seconds: { total: 1 },
  };
}

interface Mark {
  readonly x: number;
  readonly y: number;
}

/** Places of the points of a figure. */
function pointsOf(svg: string): Mark[] {
  const places = svg.matchAll(/aria-roledescription="point" transform="translate\(([-\d.]+),([-\d.]+)\)"/g);
  return [...places].map((match) => ({ x: Number(match[1]), y: Number(match[2]) }));
}

/** Corners of the lines of a figure, in the coordinates of the points. */
function linesOf(svg: string): Mark[][] {
  const paths = [...svg.matchAll(/aria-roledescription="line mark" d="([^"]*)"/g)].map((match) => match[1]!);
  return paths.map((path) =>
    [...path.matchAll(/[ML]([-\d.e]+),([-\d.e]+)/g)].map((match) => ({ x: Number(match[1]), y: Number(match[2]) })),
  );
}

/** Height of a line at x, between its corners. */
function heightAt(line: readonly Mark[], x: number): number {
  const after = line.findIndex((corner) => corner.x >= x);
  const [a, b] = [line[Math.max(0, after - 1)]!, line[after]!];
  return a === b ? a.y : a.y + ((b.y - a.y) * (x - a.x)) / (b.x - a.x);
}

describe("the figure of robustness", () => {
  const deltas = [0.01, 0.1, 0.2, 0.3];

  test("is as wide as it says, with points and error bars on theory's parabola", async () => {
    const svg = await figureSvg(robustnessFigure(resultOf(deltas.map((delta) => rowOf(delta))), "fc3"));
    const points = pointsOf(svg);
    expect(points).toHaveLength(4);
    // 0.29 of the axis, which ends at 0.35.
    expect(points[3]!.x - points[0]!.x).toBeGreaterThan(200);
    expect((points[1]!.x - points[0]!.x) / (points[3]!.x - points[0]!.x)).toBeCloseTo(0.09 / 0.29, 3);
    const [line] = linesOf(svg);
    // The δ³ of the last point, in pixels, from the scale that the points give.
    const scale = (points[3]!.y - points[0]!.y) / (rowOf(0.3).measured - rowOf(0.01).measured);
    for (const [index, { x, y }] of points.entries()) {
      expect(Math.abs(y - heightAt(line!, x) - scale * deltas[index]! ** 3)).toBeLessThan(0.3);
    }
    const bars = [...svg.matchAll(/aria-roledescription="rule mark" transform="[^"]*" x2="0" y2="([-\d.]+)"/g)];
    expect(bars).toHaveLength(4);
    for (const bar of bars) expect(Math.abs(Number(bar[1]))).toBeCloseTo(Math.abs(scale) * 2 * 1.96 * 0.01, 0);
  });

  test("has a line for each given matrix, with its first order", async () => {
    const rows = ["e_1", "e_2"].flatMap((name) => deltas.map((delta) => rowOf(delta, name)));
    const svg = await figureSvg(robustnessFigure(resultOf(rows), "fc3"));
    const [points, lines] = [pointsOf(svg).slice(0, 4), linesOf(svg)];
    expect(lines).toHaveLength(2);
    const scale = (points[3]!.y - points[0]!.y) / (rowOf(0.3, "e_1").measured - rowOf(0.01, "e_1").measured);
    points.forEach(({ x, y }, index) =>
      expect(Math.abs(y - heightAt(lines[0]!, x) - scale * deltas[index]! ** 3)).toBeLessThan(0.3),
    );
  });

  test("stands in the page, whose table says δ and α as they were given", async () => {
    const html = await robustnessHtml(resultOf(deltas.map((delta) => rowOf(delta))));
    expect(html).toContain('<td class="number">0.3</td>');
    expect(html).toContain("no (largest at α = 0.3)");
    expect(html).toContain("|E_F| ≤ 0.01 up to δ");
    expect(html).not.toMatch(/NaN|undefined/);
    expect(robustnessTable(resultOf([rowOf(0.3)]))).toMatch(/0\.3 .*no, largest at α = 0\.3/);
  });
});

test("the figure of the bound names its parts in full", async () => {
  const row = (quantity: string, value: number, delta: number | null): BoundRow => ({
    quantity,
    delta,
    value,
    standardError: 0.01,
    status: "estimated",
    note: "",
  });
  const rows = [row("gap", 0.1, null), row("representativeness + label term", -0.2, 0.5), row("sum", 0.1, 0.5)];
  const result: BoundResult = {
    schema: 1,
    kind: "bound",
    model,
    data,
    test: data,
    loss,
    layer: { name: "fc3", d: 10, m: 84 },
    sigma: 1,
    probability: 0.95,
    draws: 10,
    teacher: null,
    zeroFeatures: 0,
    rows,
    warnings: [],
    environment,
    seconds: { total: 1 },
  };
  const html = await boundHtml(result);
  expect(html).toMatch(/<text[^>]*>representativeness \+ label term<\/text>/);
  expect(html).toContain("σ 1<");
});
