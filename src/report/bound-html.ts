import type { TopLevelSpec } from "vega-lite";
import type { BoundResult } from "../theory/result.ts";
import { boundValue, deltaText } from "./bound-table.ts";
import { lossUnit, printable } from "./labels.ts";
import { markup } from "./markup.ts";
import { duration, plain } from "./number.ts";
import { drawn, factList, page } from "./page.ts";
import { modelName } from "./runs.ts";
import { notice, warningList } from "./warning-list.ts";

/** Half a 95 % interval of a normal law, in standard errors. */
const INTERVAL = 1.96;
/** What makes the gap, and the gap. */
const parts = /^(representativeness.*|feature robustness|label term|sum|gap)$/;

/** The decomposition of the generalization gap and the bound as one self-contained page. */
export async function boundHtml(result: BoundResult): Promise<string> {
  const { data, test, layer, rows, warnings, environment, seconds, sigma, draws } = result;
  const name = modelName(result);
  const figure = await drawn(partsFigure(result));
  const body = rows.map(
    (row) =>
      markup`<tr><th scope="row">${row.quantity}</th><td class="number">${deltaText(row)}</td><td class="number">${boundValue(row)}</td><td>${row.status}</td><td class="reason">${printable(row.note)}</td></tr>\n`,
  );
  return page(
    `Generalization gap of ${name}`,
    name,
    markup`${factList([
      ["Layer", printable(layer.name), `${layer.d} × ${layer.m}`],
      ["Training data", printable(data.source), `${data.split ? `${data.split}, ` : ""}n = ${data.n}`],
      ["Held-out data", printable(test.source), `${test.split ? `${test.split}, ` : ""}n = ${test.n}`],
      ["Kernel", `σ ${plain(sigma)}`, `${draws} draws, seed ${environment.seed}`],
      [
        "Run",
        `flatness ${environment.flatness} in ${duration(seconds.total)}`,
        `ONNX Runtime ${environment.onnxruntime}`,
      ],
    ])}
${notice(warnings.length)}
<section><h2>The gap and its parts</h2>
<p>The generalization gap is representativeness plus feature robustness, with the labels that moved features have (Petzka et al. 2021,
equation 5). In ${lossUnit(result.loss.kind)}; bars are 95 % intervals.</p>
${figure}
</section>
<section><h2>Values</h2>
<div class="wide"><table>
<thead><tr><th scope="col">quantity</th><th class="number" scope="col">δ</th><th class="number" scope="col">value</th><th scope="col">status</th><th scope="col">what it is</th></tr></thead>
<tbody>
${body}</tbody>
</table></div>
<p class="faint">Exact: a number of the data given. Estimated: ± one standard error. Theoretical: of the theory alone; the bound is no
prediction of the gap.</p>
</section>
${warnings.length > 0 && warningList(warnings.map((warning) => ({ warning, of: [] })))}`,
  );
}

/** The parts and the gap side by side, for each δ. */
export function partsFigure({ rows, loss }: BoundResult): TopLevelSpec {
  const values = rows
    .filter((row) => parts.test(row.quantity) && row.value !== null)
    .map((row) => {
      const half = INTERVAL * (row.standardError ?? 0);
      const value = row.value as number;
      return {
        quantity: row.quantity,
        delta: row.delta === null ? "any δ" : `δ = ${deltaText(row)}`,
        value,
        low: value - half,
        high: value + half,
      };
    });
  const x = {
    field: "quantity",
    type: "nominal" as const,
    sort: null,
    title: null,
    axis: { labelAngle: 0, labelLimit: 0 },
  };
  const color = { field: "delta", type: "nominal" as const, title: null, sort: null };
  return {
    description: "The generalization gap and its parts, with 95 % intervals",
    width: 820,
    height: 300,
    autosize: { type: "fit", contains: "padding" },
    data: { values },
    encoding: { x, xOffset: { field: "delta" }, color },
    layer: [
      {
        mark: { type: "rule" },
        encoding: {
          y: { field: "low", type: "quantitative", title: lossUnit(loss.kind) },
          y2: { field: "high" },
        },
      },
      { mark: { type: "point" }, encoding: { y: { field: "value", type: "quantitative" } } },
    ],
  };
}
