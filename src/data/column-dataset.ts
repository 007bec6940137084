import { DataError, UsageError } from "../errors.ts";
import type { TypedArray } from "../graph/tensor.ts";
import type { Batch, Dataset, Field, NamedArray } from "./dataset.ts";

/** A field and how its samples are got. */
export interface Column {
  readonly field: Field;
  /** The samples at `indices`, which are in range; `spent` is an array of an earlier batch that may be written over. */
  read(indices: ArrayLike<number>, spent?: TypedArray): TypedArray | Promise<TypedArray>;
}

/** Where samples came from, and how many there are. */
export type Described = Pick<Dataset, "source" | "sha256" | "hashed" | "n" | "classes" | "split" | "preprocess">;

/** A data set of columns, each of which is read only when it is asked for. */
export function columnDataset(described: Described, columns: readonly Column[]): Dataset {
  const named = new Map(columns.map((column) => [column.field.name, column]));
  const { source, n } = described;
  return {
    ...described,
    fields: columns.map(({ field }) => field),
    async read(indices, names = [...named.keys()], spent?: Batch): Promise<Batch> {
      checkRange(source, indices, n);
      const batch = new Map<string, NamedArray>();
      for (const name of names) {
        const { field, read } = named.get(name) ?? missing(source, [...named.keys()], name);
        const data = await read(indices, spent?.get(name)?.data);
        batch.set(name, { ...field, dims: [indices.length, ...field.dims], data });
      }
      return batch;
    },
  };
}

/** Throws DataError when the source has not the arrays that the user names. */
export function checkNamed(source: string, fields: readonly Field[], { input, labels }: Named): void {
  for (const name of [input, labels]) {
    if (name === undefined || fields.some((field) => field.name === name)) continue;
    const present = fields.map((field) => `${field.name} ${field.type} (${["n", ...field.dims].join(", ")})`);
    throw new DataError(`${source}: no array ${name}. It has: ${present.join("; ")}.`);
  }
}

interface Named {
  readonly input?: string;
  readonly labels?: string;
}

function checkRange(source: string, indices: ArrayLike<number>, n: number): void {
  for (let i = 0; i < indices.length; i++) {
    const index = indices[i]!;
    if (!(Number.isInteger(index) && index >= 0 && index < n)) {
      throw new DataError(`${source}: no sample ${index}: expected whole numbers from 0 to ${n - 1}.`);
    }
  }
}

function missing(source: string, names: readonly string[], name: string): never {
  throw new UsageError(`${source}: no field ${name}. It has: ${names.join(", ")}.`);
}
