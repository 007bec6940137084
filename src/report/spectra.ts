import type { Result } from "../evaluation/result.ts";
import { weightedQuantile } from "../statistics/quantile.ts";
import { printable } from "./labels.ts";
import { type Markup, markup } from "./markup.ts";
import { significant } from "./number.ts";
import { drawn } from "./page.ts";
import { meanEigenvalue, spectraOf, type SpectrumRow } from "./spectrum.ts";
import { spectrumFigure } from "./spectrum-figure.ts";
import { textTable } from "./text-table.ts";

/** Products in float32 leave this much of the largest eigenvalue where there is none. */
const ROUNDING = 1e-6;

const quantiles: readonly (readonly [head: string, p: number])[] = [
  ["median", 0.5],
  ["90 %", 0.9],
  ["99 %", 0.99],
];
const heads = ["eigenvalues of", "weights", "smallest", ...quantiles.map(([head]) => head), "largest", "mean"];

/** Where a layer's, or the network's, eigenvalues lie: one line of the table. */
function line(row: SpectrumRow): string[] {
  const { values, weights, size } = row.density;
  const largest = Math.max(...values.map(Math.abs));
  const text = (value: number) => (Math.abs(value) <= ROUNDING * largest ? "≈ 0" : significant(value));
  return [
    row.layer ?? "whole network",
    String(size),
    ...[values[0]!, ...quantiles.map(([, p]) => weightedQuantile(values, weights, p)), values.at(-1)!].map(text),
    text(meanEigenvalue(row)),
  ];
}

/** The spectra for a terminal. */
export function spectraText(result: Result): string[] {
  const rows = spectraOf(result);
  if (rows.length === 0) return [];
  return textTable(heads, ["left", ...heads.slice(1).map(() => "right" as const)], rows.map(line));
}

/** The spectra as a section of the page: where eigenvalues lie, and a figure each. */
export async function spectraSection(result: Result): Promise<Markup | false> {
  const rows = spectraOf(result);
  if (rows.length === 0) return false;
  const [first, ...others] = heads.map(printable);
  const body = rows.map(line).map(([name, ...cells]) => {
    const values = cells.map((text) => markup`<td class="number">${text.replaceAll("-", "−")}</td>`);
    return markup`<tr><th scope="row">${printable(name!)}</th>${values}</tr>\n`;
  });
  const figures: Markup[] = [];
  for (const row of rows) {
    const name = printable(row.layer ?? "whole network");
    figures.push(markup`<section aria-label="${name}">${await drawn(spectrumFigure(row))}</section>\n`);
  }
  return markup`<section><h2>Spectral density</h2>
<p>How the eigenvalues of the Hessian are spread, estimated by stochastic Lanczos quadrature: a few outliers far above a bulk about 0 are
usual. Quantiles are those of the estimate; the mean is Tr(H) over the number of weights. JSON has the nodes and their weights.</p>
<div class="wide"><table>
<thead><tr><th scope="col">${first}</th>${others.map((head) => markup`<th class="number" scope="col">${head}</th>`)}</tr></thead>
<tbody>
${body}</tbody>
</table></div>
<div class="pair">
${figures}</div>
</section>`;
}
