import type { InvarianceRow, Result } from "../evaluation/result.ts";
import { measureLabel, optionsText, printable } from "./labels.ts";
import { type Markup, markup } from "./markup.ts";
import { textTable } from "./text-table.ts";

/** From this change on it is said which layer changes most: what is less is rounding. */
const NOTABLE = 1e-3;

/** How far measures change in networks of the same function: a line a measure, a column a way to rewrite. */
interface Grid {
  readonly twins: number;
  readonly rewritings: readonly string[];
  readonly lines: readonly { readonly label: string; readonly cells: readonly string[] }[];
}

/** Over all layers the largest change of each measure, in every kind of twins. */
function grid(rows: readonly InvarianceRow[]): Grid {
  const rewritings = [...new Set(rows.map((row) => row.rewriting))];
  const labels = [...new Set(rows.map(label))];
  const lines = labels.map((name) => ({
    label: name,
    cells: rewritings.map((rewriting) =>
      cell(rows.filter((row) => label(row) === name && row.rewriting === rewriting)),
    ),
  }));
  return { twins: rows[0]?.twins ?? 0, rewritings, lines };
}

function label({ measure, options }: InvarianceRow): string {
  const { probes: _, ...own } = options;
  const under = optionsText(own);
  return measureLabel(measure) + (under === "" ? "" : ` (${under})`);
}

/** `2.1e-7`, or `0.35 (fc2)`. */
function cell(rows: readonly InvarianceRow[]): string {
  const change = (row: InvarianceRow) => row.largestChange ?? Infinity;
  const [largest] = rows.toSorted((left, right) => change(right) - change(left));
  if (!largest) return "–";
  const where = largest.layer ?? "whole network";
  const size = largest.largestChange === null ? "∞" : shown(largest.largestChange);
  return change(largest) < NOTABLE ? size : `${size} (${where})`;
}

function shown(change: number): string {
  return change === 0 ? "0" : change.toPrecision(2);
}

/** The grid for a terminal. */
export function invarianceText({ invariance = [] }: Result): string[] {
  if (invariance.length === 0) return [];
  const { twins, rewritings, lines } = grid(invariance);
  const rows = lines.map((line) => [line.label, ...line.cells]);
  return [
    `largest relative change over all layers, in ${twins} random ${twins === 1 ? "network" : "networks"} of the same function, rewritten`,
    ...textTable(["", ...rewritings], ["left", ...rewritings.map(() => "right" as const)], rows),
  ];
}

/** The grid as a section of the page. */
export function invarianceSection({ invariance = [] }: Result): Markup | false {
  if (invariance.length === 0) return false;
  const { twins, rewritings, lines } = grid(invariance);
  const heads = rewritings.map((rewriting) => markup`<th class="number" scope="col">${rewriting}</th>`);
  const body = lines.map(({ label: name, cells }) => {
    const values = cells.map((text) => markup`<td class="number">${printable(text)}</td>`);
    return markup`<tr><th scope="row">${printable(name)}</th>${values}</tr>\n`;
  });
  return markup`<section id="invariance"><h2>In other networks of the same function</h2>
<p>The largest relative change of each measure, over all layers, from this network to ${twins} random
${twins === 1 ? "one" : "ones"} that compute${twins === 1 && "s"} the same with other weights: whole layers times factors, each neuron times a
factor (and what reads it divided by it), all class scores moved alike. What changes tells of the weights’ scale, and not of the function.</p>
<div class="wide"><table>
<thead><tr><th scope="col">measure</th>${heads}</tr></thead>
<tbody>
${body}</tbody>
</table></div>
</section>`;
}
