import type { Result, Runs } from "../evaluation/result.ts";
import { meaning, provenance } from "./explanation.ts";
import { tableNote } from "./html.ts";
import { layerTable, valueCells, valueText } from "./html-table.ts";
import { intervals } from "./intervals.ts";
import { lossUnit, measureLabel, printable } from "./labels.ts";
import { type Content, type Markup, markup } from "./markup.ts";
import { duration, percentage } from "./number.ts";
import { drawn, factList, page } from "./page.ts";
import {
  lossHead,
  networkGrid,
  type RunGrid,
  runGrids,
  type RunNames,
  runNames,
  skippedOf,
  warningsOf,
} from "./runs.ts";
import { spectraSection } from "./spectra.ts";
import { notice, warningList } from "./warning-list.ts";

const MEASURE = "relative-flatness";
/** Pixels: two figures stand side by side. */
const PANEL = 440;

/**
 * Several results as one self-contained page: the runs with their losses, a table a measure with a line a run and a column a
 * layer, a figure a layer with the relative flatness of every run, and what is known of each run behind its name.
 */
export async function runsHtml(result: Runs): Promise<string> {
  const { runs } = result;
  const [first] = runs;
  const names = runNames(result);
  const warnings = warningsOf(result);
  const network = networkGrid(result);
  const title = names.model ?? `${runs.length} models`;
  const sections = runGrids(result).map(
    (grid) => markup`<section><h2>${printable(capital(grid.label))}</h2>\n${gridTable(grid, names)}\n</section>\n`,
  );
  const skipped = skippedOf(result).map((text) => markup`<li>${printable(text)}</li>\n`);
  return page(
    `Flatness of ${title}`,
    title,
    markup`${summary(result, names)}
${notice(warnings.length)}
<section><h2>Runs</h2>
${runTable(result, names, network)}
</section>
${sections}<p class="faint">${tableNote(runs)}</p>
${skipped.length > 0 && markup`<p>Not measured:</p>\n<ul>\n${skipped}</ul>`}
${await figures(result, names)}
${warnings.length > 0 && warningList(warnings)}
${first && meaning(first)}
<section><h2>Run by run</h2>
${await Promise.all(runs.map((run, index) => details(run, names.names[index] as string)))}</section>`,
  );
}

function capital(label: string): string {
  return label.slice(0, 1).toUpperCase() + label.slice(1);
}

function summary({ runs }: Runs, { head, model, folder }: RunNames): Markup {
  const [first] = runs;
  const sources = [...new Set(runs.map(({ data }) => data.source))];
  const seconds = runs.reduce((sum, run) => sum + run.seconds.total, 0);
  const facts: [string, Content, Content][] = [
    head === "weights"
      ? ["Model", printable(model ?? ""), first && `opset ${first.model.opset}`]
      : ["Models", String(runs.length), printable(folder)],
    [
      "Data",
      printable(sources.join(", ")),
      first && `${first.data.split ? `${printable(first.data.split)}, ` : ""}n = ${first.data.n}`,
    ],
    [
      "Runs",
      String(runs.length),
      head === "weights" && printable(`files of weights${folder === "" ? "" : ` in ${folder}`}`),
    ],
    [
      "Time",
      duration(seconds),
      first &&
        `flatness ${first.environment.flatness}, ONNX Runtime ${first.environment.onnxruntime}, ${printable(first.environment.provider)}`,
    ],
  ];
  return factList(facts);
}

function runTable({ runs }: Runs, { head, names }: RunNames, network: RunGrid | undefined): Markup {
  const accuracy = runs.some(({ loss }) => loss.accuracy !== undefined);
  const columns = network?.columns.map((_, index) => valueCells(network.cells.map((line) => line[index]))) ?? [];
  const body = runs.map(({ loss }, index) => {
    const share =
      accuracy && markup`<td class="number">${loss.accuracy === undefined ? "–" : percentage(loss.accuracy)}</td>`;
    const values = columns.map((cells) => cells[index]);
    return markup`<tr><th scope="row">${printable(names[index] as string)}</th><td class="number">${valueText(loss.value, loss.standardError)}</td>${share}${values}</tr>\n`;
  });
  const heads = [lossHead(runs), ...(accuracy ? ["accuracy"] : []), ...(network?.columns ?? [])];
  return table(head, heads, body);
}

function gridTable({ columns, cells }: RunGrid, { head, names }: RunNames): Markup {
  const made = columns.map((_, index) => valueCells(cells.map((line) => line[index])));
  const body = names.map(
    (name, run) => markup`<tr><th scope="row">${printable(name)}</th>${made.map((column) => column[run])}</tr>\n`,
  );
  return table(head, columns, body);
}

function table(head: string, columns: readonly string[], body: readonly Markup[]): Markup {
  const heads = columns.map((column) => markup`<th class="number" scope="col">${printable(column)}</th>`);
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">${head}</th>${heads}</tr></thead>
<tbody>
${body}</tbody>
</table></div>`;
}

/** A figure a layer: the relative flatness of every run. */
async function figures({ runs }: Runs, { names }: RunNames): Promise<Markup | false> {
  const layers = new Set(
    runs.flatMap(({ results }) =>
      results.flatMap(({ layer, measure }) => (measure === MEASURE && layer !== null ? [layer] : [])),
    ),
  );
  const unit = lossUnit(runs[0]?.loss.kind ?? "");
  const drawings: Markup[] = [];
  for (const layer of layers) {
    const rows = runs.flatMap(({ results }, index) =>
      results
        .filter((row) => row.measure === MEASURE && row.layer === layer)
        .map((row) => ({ name: names[index] as string, row })),
    );
    const figure = await drawn(intervals(rows, { title: printable(layer), things: "runs", unit }, PANEL));
    drawings.push(markup`<section aria-label="${printable(layer)}">${figure}</section>\n`);
  }
  if (drawings.length === 0) return false;
  return markup`<section><h2>${capital(measureLabel(MEASURE))} layer by layer</h2>
<div class="pair">
${drawings}</div>
</section>`;
}

/** All that is known of one run, folded away. */
async function details(run: Result, name: string): Promise<Markup> {
  return markup`<details><summary>${printable(name)}</summary>
${layerTable(run)}
${await spectraSection(run)}
${provenance(run)}
</details>
`;
}
