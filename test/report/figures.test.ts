import { afterEach, describe, expect, test, vi } from "vitest";
import type { TopLevelSpec } from "vega-lite";
import { bins, histogram } from "../../src/report/histogram.ts";
import { layerOverview } from "../../src/report/layer-overview.ts";
import { axisOf, chooseScale, coordinate, niceStep } from "../../src/report/scale.ts";
import { figureSvg } from "../../src/report/figure.ts";
import { perSample, row, uniform } from "./example.ts";

const subtitleOf = (figure: TopLevelSpec) => (figure.title as { subtitle: string | string[] }).subtitle;

describe("the scale", () => {
  test("is logarithmic for over three decades of positive values, zeros apart", () => {
    expect(chooseScale([1, 1000])).toEqual({ type: "linear" });
    expect(chooseScale([1, 1001])).toEqual({ type: "log" });
    expect(chooseScale([0, 1, 1001])).toEqual({ type: "log" });
    expect(chooseScale([0, 5, 6])).toEqual({ type: "linear" });
  });

  test("is never logarithmic with a negative value", () => {
    expect(chooseScale([-1e-9, 1, 1001]).type).not.toBe("log");
    expect(chooseScale([-3, -2, 1, 2, 3])).toEqual({ type: "linear" });
    expect(chooseScale([-1000, -1, 2, 1, 500])).toEqual({ type: "symlog", constant: 1 });
  });

  test("of nothing, of zeros and of what is no number is linear", () => {
    for (const values of [[], [0, 0], [NaN], [NaN, 1, Infinity]]) expect(chooseScale(values).type).toBe("linear");
  });

  test("has a coordinate with an inverse", () => {
    for (const scale of [{ type: "linear" }, { type: "log" }, { type: "symlog", constant: 0.1 }] as const) {
      const { to, from } = coordinate(scale);
      for (const value of [1e-3, 0.7, 42, 1e6]) expect(from(to(value)) / value).toBeCloseTo(1, 9);
    }
    const { to, from } = coordinate({ type: "symlog", constant: 0.1 });
    expect(from(to(-42))).toBeCloseTo(-42, 9);
    expect(to(0)).toBe(0);
  });

  test("has powers of ten for ticks", () => {
    const axis = axisOf({ type: "symlog", constant: 1 }, -150, 2000);
    expect(axis.values).toEqual([-100, -10, -1, 0, 1, 10, 100, 1000]);
    expect(axis.labelExpr).toContain('"-100":"−10²"');
    expect(axisOf({ type: "log" }, 1e-16, 1).values).toEqual([1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1]);
    expect([0.7, 1, 1.1, 4, 6e-3].map(niceStep)).toEqual([1, 1, 2, 5, 0.01]);
  });
});

describe("bins", () => {
  const next = uniform(3);
  const signed = Array.from({ length: 999 }, () => (next() - 0.3) / (next() + 1e-3) ** 2);

  test.each([
    ["linear", signed, { type: "linear" } as const],
    ["log", signed.map(Math.abs), { type: "log" } as const],
    ["symlog", signed, { type: "symlog", constant: 1 } as const],
    ["linear, one value", [3.3, 3.3], { type: "linear" } as const],
    ["linear, zeros", [0, 0, 0], { type: "linear" } as const],
  ])("%s: every value lies in exactly the bin that counts it", (_, values, scale) => {
    const found = bins(values, scale);
    expect(found.reduce((sum, { count }) => sum + count, 0)).toBe(values.length);
    for (const { from, to, count } of found) {
      // Edges are computed twice, from places and back: a value on an edge may fall on either side of it.
      const slack = 1e-9 * Math.max(Math.abs(from), Math.abs(to));
      const surely = values.filter((value) => value >= from + slack && value < to - slack).length;
      const perhaps = values.filter((value) => value >= from - slack && value < to + slack).length;
      expect(count).toBeGreaterThanOrEqual(surely);
      expect(count).toBeLessThanOrEqual(perhaps);
    }
  });

  test("by hand", () => {
    // Range 16 over the smallest number of bins, 8: steps of 2.
    expect(bins([1, 2, 3.9, 4, 17], { type: "linear" }).map(({ from, count }) => [from, count])).toEqual([
      [0, 1],
      [2, 2],
      [4, 1],
      [6, 0],
      [8, 0],
      [10, 0],
      [12, 0],
      [14, 0],
      [16, 1],
    ]);
  });
});

