import type { RobustnessResult, RobustnessRow } from "../theory/result.ts";
import { csvText } from "./csv.ts";
import { printable, warningText } from "./labels.ts";
import { duration, percentage, plain, significant, withError } from "./number.ts";
import { loudest } from "./robustness-figure.ts";
import { aligned, textTable } from "./text-table.ts";

/** Given matrices of a layer that the table shows. */
const MOST_MATRICES = 20;

/** A measurement of feature robustness as plain text for a terminal: a line a layer, matrix and δ. */
export function robustnessTable(result: RobustnessResult): string {
  const shown = result.layers.flatMap(({ name }) =>
    loudest(
      result.rows.filter((row) => row.layer === name),
      MOST_MATRICES,
    ),
  );
  const blocks = [heading(result), table(result, shown)];
  const notes = notesOf(result, result.rows.length - shown.length);
  if (notes.length > 0) blocks.push(notes);
  const warnings = result.warnings.map((warning) => `warning: [${warning.code}] ${warningText(warning)}`);
  if (warnings.length > 0) blocks.push(warnings);
  blocks.push([
    `E_F small = robust; it has the unit of the loss; ± is one standard error over the draws; took ${duration(result.seconds.total)}`,
  ]);
  return blocks.map((block) => block.map((line) => printable(line).trimEnd()).join("\n")).join("\n\n");
}

function heading({ model, data, loss, features, teacher }: RobustnessResult): string[] {
  const options = Object.entries(features.options).map(([name, value]) => `, ${name} ${value}`);
  const accuracy = loss.accuracy === undefined ? "" : `, accuracy ${percentage(loss.accuracy)}`;
  return [
    `model     ${model.file} (opset ${model.opset})`,
    `data      ${data.source}${data.split === undefined ? "" : ` (${data.split})`}, n = ${data.n}`,
    `loss      ${loss.kind} ${withError(loss.value, loss.standardError)}${accuracy}`,
    `features  φ ↦ φ + δAφ, A: ${features.family}${options.join("")}`,
    ...(teacher === null ? [] : [`labels    of moved features: ${teacher}`]),
  ];
}

function table({ epsilon, teacher }: RobustnessResult, rows: readonly RobustnessRow[]): string[] {
  const columns: [string, (row: RobustnessRow) => string][] = [
    ["layer", (row) => row.layer],
    ...(rows.some((row) => row.matrix !== null)
      ? [["A", (row: RobustnessRow) => row.matrix ?? ""] as [string, (row: RobustnessRow) => string]]
      : []),
    ["δ", (row) => plain(row.delta)],
    ["E_F", (row) => numberText(row.measured, row.standardError)],
    ["theory", (row) => (row.theory === null ? "–" : numberText(row.theory, row.theoryError || null))],
    ["draws", (row) => String(row.draws)],
  ];
  if (epsilon !== null) columns.push([`|E_F| ≤ ${plain(epsilon)}`, robustText]);
  if (teacher !== null) {
    columns.push(["E_F, labels move", (row) => numberText(row.teacher!.measured, row.teacher!.standardError)]);
    columns.push([
      "label constancy",
      (row) => numberText(row.teacher!.labelConstancy, row.teacher!.labelConstancyError),
    ]);
  }
  const cells = columns.map(([, text]) => aligned(rows.map(text)));
  return textTable(
    columns.map(([head]) => head),
    columns.map(([head]) => (head === "layer" || head === "A" ? "left" : "right")),
    rows.map((_, index) => cells.map((column) => column[index]!)),
  );
}

function robustText({ holds, worst }: RobustnessRow): string {
  return `${holds ? "yes" : "no"}, largest at α = ${plain(worst!.alpha)}`;
}

function numberText(value: number, error: number | null): string {
  return error === null ? significant(value) : withError(value, error);
}

function notesOf({ layers }: RobustnessResult, hidden: number): string[] {
  const notes = layers.flatMap(({ name, zeroFeatures, noTheory }) => [
    ...(zeroFeatures ? [`${name}: ${zeroFeatures} samples have features of zeros alone, which do not move`] : []),
    ...(noTheory === undefined ? [] : [`${name}: no theory: ${noTheory}`]),
  ]);
  if (hidden > 0) notes.push(`${hidden} rows with smaller |E_F| are not shown; --format json and csv have all`);
  return notes;
}

/** The rows as comma-separated values, all digits kept. */
export function robustnessCsv({ model, rows }: RobustnessResult): string {
  const head =
    "model layer delta matrix measured standard_error data_error theory theory_error draws holds worst_alpha worst_measured teacher_measured teacher_standard_error label_term label_term_error label_constancy label_constancy_error";
  return csvText(
    head.split(" "),
    rows.map((row) => [
      model.file,
      row.layer,
      row.delta,
      row.matrix,
      row.measured,
      row.standardError,
      row.dataError,
      row.theory,
      row.theoryError,
      row.draws,
      row.holds,
      row.worst?.alpha,
      row.worst?.measured,
      row.teacher?.measured,
      row.teacher?.standardError,
      row.teacher?.labelTerm,
      row.teacher?.labelTermError,
      row.teacher?.labelConstancy,
      row.teacher?.labelConstancyError,
    ]),
  );
}
