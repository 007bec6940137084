import { describe, expect, test } from "vitest";
import type { Result, Runs, Warning, WarningCode } from "../../src/evaluation/result.ts";
import { resultCsv, runsCsv } from "../../src/report/csv.ts";
import { resultHtml } from "../../src/report/html.ts";
import { runNames } from "../../src/report/runs.ts";
import { runsHtml } from "../../src/report/runs-html.ts";
import { runsTable } from "../../src/report/runs-table.ts";
import { resultTable } from "../../src/report/table.ts";
import { example, layer, row } from "./example.ts";

const sha256 = "5eed".repeat(16);
const common: Warning = { code: "gradient-not-small", layer: "fc1", text: "not at a minimum" };

/** The example with the weights of a file, its values of relative flatness times a factor. */
function run(file: string, factor: number, more: Partial<Result> = {}): Result {
  return {
    ...example,
    model: { ...example.model, weights: { file, sha256 } },
    loss: { ...example.loss, value: factor * example.loss.value },
    results: example.results.map((each) =>
      each.measure === "relative-flatness" ? { ...each, value: factor * each.value } : each,
    ),
    warnings: [common],
    ...more,
  };
}
const own: Warning = { code: "weights-by-shape", text: "2 of 6 weights were found by shape alone" };
const runs: Runs = {
  schema: 1,
  runs: [run("runs/epoch-9.pt", 1), run("runs/epoch-10.pt", 2, { warnings: [own, common] })],
};
const measured = (results: Result["results"]): Result => ({
  ...example,
  layers: [layer("fc", 2, 3)],
  results,
  warnings: [],
});

test("a table a measure, by hand: 27.044708 and twice as much", () => {
  expect(runsTable(runs)).toBe(
    `
model  lenet5.onnx (opset 17) with 2 files of weights in runs/
data   fashion-mnist.npz (train), n = 2000

weights          cross-entropy  accuracy  fisher-rao-norm
─────────────────────────────────────────────────────────
epoch-9.pt   0.04437 ± 0.00213   98.70 %    1.187 ± 0.031
epoch-10.pt  0.08873 ± 0.00213   98.70 %    1.187 ± 0.031

relative flatness κ
weights             conv1           fc1           fc3
─────────────────────────────────────────────────────
epoch-9.pt   27.04 ± 1.89  232.7 ± 11.9  31.42 ± 1.90
epoch-10.pt  54.09 ± 1.89  465.4 ± 11.9  62.84 ± 1.90

Tr(H)
weights              conv1           fc1            fc3
───────────────────────────────────────────────────────
epoch-9.pt   5.523 ± 0.413  67.52 ± 3.12  8.240 ± 0.501
epoch-10.pt  5.523 ± 0.413  67.52 ± 3.12  8.240 ± 0.501

‖W‖²
weights      conv1    fc1    fc3
────────────────────────────────
epoch-9.pt   14.81  188.3  35.71
epoch-10.pt  14.81  188.3  35.71

not measured: mel: excluded by --exclude

measured by gauss-newton-exact: conv1
measured by gauss-newton-probes: fc1
measured by closed-form: fc3

warning: [gradient-not-small] fc1: not at a minimum
warning: [weights-by-shape] 2 of 6 weights were found by shape alone (epoch-10.pt)

κ small = flat; κ has the unit of the loss; ± is one standard error; took 11 s`.trimStart(),
  );
});

test("tables wider than a terminal go on below, each line behind its run", () => {
  const layers = Array.from({ length: 12 }, (_, index) => layer(`block.${index}.attention`, 4, 4));
  const results = layers.map(({ name }, index) => row(name, "relative-flatness", index + 1, 0.5, 0, "closed-form"));
  const text = runsTable({
    schema: 1,
    runs: [run("a.pt", 1, { layers, results }), run("b.pt", 1, { layers, results })],
  });
  const lines = text.split("\n");
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  expect(lines.filter((line) => line.startsWith("a.pt"))).toHaveLength(4);
  expect(text).toContain("\n\nmeasured by closed-form\n\n");
  expect(text.match(/block\.\d+\.attention(?=  |\n)/g)).toHaveLength(12);
});

describe("what tells runs apart", () => {
  const of = (file: string, weights?: string, part?: string): Result => ({
    ...example,
    model: {
      ...example.model,
      file,
      ...(weights !== undefined && { weights: { file: weights, sha256, ...(part !== undefined && { part }) } }),
    },
  });
  test.each<[string, Result[], string, string[], string, string | undefined]>([
    [
      "weights of one model",
      [of("m.onnx", "r/a/1.pt"), of("m.onnx", "r/b/1.pt")],
      "weights",
      ["a/1.pt", "b/1.pt"],
      "r/",
      "m.onnx",
    ],
    [
      "parts of a file",
      [of("m.onnx", "w.pt", "a"), of("m.onnx", "w.pt", "b")],
      "weights",
      ["w.pt#a", "w.pt#b"],
      "",
      "m.onnx",
    ],
    ["models", [of("/x/a.onnx"), of("/x/b.onnx")], "model", ["a.onnx", "b.onnx"], "/x/", undefined],
    ["both", [of("a.onnx"), of("b.onnx", "w.pt")], "model", ["a.onnx", "b.onnx with w.pt"], "", undefined],
    ["the same twice", [of("a.onnx"), of("a.onnx")], "model", ["a.onnx", "a.onnx#2"], "", undefined],
    ["one", [of("m.onnx", "r/1.pt")], "weights", ["1.pt"], "r/", "m.onnx"],
    [
      "folders that begin alike",
      [of("ab/1.onnx"), of("ac/1.onnx")],
      "model",
      ["ab/1.onnx", "ac/1.onnx"],
      "",
      undefined,
    ],
  ])("%s", (_, results, head, names, folder, model) => {
    expect(runNames({ schema: 1, runs: results })).toEqual({
      head,
      names,
      folder,
      ...(model !== undefined && { model }),
    });
  });
});

