import { expect, test } from "vitest";
import type { Result, WarningCode } from "../../src/evaluation/result.ts";
import { resultHtml } from "../../src/report/html.ts";
import { markup } from "../../src/report/markup.ts";
import { example, layer, perSample, row } from "./example.ts";

const page = await resultHtml(example, [
  perSample("conv1", 27),
  perSample("fc3", 31),
  { ...perSample("fc3", 1), measure: "hessian-trace" },
]);

/** The page as a reader sees it, spaces made one. */
const text = page
  .replace(/<style>[^]*?<\/style>|<svg[^]*?<\/svg>/g, "")
  .replace(/<[^>]+>/g, " ")
  .replace(/\s+/g, " ");

test("holds the numbers of the table, two errors of one value apart where it says how they were got", () => {
  expect(text).toContain("conv1 6 × 75 784 27.04 ± 1.89 5.523 ± 0.413 14.81 gauss-newton-exact");
  expect(text).toContain("fc1 relative flatness κ 232.7 12 0.31 2000 gauss-newton-probes gauss-newton");
  expect(text).toContain("not measured: excluded by --exclude");
  expect(text).toContain("cross-entropy, accuracy 98.70 %");
  expect(text).toContain("gradient-not-small fc1: the mean gradient");
  expect(text).toContain(example.model.sha256);
  expect(text).toContain(`sha256 ${example.data.sha256}`);
});

test("says where a hash is not of all bytes", async () => {
  const hashed = { ...example, data: { ...example.data, hashed: "names and sizes" as const } };
  expect(await resultHtml(hashed, [])).toContain(`sha256 of names and sizes ${example.data.sha256}`);
});

test("has a figure of the layers, and a histogram for each layer with values of relative flatness", () => {
  expect(page.match(/<svg/g)).toHaveLength(3);
  expect(page).toContain('<section aria-label="conv1">');
});

test("refers to nothing outside and holds no script", () => {
  const rest = page.replaceAll(/ xmlns(:xlink)?="[^"]*"/g, "");
  expect(rest).not.toMatch(/http|<script|<link|<img|@import|url\(|\ssrc=|\son\w+=/i);
  expect([...rest.matchAll(/href="([^"]*)"/g)].map(([, target]) => target)).toEqual(["#warnings"]);
});

test("every element that is opened is closed", () => {
  const open: string[] = [];
  for (const [, close, name, , empty] of page.matchAll(/<(\/?)([a-z][\w-]*)((?:"[^"]*"|'[^']*'|[^"'>])*?)(\/?)>/g)) {
    if (empty === "/" || ["meta", "br"].includes(name!)) continue;
    if (close === "") open.push(name!);
    else expect(open.pop()).toBe(name);
  }
  expect(open).toEqual([]);
});

test("names from files are text, wherever they stand", async () => {
  const bad = `<script>alert("1")</script>'"&`;
  const hostile: Result = {
    ...example,
    model: { ...example.model, file: bad, producer: bad, output: bad, sha256: bad },
    data: { ...example.data, source: bad, split: bad, preprocess: bad, samples: bad },
    loss: { ...example.loss, kind: bad },
    layers: [layer(bad, 1, 2), layer("b", 1, 2, { skipped: bad })],
    results: [
      { ...row(bad, "relative-flatness", 1, 0.1, 0, bad), options: { [bad]: bad } },
      row(bad, bad, 1, null, 0, bad),
      row(null, bad, 1, 0.1, 0, bad),
    ],
    warnings: [{ code: bad as WarningCode, text: bad, layer: "<b>" }],
    environment: { ...example.environment, flatness: bad, onnxruntime: bad, provider: bad },
    seconds: { total: 1, [bad]: 1 },
  };
  const made = await resultHtml(hostile, [{ ...perSample(bad, 1, 50), layer: bad }]);
  expect(made).not.toContain("<script");
  expect(made).not.toContain("<b>&");
  // Nor does a quote end an attribute: only the text of a figure may hold one.
  expect(made.replaceAll(/<text[^]*?<\/text>/g, "")).not.toContain(`alert("`);
  expect(made).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&quot;&amp;");
});

test("a result of nothing, and one of what is no number, are pages too", async () => {
  const empty = await resultHtml({ ...example, layers: [], results: [], warnings: [] });
  expect(empty).not.toContain("<svg");
  expect(empty).not.toContain('href="#warnings"');
  const strange = await resultHtml(
    {
      ...example,
      loss: { kind: "squared-error", value: NaN, standardError: NaN },
      layers: [layer("fc", 1, 2)],
      results: [
        row("fc", "relative-flatness", NaN, NaN, NaN, "probes"),
        row("fc", "hessian-trace", -3.5e7, 2e6, 0, "probes"),
        { ...row("fc", "one-sample", 7, 0, 0, "probes"), standardError: { data: null, probe: 0.5 } },
      ],
    },
    [{ layer: "fc", measure: "relative-flatness", values: Float32Array.of(NaN, NaN) }],
  );
  expect(strange).toContain("NaN <span");
  expect(strange).toContain("(−3.500 <span");
  expect(strange).toContain("± 0.200)·10<sup>7</sup>");
  expect(strange).not.toContain("nats");
  expect(strange).not.toMatch(/<td[^>]*>(null|undefined)/);
});

test("markup escapes what is put into it, lists too, and leaves markup", () => {
  expect(markup`<i title="${`"`}">${["<", markup`<br>`, 3, false, undefined, null]}</i>`.text).toBe(
    '<i title="&quot;">&lt;<br>3</i>',
  );
});
