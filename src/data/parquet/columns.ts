import type { SchemaElement, SchemaTree } from "hyparquet";
import { parseFloat16 } from "hyparquet/src/convert.js";
import { type Dims, type ElementType, elementSize, Tensor, type TypedArray } from "../../graph/tensor.ts";
import type { Chunk } from "./chunk.ts";
import type { Leaf } from "./values.ts";

/** Numbers, one in each row or a list of them. */
export interface NumberColumn {
  readonly kind: "numbers";
  readonly name: string;
  readonly leaf: Leaf;
  readonly type: ElementType;
}

/** Encoded image files. */
export interface EncodedColumn {
  readonly kind: "images";
  readonly name: string;
  readonly leaf: Leaf;
}

/** What cannot be read as samples, and what it is called. */
export interface OtherColumn {
  readonly kind: "other";
  readonly name: string;
  readonly what: string;
}

export type ParquetColumn = NumberColumn | EncodedColumn | OtherColumn;

/**
 * The columns of a file. Numbers are booleans, integers and floats, or lists, or lists of lists, of them; images are
 * bytes that are no text, alone or as `bytes` beside a `path` (Hugging Face's Image).
 */
export function columnsOf(schema: SchemaTree): ParquetColumn[] {
  return schema.children.map((column) => {
    const { name } = column.element;
    const image = column.children.find((child) => child.element.name === "bytes" && child.children.length === 0);
    if (image && isBytes(image.element)) return { kind: "images", name, leaf: leafOf([column, image]) };
    const path = [column];
    while (path.at(-1)!.children.length === 1) path.push(path.at(-1)!.children[0]!);
    const { element, children } = path.at(-1)!;
    if (children.length > 0) return { kind: "other", name, what: "a structure" };
    const leaf = leafOf(path);
    if (path.length === 1 && leaf.repetition === 0 && isBytes(element)) return { kind: "images", name, leaf };
    const type = elementType(element);
    if (type === undefined) return { kind: "other", name, what: called(element) };
    if (leaf.repetition === 0 && path.length > 1) return { kind: "other", name, what: "a structure" };
    return { kind: "numbers", name, leaf, type };
  });
}

function leafOf(path: readonly SchemaTree[]): Leaf {
  const { element, path: names } = path.at(-1)!;
  const kinds = path.map((node) => node.element.repetition_type);
  return {
    path: names.join("."),
    type: element.type!,
    length: element.type_length,
    repetition: kinds.filter((kind) => kind === "REPEATED").length,
    definition: kinds.filter((kind) => kind !== "REQUIRED").length,
  };
}

function isBytes({ type, converted_type: converted, logical_type: logical }: SchemaElement): boolean {
  return type === "BYTE_ARRAY" && converted === undefined && logical === undefined;
}

const plain: Readonly<Record<string, ElementType>> = {
  BOOLEAN: "bool",
  INT32: "int32",
  INT64: "int64",
  FLOAT: "float32",
  DOUBLE: "float64",
};

/** The type of a column of numbers; undefined for text, dates, decimals. */
function elementType(element: SchemaElement): ElementType | undefined {
  const { type, converted_type: converted, logical_type: logical } = element;
  if (logical?.type === "FLOAT16") {
    return type === "FIXED_LEN_BYTE_ARRAY" && element.type_length === 2 ? "float32" : undefined;
  }
  if (logical?.type === "INTEGER") return named(`${logical.isSigned ? "" : "u"}int${logical.bitWidth}`, type);
  if (converted !== undefined) return named(converted.replace("_", "").toLowerCase(), type);
  return logical === undefined ? plain[type ?? ""] : undefined;
}

const integers: readonly ElementType[] = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"];

/** The integer of this name, when it is stored as it must be. */
function named(name: string, stored: string | undefined): ElementType | undefined {
  return stored === (name.endsWith("64") ? "INT64" : "INT32") ? integers.find((type) => type === name) : undefined;
}

function called({ type, converted_type: converted, logical_type: logical }: SchemaElement): string {
  if (converted === "UTF8" || logical?.type === "STRING") return "text";
  return (logical?.type ?? converted ?? type ?? "nothing").toLowerCase();
}

/** All values of a chunk in the column's type. Integers of fewer bits than they are stored in lose what they never had. */
export function numbersOf({ type }: NumberColumn, { pages }: Chunk): TypedArray {
  const total = pages.reduce((sum, page) => sum + page.length, 0);
  const values = new Tensor(type, [total], new Uint8Array(total * elementSize(type))).data as Float64Array;
  let at = 0;
  for (const page of pages) {
    const half = Array.isArray(page) && page[0] instanceof Uint8Array;
    for (let i = 0; i < page.length; i++) values[at++] = half ? parseFloat16(page[i])! : (page[i] as number);
  }
  return values;
}

/**
 * The shape of each row's lists, which must be the same.
 *
 * @param repetition of each value, see {@link Chunk}
 * @param depth lists in lists
 * @returns the shape; or the first row that differs from the first, or whose lists in lists differ from one another
 */
export function listShape(repetition: Uint8Array, depth: number): { dims: Dims } | { row: number } {
  const next = repetition.indexOf(0, 1);
  const size = next < 0 ? repetition.length : next;
  const first = repetition.subarray(0, size);
  /** How many lists of each depth there are; at the end the values. */
  const counts = Array.from({ length: depth + 1 }, (_, level) => first.filter((value) => value <= level).length);
  const dims = counts.slice(1).map((count, level) => count / counts[level]!);
  if (first[0] !== 0 || !dims.every(Number.isInteger)) return { row: 0 };
  for (let i = 0; i < repetition.length; i++) {
    if (repetition[i] !== expectedLevel(i % size, dims)) return { row: Math.floor(i / size) };
  }
  return repetition.length % size === 0 ? { dims } : { row: Math.floor(repetition.length / size) };
}

/** 0 at the beginning of a row, `depth` inside the innermost list, between them where an outer list goes on. */
function expectedLevel(index: number, dims: Dims): number {
  let level = dims.length;
  let rest = index;
  for (let axis = dims.length - 1; axis >= 0 && rest % dims[axis]! === 0; axis--) {
    rest /= dims[axis]!;
    level--;
  }
  return level;
}
