import { DataError, UsageError } from "../errors.ts";
import type { ArrayOptions } from "./array-dataset.ts";
import type { NamedArray } from "./dataset.ts";
import { Growing } from "./growing.ts";

/** Names that say that a column is the labels. */
const labelNames = ["y", "label", "labels", "target", "class"];

/** More different texts than these are no classes. */
const mostClasses = 65536;

/** A table as arrays: x float32 [n, columns] and y. */
export interface Table {
  readonly arrays: readonly NamedArray[];
  /** What the labels' whole numbers stand for, where the labels are texts. */
  readonly classes?: readonly string[];
}

/**
 * Gathers the rows of a table whose cells are text.
 *
 * The labels are the column that `options.labels` names, else the one called y, label, labels, target or class in
 * whatever case, else the last; two so called are ambiguous, and refused. Features are the columns that `options.input`
 * names, with commas between and in that order, else all others that have a name: a column without one is the index
 * that pandas writes. Features are finite numbers, True and False being 1 and 0. Labels that are all whole numbers,
 * written without a point, are int64; other numbers are targets, float32; texts are classes in sorted order, int64.
 */
export class TableBuilder {
  readonly #label: string;
  readonly #columns: readonly string[];
  readonly #options: ArrayOptions;
  readonly #labelColumn: number;
  readonly #features: readonly number[];
  readonly #x = new Growing(Float32Array);
  readonly #y = new LabelColumn();
  #n = 0;

