import Table from "cli-table3";
import type { ResultRow } from "../evaluation/result.ts";
import { printable } from "./labels.ts";
import { significant, withError } from "./number.ts";
import { totalError } from "./pivot.ts";

/** Rules between the head and the rows alone; columns two spaces apart. */
const borders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "─",
  "mid-mid": "──",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** A table for a terminal as lines of text, without colour codes. */
export function textTable(
  head: readonly string[],
  colAligns: readonly ("left" | "right")[],
  rows: readonly (readonly string[])[],
): string[] {
  const table = new Table({
    head: head.map(printable),
    colAligns: [...colAligns],
    chars: borders,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
  });
  for (const row of rows) table.push(row.map(printable));
  return table.toString().split("\n");
}

/** A value with its error, `–` where there is none. */
export function valueText(row: ResultRow | undefined): string {
  if (row === undefined) return "–";
  const error = totalError(row);
  return error === null ? significant(row.value) : withError(row.value, error);
}

/** Pads what follows each ± so that, set flush right, the signs stand under each other. */
export function aligned(texts: readonly string[]): string[] {
  const tails = texts.map((text) => (text.includes(" ± ") ? text.length - text.indexOf(" ± ") : 0));
  const longest = Math.max(...tails);
  return texts.map((text, index) => (tails[index]! > 0 ? text + " ".repeat(longest - tails[index]!) : text));
}
