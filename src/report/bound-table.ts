import type { BoundResult, BoundRow } from "../theory/result.ts";
import { csvText } from "./csv.ts";
import { printable, warningText } from "./labels.ts";
import { duration, percentage, plain, significant, withError } from "./number.ts";
import { aligned, textTable } from "./text-table.ts";

/** The decomposition of the generalization gap and the bound as plain text for a terminal. */
export function boundTable(result: BoundResult): string {
  const { rows, warnings, zeroFeatures, seconds } = result;
  const values = aligned(rows.map(boundValue));
  const table = textTable(
    ["quantity", "δ", "value", "", "what it is"],
    ["left", "right", "right", "left", "left"],
    rows.map((row, index) => [row.quantity, deltaText(row), values[index]!, row.status, row.note]),
  );
  const blocks = [heading(result), table];
  if (zeroFeatures > 0) blocks.push([`${zeroFeatures} samples have features of zeros alone, which do not move`]);
  if (warnings.length > 0) blocks.push(warnings.map((warning) => `warning: [${warning.code}] ${warningText(warning)}`));
  blocks.push([`in the unit of the loss; ± is one standard error; took ${duration(seconds.total)}`]);
  return blocks.map((block) => block.map((line) => printable(line).trimEnd()).join("\n")).join("\n\n");
}

function heading({ model, data, test, loss, layer, sigma, draws, teacher }: BoundResult): string[] {
  const accuracy = loss.accuracy === undefined ? "" : `, accuracy ${percentage(loss.accuracy)}`;
  return [
    `model     ${model.file} (opset ${model.opset}), layer ${layer.name}, ${layer.d} × ${layer.m}`,
    `data      ${dataText(data)}`,
    `held out  ${dataText(test)}`,
    `loss      ${loss.kind}${accuracy}`,
    `kernel    σ ${plain(sigma)}, ${draws} draws`,
    ...(teacher === null ? [] : [`labels    of moved features: ${teacher}`]),
  ];
}

function dataText({ source, split, n }: BoundResult["data"]): string {
  return `${source}${split === undefined ? "" : ` (${split})`}, n = ${n}`;
}

export function deltaText({ delta }: BoundRow): string {
  return delta === null ? "" : plain(delta);
}

export function boundValue({ value, standardError }: BoundRow): string {
  if (value === null) return "–";
  return standardError === null ? significant(value) : withError(value, standardError);
}

/** The rows as comma-separated values, all digits kept. */
export function boundCsv({ model, layer, rows }: BoundResult): string {
  return csvText(
    ["model", "layer", "quantity", "delta", "value", "standard_error", "status", "note"],
    rows.map((row) => [
      model.file,
      layer.name,
      row.quantity,
      row.delta,
      row.value,
      row.standardError,
      row.status,
      row.note,
    ]),
  );
}