test("models with other layers have gaps, and columns for each way", () => {
  const gauss = row("fc", "relative-flatness", 4, 0.5, 0, "probes");
  const both = measured([
    { ...gauss, curvature: "hessian" },
    { ...gauss, value: 3 },
  ]);
  const other: Result = {
    ...measured([row("head", "relative-flatness", 2, 0.5, 0, "closed-form")]),
    model: { ...example.model, file: "b.onnx" },
  };
  const lines = runsTable({ schema: 1, runs: [both, other] }).split("\n");
  const at = lines.indexOf("relative flatness κ");
  expect(lines.slice(at + 1, at + 5)).toEqual([
    "model         fc (hessian)  fc (gauss-newton)           head",
    "────────────────────────────────────────────────────────────",
    "lenet5.onnx  4.000 ± 0.500      3.000 ± 0.500              –",
    "b.onnx                   –                  –  2.000 ± 0.500",
  ]);
});

test("CSV has a column for the weights, and all digits", () => {
  const lines = runsCsv(runs).split("\r\n");
  expect(lines[0]).toMatch(/^model,weights,layer,d,m,/);
  expect(lines).toHaveLength(1 + 2 * 11 + 1);
  expect(lines[1]).toBe(
    "lenet5.onnx,runs/epoch-9.pt,conv1,6,75,784,1,relative-flatness,27.044708,1.8912,0,2000,gauss-newton-exact,gauss-newton,,",
  );
  expect(lines[12]).toMatch(/^lenet5\.onnx,runs\/epoch-10\.pt,conv1,6,75,784,1,relative-flatness,54\.089416,/);
  const part = run("w.pt", 1, { model: { ...example.model, weights: { file: "w.pt", sha256, part: "ema" } } });
  expect(resultCsv(part).split("\r\n")[1]).toMatch(/^lenet5\.onnx,w\.pt#ema,conv1,/);
});

describe("the page", () => {
  /** As a reader sees it, spaces made one. */
  const read = (page: string) =>
    page
      .replace(/<style>[^]*?<\/style>|<svg[^]*?<\/svg>/g, "")
      .replace(/<[^>]+>/g, " ")
      .replace(/\s+/g, " ");

  test("has the runs, a table a measure, a figure a layer, and each run behind its name", async () => {
    const page = await runsHtml(runs);
    const text = read(page);
    expect(text).toContain(
      "weights conv1 fc1 fc3 epoch-9.pt 27.04 ± 1.89 232.7 ± 11.9 31.42 ± 1.90 epoch-10.pt 54.09 ± 1.89 465.4 ± 11.9 62.84 ± 1.90",
    );
    expect(text).toContain(
      "weights cross-entropy accuracy fisher-rao-norm epoch-9.pt 0.04437 ± 0.00213 98.70 % 1.187 ± 0.031",
    );
    expect(text).toContain("mel: excluded by --exclude");
    expect(text).toContain("weights-by-shape 2 of 6 weights were found by shape alone (epoch-10.pt)");
    expect(page.match(/<svg/g)).toHaveLength(3);
    expect(page.match(/<details>/g)).toHaveLength(2);
    expect(text.split(`sha256 ${sha256}`)).toHaveLength(3);
  });

  test("refers to nothing outside, holds no script, and names from files are text", async () => {
    const bad = `<script>alert("1")</script>'"&`;
    const hostile = run(bad, 1, {
      layers: [layer(bad, 1, 2), layer("b", 1, 2, { skipped: bad })],
      results: [
        row(bad, "relative-flatness", 1, 0.1, 0, bad),
        row(null, bad, 1, 0.1, 0, bad),
        row(bad, bad, 1, null, 0, bad),
      ],
      warnings: [{ code: bad as WarningCode, text: bad, layer: bad }],
    });
    const page = await runsHtml({ schema: 1, runs: [hostile, { ...hostile, model: { ...hostile.model, file: bad } }] });
    const rest = page.replaceAll(/ xmlns(:xlink)?="[^"]*"/g, "");
    expect(rest).not.toMatch(/http|<script|<link|<img|@import|url\(|\ssrc=|\son\w+=/i);
    expect([...rest.matchAll(/href="([^"]*)"/g)].map(([, target]) => target)).toEqual(["#warnings"]);
  });

  test("of nothing is a page too", async () => {
    expect(await runsHtml({ schema: 1, runs: [measured([])] })).not.toContain("<svg");
  });
});

test("one result says whose weights it is of: table, page, with the hash", async () => {
  const one = run("epoch-9.pt", 1);
  expect(resultTable(one)).toContain("model  lenet5.onnx (opset 17) with the weights of epoch-9.pt\n");
  const page = await resultHtml(one);
  expect(page).toContain("<h1>lenet5.onnx with the weights of epoch-9.pt</h1>");
  expect(page).toContain(`sha256 ${sha256}`);
});
