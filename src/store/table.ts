import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";
import { DataError } from "../errors.ts";

export type Cell = number | string | null;

/** Columns of one length, in order. A column of numbers holds numbers and null only. */
export interface Table {
  readonly columns: readonly Column[];
}

export interface Column {
  readonly name: string;
  readonly kind: "number" | "text";
  readonly values: readonly Cell[];
}

/** Rows as columns; a column is one of numbers when all it has are. */
export function tableOf(names: readonly string[], rows: readonly Readonly<Record<string, Cell>>[]): Table {
  const columns = names.map((name): Column => {
    const values = rows.map((row) => row[name] ?? null);
    const numeric = values.every((value) => value === null || typeof value === "number");
    if (numeric) return { name, kind: "number", values };
    return { name, kind: "text", values: values.map((value) => (value === null ? null : String(value))) };
  });
  return { columns };
}

/** Columns as rows. */
export function rowsOf({ columns }: Table): Record<string, Cell>[] {
  const length = columns[0]?.values.length ?? 0;
  return Array.from({ length }, (_, row) =>
    Object.fromEntries(columns.map(({ name, values }) => [name, values[row] ?? null])),
  );
}

/** Comma-separated values (RFC 4180), all digits kept; null is an empty field. */
export function tableCsv({ columns }: Table): string {
  const length = columns[0]?.values.length ?? 0;
  const lines = [columns.map(({ name }) => name)];
  for (let row = 0; row < length; row++) {
    lines.push(columns.map(({ values }) => (values[row] === null ? "" : String(values[row]))));
  }
  return lines.map((fields) => fields.map(quoted).join(",") + "\r\n").join("");
}

/** The table as a Parquet file: doubles and strings that may be null. The same table gives the same bytes. */
export function tableParquet({ columns }: Table): Uint8Array {
  const columnData = columns.map(({ name, kind, values }) => ({
    name,
    data: [...values],
    type: kind === "number" ? ("DOUBLE" as const) : ("STRING" as const),
    nullable: true,
  }));
  return new Uint8Array(parquetWriteBuffer({ columnData }));
}

/**
 * A Parquet file of numbers and text as a table.
 *
 * @throws DataError when it is damaged or holds other things
 */
export async function parseParquet(bytes: Uint8Array, file: string): Promise<Table> {
  const buffer = bytes.slice().buffer;
  try {
    const metadata = parquetMetadata(buffer);
    const leaves = metadata.schema.slice(1);
    const rows = await parquetReadObjects({ file: buffer, metadata });
    const columns = leaves.map(({ name, type }): Column => {
      const kind = type === "DOUBLE" ? "number" : "text";
      const values = rows.map((row) => (row[name] ?? null) as unknown);
      const wanted = kind === "number" ? "number" : "string";
      const strange = values.find((value) => value !== null && typeof value !== wanted);
      if (strange !== undefined) throw new DataError(`${file}: column ${name}: expected numbers or text.`);
      return { name, kind, values: values as Cell[] };
    });
    return { columns };
  } catch (cause) {
    if (cause instanceof DataError) throw cause;
    throw new DataError(`${file}: not a Parquet file that can be read: ${(cause as Error).message}.`, { cause });
  }
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
