import type { Result } from "../evaluation/result.ts";
import { invarianceText } from "./invariance.ts";
import { normalizationText, printable, rowLabel, shapeText, warningText } from "./labels.ts";
import { duration, percentage, withError } from "./number.ts";
import { spectraText } from "./spectra.ts";
import { columnHeads, lines, totalError } from "./pivot.ts";
import { weightsName } from "./runs.ts";
import { aligned, textTable, valueText } from "./text-table.ts";

/**
 * A result as plain text for a terminal: what was measured on what, a line a layer with each measure ± one standard
 * error (data and probes together), then what was not measured, measures of the whole network, and warnings.
 *
 * Values have four significant digits, errors two, ended at the same decimal place. No colour codes.
 */
export function resultTable(result: Result): string {
  const blocks = [heading(result)];
  if (result.layers.length > 0) blocks.push(layerTable(result));
  const skipped = result.layers
    .filter((layer) => layer.skipped !== undefined)
    .map((layer) => `not measured: ${layer.name}: ${layer.skipped}`);
  skipped.push(...skippedText(result));
  if (skipped.length > 0) blocks.push(skipped);
  const network = result.results
    .filter((row) => row.layer === null)
    .map((row) => `whole network: ${rowLabel(row)} = ${withError(row.value, totalError(row))}, ${row.method}`);
  if (network.length > 0) blocks.push(network);
  const spectra = spectraText(result);
  if (spectra.length > 0) blocks.push(spectra);
  const invariance = invarianceText(result);
  if (invariance.length > 0) blocks.push(invariance);
  const warnings = result.warnings.map((warning) => `warning: [${warning.code}] ${warningText(warning)}`);
  if (warnings.length > 0) blocks.push(warnings);
  blocks.push(footing(result));
  return blocks.map((block) => block.map((line) => printable(line).trimEnd()).join("\n")).join("\n\n");
}

/** The loss as `cross-entropy 0.04437 ± 0.00210, accuracy 98.70 %`. */
function lossText(loss: Result["loss"]): string {
  const accuracy = loss.accuracy === undefined ? "" : `, accuracy ${percentage(loss.accuracy)}`;
  return `${loss.kind} ${withError(loss.value, loss.standardError)}${accuracy}`;
}

/** Measures of the whole network that cannot be had. */
export function skippedText({ skipped = [] }: Result): string[] {
  return skipped.map(({ measure, reason }) => `not measured: ${measure}: ${reason}`);
}

function testText({ source, split, n, loss }: NonNullable<Result["test"]>, kind: string): string {
  const part = split === undefined ? "" : ` (${split})`;
  return `test   ${source}${part}, n = ${n}: ${lossText({ kind, ...loss })}`;
}

function heading({ model, data, loss, test, results }: Result): string[] {
  const normalized = normalizationText(results);
  const before = model.activation === undefined ? "" : `, measured before its ${model.activation}`;
  const weights = model.weights === undefined ? "" : ` with the weights of ${weightsName(model.weights)}`;
  const split = data.split === undefined ? "" : ` (${data.split})`;
  return [
    `model  ${model.file} (opset ${model.opset}${before})${weights}`,
    `data   ${data.source}${split}, n = ${data.n}`,
    `loss   ${lossText(loss)}`,
    ...(test ? [testText(test, loss.kind)] : []),
    ...(normalized === undefined ? [] : [`layers ${normalized}`]),
  ];
}

function layerTable(result: Result): string[] {
  const measures = columnHeads(result);
  const rows = lines(result);
  const cells = measures.map((_, index) => aligned(rows.map(({ cells: values }) => valueText(values[index]))));
  return textTable(
    ["layer", "d × m", "positions", ...measures, "method"],
    ["left", "right", "right", ...measures.map(() => "right" as const), "left"],
    rows.map(({ layer, method }, index) => {
      const shape = [layer.name, shapeText(layer), String(layer.positions)];
      return [...shape, ...cells.map((column) => column[index]!), method || "not measured"];
    }),
  );
}

function footing(result: Result): string[] {
  const notes: string[] = [];
  if (result.results.some((row) => row.measure.startsWith("relative-flatness"))) {
    notes.push("κ small = flat; κ has the unit of the loss");
  }
  if (result.results.some((row) => totalError(row) !== null)) notes.push("± is one standard error");
  notes.push(`took ${duration(result.seconds.total)}`);
  return [notes.join("; ")];
}
