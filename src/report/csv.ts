import type { LayerRow, Result, ResultRow } from "../evaluation/result.ts";

const header = (
  "model layer d m positions groups measure value standard_error_data standard_error_probe " +
  "n method curvature skipped options"
).split(" ");

/**
 * A result as comma-separated values (RFC 4180: lines end in CRLF, fields are quoted where they must be).
 *
 * One row a layer and measure, all digits kept; the layer is empty for a measure of the whole network, the errors for a
 * value that is no average over data. A layer that was not measured is a row without a value, its reason under `skipped`.
 * `options` is JSON, empty for a measure with its defaults.
 */
export function resultCsv(result: Result): string {
  const layers = new Map(result.layers.map((layer) => [layer.name, layer]));
  const measured = result.results.map((row) =>
    record(result.model.file, row.layer === null ? undefined : layers.get(row.layer), row, row.layer),
  );
  const skipped = result.layers
    .filter((layer) => layer.skipped !== undefined)
    .map((layer) => record(result.model.file, layer, undefined, layer.name));
  return [header, ...measured, ...skipped].map((fields) => fields.map(quoted).join(",") + "\r\n").join("");
}

function record(model: string, layer: LayerRow | undefined, row: ResultRow | undefined, name: string | null): string[] {
  const options = row === undefined || Object.keys(row.options ?? {}).length === 0 ? "" : JSON.stringify(row.options);
  return [
    model,
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
