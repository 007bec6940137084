import type { PerSample, Result, ResultRow } from "../evaluation/result.ts";
import { meaning, provenance } from "./explanation.ts";
import { histogram } from "./histogram.ts";
import { layerTable, valueText } from "./html-table.ts";
import { invarianceSection } from "./invariance.ts";
import { lossUnit, normalizationText, printable, rowLabel } from "./labels.ts";
import { layerOverview } from "./layer-overview.ts";
import { type Content, type Markup, markup } from "./markup.ts";
import { duration, percentage } from "./number.ts";
import { totalError } from "./pivot.ts";
import { drawn, factList, page } from "./page.ts";
import { modelName } from "./runs.ts";
import { spectraSection } from "./spectra.ts";
import { notice, warningList } from "./warning-list.ts";

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
  const name = modelName(result);
  return page(
    `Flatness of ${name}`,
    name,
    markup`${summary(result)}
<section><h2>Layers</h2>
${layerTable(result)}
<p class="faint">${tableNote([result])}</p>
${network(result)}
</section>
${overview && markup`<section><h2>Layer by layer</h2>\n${overview}\n</section>`}
${figures.length > 0 && distributions(figures, rows)}
${await spectraSection(result)}
${invarianceSection(result)}
${result.warnings.length > 0 && warningList(result.warnings.map((warning) => ({ warning, of: [] })))}
${meaning(result)}
${provenance(result)}`,
  );
}

function summary(result: Result): Markup {
  const { model, data, loss, environment, warnings: raised, seconds } = result;
  const producer = model.producer ? `, ${printable(model.producer)}` : "";
  const facts: [term: string, first: Content, second: Content][] = [
    ["Model", printable(modelName(result)), `opset ${model.opset}${producer}`],
    ["Data", printable(data.source), `${data.split ? `${printable(data.split)}, ` : ""}n = ${data.n}`],
    [
      "Loss",
      valueText(loss.value, loss.standardError),
      printable(loss.kind) +
        (loss.accuracy === undefined ? "" : `, ${unbroken(`accuracy ${percentage(loss.accuracy)}`)}`),
    ],
    ...testFact(result),
    [
      "Run",
      `flatness ${environment.flatness} in ${duration(seconds.total)}`,
      `ONNX Runtime ${environment.onnxruntime}, ${printable(environment.provider)}`,
    ],
  ];
  return markup`${factList(facts)}\n${notice(raised.length)}`;
}

/** The loss on test data, where there is some. */
function testFact({ test, loss }: Result): [term: string, first: Content, second: Content][] {
  if (!test) return [];
  const accuracy =
    test.loss.accuracy === undefined ? "" : `, ${unbroken(`accuracy ${percentage(test.loss.accuracy)}`)}`;
  const value = valueText(test.loss.value, test.loss.standardError);
  return [["Test", value, `${printable(loss.kind)} on ${printable(test.source)}, n = ${test.n}${accuracy}`]];
}

function unbroken(text: string): string {
  return text.replaceAll(" ", "\u00a0");
}

/** What a reader of a table of values has to know. */
export function tableNote(results: readonly Result[]): string {
  const flat = results.some(({ results: rows }) => rows.some((row) => row.measure.startsWith("relative-flatness")));
  const unit = lossUnit(results[0]?.loss.kind ?? "");
  const named = unit === "nats" ? "the unit of the loss, nats" : "the unit of the loss";
  const normalized = normalizationText(results.flatMap((result) => result.results));
  const scaled = normalized === undefined ? "" : `Of each layer with ${normalized}. `;
  return `${scaled}${flat ? `κ small = flat; κ has ${named}. ` : ""}± is one standard error, from data and probes together.`;
}

/** The measures of the whole network. */
export function network(result: Result): Markup | false {
  const rows = result.results.filter((row) => row.layer === null);
  const { skipped = [] } = result;
  if (rows.length === 0 && skipped.length === 0) return false;
  const items = rows.map((row) => {
    const how = markup`<span class="faint">${printable(row.method)}</span>`;
    return markup`<li>${printable(rowLabel(row))} = ${valueText(row.value, totalError(row))} ${how}</li>\n`;
  });
  const missing = skipped.map(
    ({ measure, reason }) => markup`<li class="faint">${printable(`${measure}: not measured: ${reason}`)}</li>\n`,
  );
  return markup`<p>Of the whole network:</p>\n<ul>\n${items}${missing}</ul>`;
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
