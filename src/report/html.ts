import type { TopLevelSpec } from "vega-lite";
import type { PerSample, Result, ResultRow } from "../evaluation/result.ts";
import { meaning, provenance } from "./explanation.ts";
import { histogram } from "./histogram.ts";
import { layerTable, valueText } from "./html-table.ts";
import { lossUnit, printable, rowLabel, warningText } from "./labels.ts";
import { layerOverview } from "./layer-overview.ts";
import { Markup, markup, type Content } from "./markup.ts";
import { duration, percentage } from "./number.ts";
import { totalError } from "./pivot.ts";
import { style } from "./style.ts";
import { svg } from "./svg.ts";

const MEASURE = "relative-flatness";

/**
 * A result as one self-contained page: styles and figures are in it, it holds no script and refers to nothing outside.
 *
 * @param perSample values for the histograms; those of the relative flatness of a layer are shown
 */
export async function resultHtml(result: Result, perSample: readonly PerSample[] = []): Promise<string> {
  const unit = lossUnit(result.loss.kind);
  const rows = result.results.filter((row) => row.measure === MEASURE && row.layer !== null);
  const overview = rows.length > 0 && (await drawn(layerOverview(rows, unit)));
  const shown = perSample.filter((sample) => sample.measure === MEASURE && sample.layer !== null);
  const figures: Markup[] = [];
  for (const sample of shown) {
    const figure = await drawn(histogram(sample, unit));
    figures.push(markup`<section aria-label="${printable(sample.layer!)}">${figure}</section>\n`);
  }
  const page = markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${printable(`Flatness of ${result.model.file}`)}</title>
<style>${new Markup(style)}</style>
</head>
<body>
<main>
<header><p>How flat is the loss surface of</p><h1>${printable(result.model.file)}</h1></header>
${summary(result)}
<section><h2>Layers</h2>
${layerTable(result)}
<p class="faint">${tableNote(result)}</p>
${network(result)}
</section>
${overview && markup`<section><h2>Layer by layer</h2>\n${overview}\n</section>`}
${figures.length > 0 && distributions(figures, rows)}
${result.warnings.length > 0 && warnings(result)}
${meaning(result)}
${provenance(result)}
</main>
</body>
</html>
`;
  return page.text;
}

async function drawn(figure: TopLevelSpec): Promise<Markup> {
  return markup`<figure aria-label="${figure.description ?? ""}">${new Markup(await svg(figure))}</figure>`;
}

function summary({ model, data, loss, environment, warnings: raised, seconds }: Result): Markup {
  const count = raised.length;
  const producer = model.producer ? `, ${printable(model.producer)}` : "";
  const facts: [term: string, first: Content, second: Content][] = [
    ["Model", printable(model.file), `opset ${model.opset}${producer}`],
    ["Data", printable(data.source), `${data.split ? `${printable(data.split)}, ` : ""}n = ${data.n}`],
    [
      "Loss",
      valueText(loss.value, loss.standardError),
      printable(loss.kind) +
        (loss.accuracy === undefined ? "" : `, ${unbroken(`accuracy ${percentage(loss.accuracy)}`)}`),
    ],
    [
      "Run",
      `flatness ${environment.flatness} in ${duration(seconds.total)}`,
      `ONNX Runtime ${environment.onnxruntime}, ${printable(environment.provider)}`,
    ],
  ];
  return markup`<dl class="facts">
${facts.map(([term, first, second]) => markup`<div><dt>${term}</dt><dd>${first}</dd><dd>${second}</dd></div>\n`)}</dl>
${count > 0 && markup`<p class="notice"><a href="#warnings">${count} warning${count > 1 && "s"}</a> about these numbers.</p>`}`;
}

function unbroken(text: string): string {
  return text.replaceAll(" ", "\u00a0");
}

function tableNote(result: Result): string {
  const flat = result.results.some((row) => row.measure.startsWith("relative-flatness"));
  const unit = lossUnit(result.loss.kind);
  const named = unit === "nats" ? "the unit of the loss, nats" : "the unit of the loss";
  return `${flat ? `κ small = flat; κ has ${named}. ` : ""}± is one standard error, from data and probes together.`;
}

function network(result: Result): Markup | false {
  const rows = result.results.filter((row) => row.layer === null);
  if (rows.length === 0) return false;
  const items = rows.map((row) => {
    const how = markup`<span class="faint">${printable(row.method)}</span>`;
    return markup`<li>${printable(rowLabel(row))} = ${valueText(row.value, totalError(row))} ${how}</li>\n`;
  });
  return markup`<p>Of the whole network:</p>\n<ul>\n${items}</ul>`;
}

function distributions(figures: readonly Markup[], rows: readonly ResultRow[]): Markup {
  const estimated = rows.some((row) => row.standardError !== null && row.standardError.probe > 0);
  return markup`<section><h2>Sample by sample</h2>
<p>κ is the mean of one value a sample. Where the line of the mean stands far right of the bulk, few samples carry it,
and another draw of the data moves it by about its standard error.${estimated && " Where κ was estimated with random probes, a sample’s value carries their noise too."}</p>
<div class="pair">
${figures}</div>
</section>`;
}

function warnings(result: Result): Markup {
  const items = result.warnings.map(
    (warning) => markup`<li><code>${printable(warning.code)}</code> ${printable(warningText(warning))}</li>\n`,
  );
  return markup`<section id="warnings"><h2>Warnings</h2>\n<ul class="warnings">\n${items}</ul>\n</section>`;
}
