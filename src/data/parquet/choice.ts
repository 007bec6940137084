import { DataError } from "../../errors.ts";
import type { EncodedColumn, NumberColumn, ParquetColumn } from "./columns.ts";

/** Which columns are the input and the labels. */
export interface Choice {
  /** Absent where nothing says which; several are put side by side. */
  readonly input?: EncodedColumn | NumberColumn | readonly NumberColumn[];
  readonly labels?: NumberColumn;
}

/** Columns of labels by name, the first that is there. */
const labelNames = ["y", "label", "labels", "target", "class"];

/**
 * The input is the column that the user names; else `x`; else the only column of images; else the only column of lists;
 * else, where there are neither, all single numbers but the labels, side by side. The labels are the column that the user
 * names; else `y`, `label`, `labels`, `target` or `class`; else the only one with names of classes.
 *
 * @throws DataError for a name that no column has, or one of another kind
 */
export function chosenColumns(
  source: string,
  columns: readonly ParquetColumn[],
  classes: ReadonlySet<string>,
  asked: { readonly input?: string; readonly labels?: string },
): Choice {
  const numbers = columns.filter((column) => column.kind === "numbers");
  const images = columns.filter((column) => column.kind === "images");
  const lists = numbers.filter(({ leaf }) => leaf.repetition > 0);
  const find = (name: string): EncodedColumn | NumberColumn => {
    const column = columns.find((each) => each.name === name);
    if (column && column.kind !== "other") return column;
    const came = column ? `column ${name} holds ${column.what}` : `no column ${name}`;
    throw new DataError(
      `${source}: ${came}: expected numbers, lists of numbers or images. It has: ${listed(columns)}.`,
    );
  };
  const named = asked.labels === undefined ? undefined : find(asked.labels);
  if (named?.kind === "images") throw new DataError(`${source}: column ${named.name} holds images: expected labels.`);
  const classed = numbers.filter(({ name }) => classes.has(name));
  const labels =
    named ??
    labelNames.map((name) => numbers.find((column) => column.name === name)).find((column) => column !== undefined) ??
    (classed.length === 1 ? classed[0] : undefined);

  if (asked.input !== undefined) return { labels, input: find(asked.input) };
  const x = [...images, ...numbers].find(({ name }) => name === "x");
  if (x) return { labels, input: x };
  const inputLists = lists.filter((column) => column !== labels);
  if (images.length > 0) return { labels, input: images.length === 1 ? images[0] : undefined };
  if (inputLists.length > 0) return { labels, input: inputLists.length === 1 ? inputLists[0] : undefined };
  const rest = numbers.filter((column) => column !== labels);
  return { labels, input: rest.length > 0 ? rest : undefined };
}

export function listed(columns: readonly ParquetColumn[]): string {
  const described = columns.map((column) => {
    if (column.kind === "other") return `${column.name} (${column.what})`;
    if (column.kind === "images") return `${column.name} (images)`;
    return `${column.name} (${column.leaf.repetition > 0 ? "lists of " : ""}${column.type})`;
  });
  return described.join(", ") || "no columns";
}
