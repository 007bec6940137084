import type { Result, ResultRow } from "../evaluation/result.ts";
import { measureLabel, optionsText, printable, shapeText } from "./labels.ts";
import { Markup, markup } from "./markup.ts";
import { rounded, type Rounded } from "./number.ts";
import { columnHeads, lines, totalError } from "./pivot.ts";

/** The table of layers. Values and errors are padded so that both stand under each other, whatever their digits. */
export function layerTable(result: Result): Markup {
  const measures = columnHeads(result);
  const rows = lines(result);
  const heads = measures.map((label) => markup`<th class="number" scope="col">${printable(label)}</th>`);
  const columns = measures.map((_, index) => valueCells(rows.map(({ cells }) => cells[index])));
  const body = rows.map(({ layer, cells, method }, line) => {
    const reason = layer.skipped === undefined ? "" : `: ${printable(layer.skipped)}`;
    const values = cells.every((cell) => cell === undefined)
      ? markup`<td class="reason" colspan="${measures.length + 1}">not measured${reason}</td>`
      : markup`${columns.map((column) => column[line])}<td>${printable(method)}</td>`;
    return markup`<tr><th scope="row">${printable(layer.name)}</th><td class="number">${shapeText(layer)}</td><td class="number">${layer.positions}</td>${values}</tr>\n`;
  });
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">layer</th><th class="number" scope="col">d × m</th><th class="number" scope="col">positions</th>${heads}<th scope="col">method</th></tr></thead>
<tbody>
${body}</tbody>
</table></div>`;
}

/** Every row of a result, the two standard errors apart, with how it was got. */
export function rowTable(rows: readonly ResultRow[]): Markup {
  const options = rows.some((row) => optionsText(row.options) !== "");
  const body = rows.map(
    (row) => markup`<tr><th scope="row">${row.layer === null ? "whole network" : printable(row.layer)}</th>
<td>${measureLabel(row.measure)}</td><td class="number">${whole(row.value)}</td>
<td class="number">${whole(row.standardError?.data, 2)}</td>
<td class="number">${whole(row.standardError?.probe, 2)}</td>
<td class="number">${row.n}</td><td>${printable(row.method)}</td><td>${row.curvature ?? "–"}</td>
${options && markup`<td>${printable(optionsText(row.options)) || "–"}</td>`}</tr>\n`,
  );
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">layer</th><th scope="col">measure</th><th class="number" scope="col">value</th>
<th class="number" scope="col">error: data</th><th class="number" scope="col">error: probes</th><th class="number" scope="col">n</th>
<th scope="col">method</th><th scope="col">curvature</th>${options && markup`<th scope="col">options</th>`}</tr></thead>
<tbody>
${body}</tbody>
</table></div>`;
}

/** A value with its error, or the value alone, for running text. */
export function valueText(value: number, error: number | null): Markup {
  const parts = rounded(value, error);
  if (parts.error === null) return markup`${minus(parts.value)}${times(parts)}`;
  const sum = markup`${minus(parts.value)} ± ${minus(parts.error)}`;
  return parts.exponent === 0 ? sum : markup`(${sum})${times(parts)}`;
}

/** Cells of one column, their errors under each other. */
export function valueCells(rows: readonly (ResultRow | undefined)[]): Markup[] {
  const width = Math.max(...rows.map(errorWidth));
  return rows.map((row) => valueCell(row, width));
}

function valueCell(row: ResultRow | undefined, width: number): Markup {
  if (row === undefined) return markup`<td class="number">–</td>`;
  const parts = rounded(row.value, totalError(row));
  if (parts.error === null) return markup`<td class="number">${minus(parts.value)}${times(parts)}</td>`;
  const open = parts.exponent !== 0;
  const error = markup`± ${minus(parts.error)}${open && ")"}${times(parts)}`;
  return markup`<td class="number">${open && "("}${minus(parts.value)} <span class="error" style="min-width:${width}ch">${error}</span></td>`;
}

/** How many digits wide the part from the ± on is. */
function errorWidth(row: ResultRow | undefined): number {
  const parts = row && rounded(row.value, totalError(row));
  if (!parts || parts.error === null) return 0;
  return 2 + parts.error.length + (parts.exponent === 0 ? 0 : 5);
}

function whole(value: number | null | undefined, digits = 4): Markup | string {
  if (value === null || value === undefined) return "–";
  const parts = rounded(value);
  if (digits === 4 || !Number.isFinite(value) || value === 0) return markup`${minus(parts.value)}${times(parts)}`;
  const mantissa = value / 10 ** parts.exponent;
  const size = Number(mantissa.toExponential(digits - 1).split("e")[1]);
  return markup`${mantissa.toFixed(Math.max(0, digits - 1 - size))}${times(parts)}`;
}

function times({ exponent }: Rounded): Markup | false {
  return exponent !== 0 && markup`·10<sup>${minus(String(exponent))}</sup>`;
}

function minus(text: string): string {
  return text.replaceAll("-", "−");
}
