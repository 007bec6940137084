import { DataError } from "../../errors.ts";
import { count, type Dims, type TypedArray } from "../../graph/tensor.ts";
import { finite } from "../array-dataset.ts";
import type { Column } from "../column-dataset.ts";
import type { EncodedImages } from "../image-column.ts";
import { type EncodedColumn, listShape, type NumberColumn, numbersOf } from "./columns.ts";
import { type Chunk, readChunk } from "./chunk.ts";
import type { ParquetFile, RowGroup } from "./file.ts";
import type { Leaf } from "./values.ts";

/** Groups of rows whose values stay in memory: the one that is read, and the one before. */
const keptGroups = 2;

/** A group of rows of one of the files, and where it begins in the table. */
interface Part {
  readonly parquet: ParquetFile;
  readonly group: RowGroup;
  readonly start: number;
  /** Its first row in the file. */
  readonly row: number;
}

/** The rows of several Parquet files, one after the other, read a group of rows at a time. */
export class ParquetTable {
  readonly #source: string;
  readonly #parts: readonly Part[];
  readonly #kept = new Map<Part, Map<string, Promise<unknown>>>();
  readonly rows: number;

  /** @param source what messages call it */
  constructor(source: string, files: readonly ParquetFile[]) {
    this.#source = source;
    const parts: Part[] = [];
    let start = 0;
    for (const parquet of files) {
      let row = 0;
      for (const group of parquet.groups) {
        if (group.rows > 0) parts.push({ parquet, group, start: start + row, row });
        row += group.rows;
      }
      start += row;
    }
    this.#parts = parts;
    this.rows = start;
  }

  /**
   * A column of numbers. Throws DataError when the lists of the first group of rows are not all of one shape; on
   * reading, for those of the others.
   */
  async numbers(name: string, column: NumberColumn): Promise<Column> {
    const first = this.#parts[0]!;
    const lists = column.leaf.repetition > 0;
    const dims = lists ? this.#shape(first, column, await this.#chunk(first, column.leaf)) : [];
    const size = count(dims);
    const field = { name, type: column.type, dims };
    return {
      field,
      read: async (indices) => {
        let samples: Float64Array | undefined;
        for (const { part, row, place } of this.#located(indices)) {
          const stored = (await this.#numbers(part, column, dims)) as Float64Array;
          samples ??= new (stored.constructor as Float64ArrayConstructor)(indices.length * size);
          samples.set(stored.subarray(row * size, (row + 1) * size), place * size);
        }
        samples ??= (await this.#numbers(first, column, dims)).slice(0, 0) as Float64Array;
        return column.type.startsWith("float") ? finite(this.#source, field, samples, indices) : samples;
      },
    };
  }

  /** A column of encoded images. */
  images(column: EncodedColumn): EncodedImages {
    return {
      label: (index) => {
        const [{ part, row }] = this.#located([index]) as [Located];
        return `${part.parquet.file.name}: column ${column.name}: row ${part.row + row}`;
      },
      bytes: async (index) => {
        const [{ part, row }] = this.#located([index]) as [Located];
        const values = await this.#once(part, column.leaf.path, async () => {
          const { pages } = await this.#chunk(part, column.leaf);
          return (pages as Uint8Array[][]).flat();
        });
        return values[row]!;
      },
    };
  }

  #numbers(part: Part, column: NumberColumn, dims: Dims): Promise<TypedArray> {
    return this.#once(part, column.leaf.path, async () => {
      const chunk = await this.#chunk(part, column.leaf);
      const came = this.#shape(part, column, chunk);
      if (came.join() !== dims.join()) {
        throw new DataError(
          `${part.parquet.file.name}: column ${column.name}: row ${part.row}: lists of [${came.join(", ")}], ` +
            `before of [${dims.join(", ")}]: expected one shape.`,
        );
      }
      return numbersOf(column, chunk);
    });
  }

  #shape({ parquet, group, row: first }: Part, { name, leaf }: NumberColumn, { repetition }: Chunk): Dims {
    if (!repetition) return [];
    const found = listShape(repetition, leaf.repetition);
    const uneven = (row: number) =>
      new DataError(
        `${parquet.file.name}: column ${name}: the list in row ${first + row} is not as long as those before: ` +
          `expected lists of one length; pad or cut them first.`,
      );
    if ("row" in found) throw uneven(found.row);
    if (count(found.dims) * group.rows !== repetition.length) throw uneven(group.rows);
    return found.dims;
  }

  async #chunk({ parquet, group, row }: Part, leaf: Leaf): Promise<Chunk> {
    const place = group.chunks.get(leaf.path);
    if (!place) throw new DataError(`${parquet.file.name}: column ${leaf.path}: damaged: a row group without it.`);
    if (leaf.repetition === 0 ? place.values !== group.rows : place.values < group.rows) {
      throw new DataError(
        `${parquet.file.name}: column ${leaf.path}: damaged: ${place.values} values in a group of ${group.rows} rows.`,
      );
    }
    return readChunk(parquet.file, place, leaf, row);
  }

  /** What `make` made of a part, kept while the part is one of the last. */
  #once<T>(part: Part, what: string, make: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(part) ?? new Map<string, Promise<unknown>>();
    this.#kept.delete(part);
    this.#kept.set(part, known);
    if (this.#kept.size > keptGroups) this.#kept.delete(this.#kept.keys().next().value!);
    const made = (known.get(what) as Promise<T> | undefined) ?? make();
    known.set(what, made);
    return made;
  }

  /** The indices in the order in which they are stored, so that a group of rows is read once. */
  #located(indices: ArrayLike<number>): Located[] {
    const order = Array.from(indices, (index, place) => ({ index, place })).sort((a, b) => a.index - b.index);
    let part = this.#partOf(order[0]?.index ?? 0);
    return order.map(({ index, place }) => {
      if (index >= part.start + part.group.rows) part = this.#partOf(index);
      return { part, row: index - part.start, place };
    });
  }

  #partOf(index: number): Part {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#parts[middle]!.start <= index) low = middle;
      else high = middle - 1;
    }
    return this.#parts[low]!;
  }
}

/** Where an index lies, and its place in the batch. */
interface Located {
  readonly part: Part;
  readonly row: number;
  readonly place: number;
}
