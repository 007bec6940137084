import { expect, test } from "vitest";
import { studyFigures } from "../../src/report/study-figures.ts";
import { columnLabel, seriesLabel } from "../../src/report/study-labels.ts";
import { studyHtml } from "../../src/report/study-page.ts";
import { analyse } from "../../src/studies/analysis.ts";
import { selected } from "../../src/studies/selection.ts";
import { changed, run } from "../studies/tiny-study.ts";

const study = changed(
  ["title: Tiny networks", 'title: "<b>Tiny</b> & networks"'],
  ["about: Tiny", 'deviations: ["it is <i>small</i>"]\nabout: Tiny'],
  [
    "resamples: 100",
    "resamples: 100, controls: [optimizer], by: batchSize, exclude: [{ column: train-loss, above: 1, reason: not trained }]",
  ],
  [
    "  - { kind: correlations }\n",
    "  - { kind: correlations }\n  - { kind: groups }\n  - { kind: trend, x: batchSize, facts: [train-loss] }\n",
  ],
);
// Within each optimizer the gap falls as the measure grows; both are larger with fast.
const runs = ["slow", "fast"].flatMap((optimizer, group) =>
  [0, 1, 2, 3, 4, 5].map((index) =>
    run(`${optimizer}-${index}`, 20 * group + index, 20 * group + 6 - index, {
      settings: { optimizer, batchSize: index < 3 ? 16 : 32 },
      facts: { "train-loss": 0.1 + index / 100 },
    }),
  ),
);
const all = [
  ...runs,
  run("lost", 1, 1, { settings: { optimizer: "slow", batchSize: 16 }, facts: { "train-loss": 3 } }),
];
const failed = [{ task: "<fast>", reason: "it <burst>", attempts: 3, output: ["at <line> 7"] }];
const summary = analyse(study, all, failed);
const compared = selected(all, study.analysis).runs;
const figures = studyFigures(study.figures, { compared, all }, summary);
const html = await studyHtml(summary, figures, compared);

test("the page is self-contained: nothing is loaded, run or linked", () => {
  const names = /http:\/\/www\.w3\.org\/(2000\/svg|1999\/xlink|1999\/xhtml)/g;
  expect(html.replaceAll(names, "")).not.toMatch(/https?:|\bsrc\s*=|<script|<link|<iframe|@import|url\((?!#)/i);
});

test("has the figures, tables, strata with their warning, exclusions, failures, deviations and all runs", () => {
  expect(html.match(/<figure/g)).toHaveLength(4);
  for (const text of [
    "&lt;b&gt;Tiny&lt;/b&gt; &amp; networks",
    "Tiny networks for a test.",
    "Kendall τ",
    "sign differs",
    "fast: −1.00 (n = 6); slow: −1.00 (n = 6)",
    "1 excluded: not trained",
    "failed after 3 attempts: &lt;fast&gt;: it &lt;burst&gt;",
    "at &lt;line&gt; 7",
    "it is &lt;i&gt;small&lt;/i&gt;",
    "All 12 runs",
    "slow-5",
  ]) {
    expect(html).toContain(text);
  }
  expect(html).not.toMatch(/<b>Tiny|<burst>|<i>small|NaN|undefined|\[object/);
});

test("figures show the runs that are compared, and numbers in their order", () => {
  expect(figures.map(({ name }) => name)).toEqual(["1-correlations", "2-groups", "3-trend", "4-scatter"]);
  // Drawing marks the points with symbols of Vega's.
  const scatter = JSON.parse(JSON.stringify(figures[3]!.figure)) as {
    concat: { data: { values: { x: number; y: number; color: string }[] } }[];
  };
  expect(scatter.concat[0]!.data.values).toEqual(
    runs.map(({ values, facts, settings }) => ({
      x: values[0]!.value,
      y: facts["generalization-gap"],
      color: settings["optimizer"],
    })),
  );
  const choice = { kind: "scatter" as const, color: "batchSize", logarithmic: true };
  const [coloured] = studyFigures([choice], { compared, all }, summary) as unknown as [
    { figure: { concat: { data: { values: unknown[] }; encoding: { color: { type: string } } }[] } },
  ];
  expect(coloured.figure.concat[0]!.encoding.color.type).toBe("ordinal");
  // A logarithmic axis has no place for the run whose measure is 0.
  expect(coloured.figure.concat[0]!.data.values).toHaveLength(11);
});

test("runs of different layers stand under their own heads", async () => {
  const two = [1, 2, 3, 4].flatMap((m) => {
    const one = run(`one-${m}`, m, m, { settings: { batchSize: 16 } });
    const other = run(`other-${m}`, 10 * m, -m, { settings: { batchSize: 32 } });
    return [one, { ...other, values: other.values.map((each) => ({ ...each, layer: "fc9" })) }];
  });
  const page = await studyHtml(analyse(study, two, []), [], two);
  const rowsOf = (start: string) =>
    [...page.slice(page.indexOf(start)).matchAll(/<t[hd](?: [^>]*)?>(?:<span class="hash">)?([^<]*)/g)].map(
      ([, text]) => text,
    );
  const groups = rowsOf("Group by group");
  const at = (row: string, head: string) => groups[groups.indexOf(row) + groups.indexOf(head)];
  expect([at("16", "m, fc1"), at("16", "m, fc9")]).toEqual([expect.stringMatching(/^1\.00 /), "–"]);
  expect([at("32", "m, fc1"), at("32", "m, fc9")]).toEqual(["–", expect.stringMatching(/^−1\.00 /)]);
  const runsTable = rowsOf("All 8 runs");
  const cell = (row: string, head: string) => runsTable[runsTable.indexOf(row) + runsTable.indexOf(head)];
  expect([cell("one-3", "m, fc1"), cell("one-3", "m, fc9")]).toEqual(["3.000", "–"]);
  expect([cell("other-3", "m, fc1"), cell("other-3", "m, fc9")]).toEqual(["–", "30.00"]);
});

test("a figure with nothing to show is left out", () => {
  expect(studyFigures([{ kind: "correlations", measures: ["n"] }], { compared, all }, summary)).toEqual([]);
  expect(studyFigures(study.figures, { compared: [], all: [] }, analyse(study, [], []))).toEqual([]);
});

test("names are words", () => {
  expect(columnLabel("sampling.labelNoise")).toBe("sampling label noise");
  expect(seriesLabel({ measure: "pac-bayes-flatness", layer: null })).toBe("PAC-Bayes flatness");
  expect(seriesLabel({ measure: "fisher-rao-norm", layer: "fc1" })).toBe("Fisher–Rao norm, fc1");
});
