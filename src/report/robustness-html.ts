import type { RobustnessResult } from "../theory/result.ts";
import { lossUnit, printable } from "./labels.ts";
import { type Markup, markup } from "./markup.ts";
import { duration, percentage, plain, withError } from "./number.ts";
import { drawn, factList, page } from "./page.ts";
import { loudest, robustnessFigure } from "./robustness-figure.ts";
import { modelName } from "./runs.ts";
import { notice, warningList } from "./warning-list.ts";

/** Given matrices of a layer that the page's table shows. */
const MOST_MATRICES = 20;

/** A measurement of feature robustness as one self-contained page, with a figure a layer. */
export async function robustnessHtml(result: RobustnessResult): Promise<string> {
  const { model, data, loss, features, layers, warnings, environment, seconds } = result;
  const name = modelName(result);
  const figures: Markup[] = [];
  for (const layer of layers) {
    const figure = await drawn(robustnessFigure(result, layer.name));
    figures.push(markup`<section aria-label="${printable(layer.name)}">${figure}</section>\n`);
  }
  const facts = factList([
    ["Model", printable(name), `opset ${model.opset}`],
    ["Data", printable(data.source), `${data.split ? `${printable(data.split)}, ` : ""}n = ${data.n}`],
    [
      "Loss",
      withError(loss.value, loss.standardError),
      `${printable(loss.kind)}${loss.accuracy === undefined ? "" : `, accuracy ${percentage(loss.accuracy)}`}`,
    ],
    [
      "Features move by",
      printable(features.family),
      printable(
        Object.entries(features.options)
          .map(([key, value]) => `${key} ${value}`)
          .join(", "),
      ),
    ],
    [
      "Run",
      `flatness ${environment.flatness} in ${duration(seconds.total)}`,
      `ONNX Runtime ${environment.onnxruntime}, seed ${environment.seed}`,
    ],
  ]);
  return page(
    `Feature robustness of ${name}`,
    name,
    markup`${facts}
${notice(warnings.length)}
<section><h2>Feature robustness</h2>
<p>How the loss on these data changes when the features that a layer reads move, φ ↦ φ + δAφ:
E_F = (1/n) Σ [ℓ(ψ(φ + δAφ), y) − ℓ(ψ(φ), y)], in ${lossUnit(loss.kind)}. Averaged over orthogonal matrices it is δ²κ/2m to second
order, κ the relative flatness and m the number of features.</p>
<div class="pair">
${figures}</div>
</section>
<section><h2>Values</h2>
${table(result)}
<p class="faint">± is one standard error over the draws, on these data.</p>
</section>
${warnings.length > 0 && warningList(warnings.map((warning) => ({ warning, of: [] })))}`,
  );
}

function table({ layers, rows, epsilon, teacher }: RobustnessResult): Markup {
  const several = rows.some((row) => row.matrix !== null);
  const shown = layers.flatMap(({ name }) =>
    loudest(
      rows.filter((row) => row.layer === name),
      MOST_MATRICES,
    ),
  );
  const heads = [
    "δ",
    "E_F",
    "theory",
    ...(epsilon === null ? [] : [`|E_F| ≤ ${plain(epsilon)} up to δ`]),
    ...(teacher === null ? [] : ["E_F, labels move", "label constancy"]),
  ];
  const body = shown.map((row) => {
    const cells = [
      plain(row.delta),
      withError(row.measured, row.standardError),
      row.theory === null ? "–" : withError(row.theory, row.theoryError || null),
      ...(epsilon === null ? [] : [`${row.holds ? "yes" : "no"} (largest at α = ${plain(row.worst!.alpha)})`]),
      ...(row.teacher === null
        ? []
        : [
            withError(row.teacher.measured, row.teacher.standardError),
            withError(row.teacher.labelConstancy, row.teacher.labelConstancyError),
          ]),
    ];
    const matrix = several && markup`<td>${printable(row.matrix ?? "")}</td>`;
    return markup`<tr><th scope="row">${printable(row.layer)}</th>${matrix}${cells.map((cell) => markup`<td class="number">${cell}</td>`)}</tr>\n`;
  });
  return markup`<div class="wide"><table>
<thead><tr><th scope="col">layer</th>${several && markup`<th scope="col">A</th>`}${heads.map((head) => markup`<th class="number" scope="col">${head}</th>`)}</tr></thead>
<tbody>
${body}</tbody>
</table></div>`;
}