  /**
   * @param label what messages call the file
   * @throws DataError when the header is none; UsageError when columns are not there or ambiguous
   */
  constructor(label: string, header: readonly string[], options: ArrayOptions) {
    this.#label = label;
    this.#columns = header.map((name) => name.trim());
    this.#options = options;
    checkHeader(label, this.#columns);
    this.#labelColumn = this.#findLabels();
    this.#features = this.#findFeatures();
  }

  /** Throws DataError, with line and column, for a cell that is missing or no number. */
  addRow(cells: readonly string[], line: number): void {
    if (cells.length !== this.#columns.length) {
      const expected = `expected ${this.#columns.length} fields, as the header has`;
      throw new DataError(`${this.#label}: line ${line}: ${expected}, have ${cells.length}.`);
    }
    for (const column of this.#features) {
      const value = featureOf(cells[column]!);
      if (value === undefined) throw this.#misfit(cells, column, line);
      this.#x.push(value);
    }
    const label = cells[this.#labelColumn]!.trim();
    if (isMissing(label)) throw this.#misfit(cells, this.#labelColumn, line, "a label");
    this.#y.push(label);
    this.#n++;
  }

  /** Throws DataError when labels are texts, but too many different ones for classes. */
  finish(): Table {
    const { input = "x", labels = "y" } = this.#options;
    const { classes, ...y } = this.#y.finish(
      (what) => new DataError(`${this.#label}: column ${this.#columns[this.#labelColumn]}: ${what}`),
    );
    const x = { type: "float32" as const, dims: [this.#n, this.#features.length], data: this.#x.finish() };
    return {
      arrays: [
        { name: input, ...x },
        { name: labels, dims: [this.#n], ...y },
      ],
      classes,
    };
  }

  #findLabels(): number {
    const { input = "x", labels } = this.#options;
    if (labels !== undefined && labels === input) {
      throw new UsageError(`${this.#label}: column ${labels}: ${labels} is what the features are called: rename it.`);
    }
    if (labels !== undefined) return this.#find(labels);
    const called = this.#columns.filter((name) => labelNames.includes(name.toLowerCase()));
    if (called.length > 1) {
      throw new UsageError(
        `${this.#label}: the labels could be ${called.join(" or ")}: name the column that is meant: --labels COLUMN.`,
      );
    }
    return this.#find(called[0] ?? this.#columns.findLast((name) => name !== "")!);
  }

  #findFeatures(): number[] {
    const { input = "x" } = this.#options;
    const features =
      input === "x"
        ? [...this.#columns.keys()].filter((column) => column !== this.#labelColumn && this.#columns[column] !== "")
        : input.split(",").map((name) => this.#find(name.trim()));
    if (features.includes(this.#labelColumn)) {
      const name = this.#columns[this.#labelColumn];
      throw new UsageError(`${this.#label}: column ${name} is the labels, and cannot be a feature as well.`);
    }
    if (features.length > 0) return features;
    throw new DataError(
      `${this.#label}: expected a column of labels and one of features or more, have ${listed(this.#columns)}.`,
    );
  }

  #find(name: string): number {
    const column = this.#columns.indexOf(name);
    if (column >= 0 && name !== "") return column;
    throw new DataError(`${this.#label}: no column ${name}. It has: ${listed(this.#columns.filter(Boolean))}.`);
  }

  #misfit(cells: readonly string[], column: number, line: number, expected = "a number"): DataError {
    const text = cells[column]!.trim();
    const came = isMissing(text) ? `${text || "nothing"}: fill in or leave out what is missing` : shown(text);
    const hint =
      expected === "a number" && !isMissing(text)
        ? "; --input NAME=COLUMN,COLUMN names the columns that are features"
        : "";
    const name = this.#columns[column];
    return new DataError(`${this.#label}: line ${line}, column ${name}: expected ${expected}, came ${came}${hint}.`);
  }
}

function checkHeader(label: string, columns: readonly string[]): void {
  if (columns.every((name) => name === "" || numberOf(name) !== undefined)) {
    const came = columns.slice(0, 4).join(", ") + (columns.length > 4 ? ", …" : "");
    throw new DataError(
      `${label}: line 1: expected the columns' names, came ${came}: write a line of names before it.`,
    );
  }
  const known = new Set<string>();
  for (const name of columns) {
    if (name !== "" && known.has(name)) throw new DataError(`${label}: line 1: two columns are called ${name}.`);
    known.add(name);
  }
}

/** Labels of which it is not known yet what they are. */
class LabelColumn {
  readonly #numbers = new Growing(Float64Array);
  readonly #texts = new Growing(Int32Array);
  readonly #known = new Map<string, number>();
  /** The first label that is no number, and the first number with a point or an exponent. */
  #text: string | undefined;
  #fraction: string | undefined;

  push(label: string): void {
    const number = numberOf(label);
    if (number === undefined) this.#text ??= label;
    else if (!/^[+-]?\d{1,15}$/.test(label)) this.#fraction ??= label;
    this.#numbers.push(number ?? Number.NaN);
    let id = this.#known.get(label);
    // Beyond, they are numbers or refused: they need not be known apart.
    if (id === undefined && this.#known.size <= mostClasses) this.#known.set(label, (id = this.#known.size));
    this.#texts.push(id ?? -1);
  }

  finish(error: (what: string) => DataError): Pick<NamedArray, "type" | "data"> & Pick<Table, "classes"> {
    if (this.#text === undefined) {
      const numbers = this.#numbers.finish();
      return this.#fraction === undefined
        ? { type: "int64", data: BigInt64Array.from(numbers, BigInt) }
        : { type: "float32", data: Float32Array.from(numbers) };
    }
    if (this.#fraction !== undefined) {
      throw error(`expected numbers or classes, have ${this.#fraction} as well as ${shown(this.#text)}.`);
    }
    if (this.#known.size > mostClasses) {
      throw error(`expected numbers, or at most ${mostClasses} classes, have more, such as ${shown(this.#text)}.`);
    }
    const classes = [...this.#known.keys()].sort();
    const places = new Map(classes.map((name, place) => [this.#known.get(name)!, BigInt(place)]));
    return { type: "int64", data: BigInt64Array.from(this.#texts.finish(), (id) => places.get(id)!), classes };
  }
}

/** Columns that a message lists before it counts. */
const mostListed = 20;

function listed(columns: readonly string[]): string {
  const names = columns.slice(0, mostListed).map((name) => (name.length > 40 ? `${name.slice(0, 40)}…` : name));
  const more = columns.length - names.length;
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function isMissing(text: string): boolean {
  return text === "" || /^(nan|n\/?a|null|none|\?)$/i.test(text);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

/** A finite float32 number, written in decimal; undefined for anything else. */
function numberOf(text: string): number | undefined {
  const value = Number(text);
  if (!Number.isFinite(Math.fround(value))) return undefined;
  // Number takes "" for 0, and knows 0x10.
  if ((value === 0 && text.trim() === "") || (text.length > 2 && /^\s*0[xob]/i.test(text))) return undefined;
  return value;
}

function featureOf(text: string): number | undefined {
  const value = numberOf(text);
  if (value !== undefined) return value;
  const word = text.trim().toLowerCase();
  if (word === "true") return 1;
  return word === "false" ? 0 : undefined;
}
