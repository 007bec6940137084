import type { LayerRow, ResultRow, Warning } from "../evaluation/result.ts";

const labels: Readonly<Record<string, string>> = {
  "relative-flatness": "relative flatness κ",
  "hessian-trace": "Tr(H)",
  "squared-weight-norm": "‖W‖²",
  "norm-trace": "‖W‖²·Tr(H)",
  "norm-trace-unsquared": "‖W‖·Tr(H)",
  "gradient-norm": "‖∇R‖",
};

/** A measure as a column's head or an axis' title names it: its symbol where it has one, else its name. */
export function measureLabel(measure: string): string {
  return Object.hasOwn(labels, measure) ? labels[measure]! : measure;
}

/**
 * A row's measure with the options that it was got under, where it has any. That features were normalised stands once where the table
 * begins, and not at every measure of a layer; and a measure of which some layers were estimated is one measure.
 */
export function rowLabel(row: Pick<ResultRow, "measure" | "options">): string {
  const { normalize: _, probes: __, ...own } = row.options ?? {};
  const options = optionsText(own);
  return measureLabel(row.measure) + (options === "" ? "" : ` (${options})`);
}

/** A layer's matrix as `120 × 400`, with its groups where it has several. */
export function shapeText(layer: LayerRow): string {
  const shape = `${layer.d} × ${layer.m}`;
  return layer.groups > 1 ? `${shape}, ${layer.groups} groups` : shape;
}

/** The unit in which a loss, and κ with it, is counted. */
export function lossUnit(kind: string): string {
  return /cross.?entropy/i.test(kind) ? "nats" : "unit of the loss";
}

/** What features were divided by in the layers' measures; undefined where they were not. */
export function normalizationText(results: readonly ResultRow[]): string | undefined {
  const by = results.find((row) => row.options?.["normalize"] !== undefined)?.options["normalize"];
  if (by === undefined) return undefined;
  return `features over their ${by === "std" ? "standard deviation" : "variance"}, weights times it`;
}

/** Options as `groupPairs: all, perFeature: true`; an empty text for none. */
export function optionsText(options: ResultRow["options"]): string {
  return Object.entries(options ?? {})
    .map(([name, value]) => `${name}: ${typeof value === "string" ? fileName(value) : JSON.stringify(value)}`)
    .join(", ");
}

/** A path's last part. */
function fileName(text: string): string {
  return text.slice(text.lastIndexOf("/") + 1);
}

/** A warning's text, its layer before it. */
export function warningText({ layer, text }: Warning): string {
  return layer === undefined ? text : `${layer}: ${text}`;
}

/** Names come from a file: what could steer a terminal, or break a line, is replaced by U+FFFD. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}