describe("a histogram", () => {
  test("says what it does not draw", () => {
    const values = Float32Array.of(0, 0, 1, 3, 1e4, NaN, Infinity);
    const figure = histogram({ layer: "fc", measure: "relative-flatness", values }, "nats");
    expect(subtitleOf(figure)).toEqual([
      "7 samples · mean 2001 (line) · median 1.000",
      "2 are 0 and have no place on this axis · 2 are not finite",
    ]);
  });

  test("names the axis with the unit, and drops it for none", () => {
    const titles = ["nats", ""].map((unit) => {
      const text = JSON.stringify(histogram(perSample("fc", 1, 50), unit));
      return /"title":"([^"]*of a sample[^"]*)"/.exec(text)?.[1];
    });
    expect(titles).toEqual(["relative flatness κ of a sample (nats)", "relative flatness κ of a sample"]);
  });
});

describe("the overview of layers", () => {
  const rows = (...values: number[]) =>
    values.map((value, index) => row(`l${index}`, "relative-flatness", value, 0.3, 0.4, "probes"));
  const pointsOf = (figure: TopLevelSpec) => (figure as unknown as { data: { values: object[] } }).data.values;
  const isLog = (figure: TopLevelSpec) => JSON.stringify(figure).includes('"type":"log"');

  test("draws 1.96 standard errors, data and probes together, to either side", () => {
    const [point] = pointsOf(layerOverview(rows(4), "nats"));
    // √(0.3² + 0.4²) = 0.5.
    expect(point).toMatchObject({ name: "l0", value: 4, low: 4 - 0.98, high: 4 + 0.98 });
  });

  test("is logarithmic for a range over 100 of positive values only", () => {
    expect(isLog(layerOverview(rows(1, 100), ""))).toBe(false);
    expect(isLog(layerOverview(rows(1, 101), ""))).toBe(true);
    expect(isLog(layerOverview(rows(-1, 101), ""))).toBe(false);
    expect(isLog(layerOverview(rows(0, 101), ""))).toBe(false);
  });

  test("ends an interval that reaches zero at a logarithmic axis", () => {
    // 0.4 − 0.98 < 0; the decade under half of 0.4 begins at 0.1.
    expect(pointsOf(layerOverview(rows(0.4, 1000), ""))[0]).toMatchObject({ low: 0.1 });
  });

  test("leaves out and counts what is not finite, and the whole network", () => {
    const figure = layerOverview([...rows(1, NaN), row(null, "relative-flatness", 9, 1, 0, "x")], "");
    expect(pointsOf(figure)).toHaveLength(1);
    expect(subtitleOf(figure)).toContain("1 not finite");
  });
});

describe("as SVG", () => {
  afterEach(() => vi.restoreAllMocks());

  test("every kind of figure is drawn without a word from Vega and without NaN", async () => {
    const said = [vi.spyOn(console, "warn"), vi.spyOn(console, "error")];
    const sample = (...values: number[]) =>
      histogram({ layer: "a", measure: "relative-flatness", values: Float32Array.from(values) }, "nats");
    const gauss = row("a", "relative-flatness", 1, 0.1, 0, "probes");
    const figures = [
      sample(),
      sample(NaN),
      sample(5),
      sample(0),
      sample(1, 2, 3),
      sample(1e-9, 1, 1e9),
      sample(-1e4, -1, 1, 1e4, 2),
      layerOverview([], ""),
      layerOverview([gauss], "nats"),
      layerOverview([gauss, { ...gauss, curvature: "hessian", value: 2 }], "nats"),
      layerOverview([gauss, row("b", "relative-flatness", 1e5, NaN, 0, "probes")], "nats"),
      layerOverview(
        Array.from({ length: 60 }, (_, index) => ({ ...gauss, layer: `encoder.layer.${index}.attention.query` })),
        "nats",
      ),
    ];
    for (const figure of figures) {
      const drawn = await figureSvg(figure);
      expect(drawn).toMatch(/^<svg[^]*<\/svg>$/);
      expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
      // Several stand in one page: nothing may be referred to by a name.
      expect(drawn).not.toMatch(/\sid=|url\(/);
    }
    for (const spy of said) expect(spy).not.toHaveBeenCalled();
  });
});
