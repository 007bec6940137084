import { count, type TypedArray } from "../../graph/tensor.ts";
import { finite } from "../array-dataset.ts";
import type { Column } from "../column-dataset.ts";
import type { Preprocess } from "../preprocess.ts";

/** A column whose samples are preprocessed when they are read. */
export function preprocessed(source: string, stored: Column, { dims, write }: Preprocess): Column {
  const field = { name: stored.field.name, type: "float32" as const, dims };
  const before = count(stored.field.dims);
  const after = count(dims);
  return {
    field,
    async read(indices, spent) {
      const values = await stored.read(indices);
      const samples = reused(spent, indices.length * after);
      for (let i = 0; i < indices.length; i++) write(values, i * before, samples, i * after);
      return finite(source, field, samples, indices);
    },
  };
}

/** Columns of single numbers as the elements of one vector, float32. */
export function sideBySide(source: string, name: string, columns: readonly Column[]): Column {
  const field = { name, type: "float32" as const, dims: [columns.length] };
  return {
    field,
    async read(indices, spent) {
      const samples = reused(spent, indices.length * columns.length);
      for (const [element, column] of columns.entries()) {
        const values = await column.read(indices);
        for (let i = 0; i < indices.length; i++) samples[i * columns.length + element] = Number(values[i]);
      }
      return finite(source, field, samples, indices);
    },
  };
}

function reused(spent: TypedArray | undefined, length: number): Float32Array {
  return spent instanceof Float32Array && spent.length === length ? spent : new Float32Array(length);
}
