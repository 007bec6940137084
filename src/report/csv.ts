import type { LayerRow, Result, ResultRow, Runs } from "../evaluation/result.ts";
import { weightsName } from "./runs.ts";

const header = (
  "layer d m positions groups measure value standard_error_data standard_error_probe " +
  "n method curvature skipped options"
).split(" ");

/**
 * A result as comma-separated values (RFC 4180: lines end in CRLF, fields are quoted where they must be).
 *
 * One row a layer and measure, all digits kept; the layer is empty for a measure of the whole network, the errors for a
 * value that is no average over data. A layer that was not measured is a row without a value, its reason under `skipped`.
 * `options` is JSON, empty for a measure with its defaults. Where the weights came from a file there is a second column,
 * `weights`.
 */
export function resultCsv(result: Result): string {
  return runsCsv({ schema: 1, runs: [result] });
}

/** The rows of several results under one header; the columns `model` and `weights` tell them apart. */
export function runsCsv({ runs }: Runs): string {
  const withWeights = runs.some(({ model }) => model.weights !== undefined);
  const lines = runs.flatMap((run) => {
    const origin = withWeights
      ? [run.model.file, run.model.weights ? weightsName(run.model.weights) : ""]
      : [run.model.file];
    return records(run).map((fields) => [...origin, ...fields]);
  });
  const head = withWeights ? ["model", "weights", ...header] : ["model", ...header];
  return csvText(head, lines);
}

/** Records under a header, RFC 4180; what is null or undefined leaves its field empty. */
export function csvText(
  head: readonly string[],
  lines: readonly (readonly (string | number | boolean | null | undefined)[])[],
): string {
  return [head, ...lines]
    .map((fields) => fields.map((field) => quoted(String(field ?? ""))).join(",") + "\r\n")
    .join("");
}

function records(result: Result): string[][] {
  const layers = new Map(result.layers.map((layer) => [layer.name, layer]));
  const measured = result.results.map((row) =>
    record(row.layer === null ? undefined : layers.get(row.layer), row, row.layer),
  );
  const skipped = result.layers
    .filter((layer) => layer.skipped !== undefined)
    .map((layer) => record(layer, undefined, layer.name));
  return [...measured, ...skipped];
}

function record(layer: LayerRow | undefined, row: ResultRow | undefined, name: string | null): string[] {
  const options = row === undefined || Object.keys(row.options ?? {}).length === 0 ? "" : JSON.stringify(row.options);
  return [
    name ?? "",
    number(layer?.d),
    number(layer?.m),
    number(layer?.positions),
    number(layer?.groups),
    row?.measure ?? "",
    number(row?.value),
    number(row?.standardError?.data),
    number(row?.standardError?.probe),
    number(row?.n),
    row?.method ?? "",
    row?.curvature ?? "",
    row === undefined ? (layer?.skipped ?? "") : "",
    options,
  ];
}

function number(value: number | null | undefined): string {
  return value === undefined || value === null ? "" : String(value);
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
