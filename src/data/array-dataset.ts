import { DataError } from "../errors.ts";
import { count, type TypedArray } from "../graph/tensor.ts";
import { type Column, columnDataset } from "./column-dataset.ts";
import type { Dataset, Field, NamedArray } from "./dataset.ts";
import { compilePreprocess, type Preprocess, type PreprocessOption, writtenSteps } from "./preprocess.ts";

/** What the user said of a data set's arrays. */
export interface ArrayOptions {
  /** `train` or `test`, or whatever the source has. */
  readonly split?: string;
  /** The language of `preprocess.ts`; without it arrays keep their own type. */
  readonly preprocess?: PreprocessOption;
  /** The array that is the input: it gives the number of samples, and is preprocessed. Default x. */
  readonly input?: string;
  /** The array of labels. Default y. */
  readonly labels?: string;
}

/** Where arrays came from. */
export type Origin = Pick<Dataset, "source" | "sha256" | "hashed" | "classes" | "split">;

/**
 * A data set of arrays in memory, the first axis of each the samples. Every array as long as the input is a field.
 *
 * @throws DataError when the input or the labels are not there, differ in length, or are empty; UsageError from the
 *   preprocessing.
 */
export function arrayDataset(origin: Origin, arrays: readonly NamedArray[], options: ArrayOptions = {}): Dataset {
  const input = findArray(origin.source, arrays, options.input ?? "x");
  const n = input.dims[0];
  if (n === undefined)
    throw new DataError(`${origin.source}: ${input.name} is a single number: expected an axis of samples.`);
  if (n === 0) throw new DataError(`${origin.source}: ${input.name} is empty: expected one sample or more.`);
  if (options.labels !== undefined || arrays.length > 1) {
    const labels = findArray(origin.source, arrays, options.labels ?? "y");
    if (labels.dims[0] !== n) {
      throw new DataError(
        `${origin.source}: expected as many labels as inputs, ` +
          `came ${input.name} with n = ${n} and ${labels.name} with n = ${labels.dims[0] ?? "none"}.`,
      );
    }
  }
  const stored = arrays.filter((array) => array.dims[0] === n).map((array) => arrayColumn(origin.source, array));
  const steps = writtenSteps(options.preprocess);
  const preprocess = steps.length > 0 ? compilePreprocess(steps, fieldOf(input)) : undefined;
  const columns = new Map(stored.map((each) => [each.field.name, each]));
  if (preprocess) columns.set(input.name, converted(origin.source, input, preprocess));
  return columnDataset({ ...origin, n, preprocess: preprocess?.resolved ?? "" }, [...columns.values()]);
}

function fieldOf({ name, type, dims }: NamedArray): Field {
  return { name, type, dims: dims.slice(1) };
}

/** Samples as they are stored: a view of consecutive ones, else a copy. */
export function arrayColumn(source: string, array: NamedArray): Column {
  const field = fieldOf(array);
  const size = count(field.dims);
  const stored = array.data as Float64Array;
  const read = (indices: ArrayLike<number>): TypedArray => {
    const first = indices[0] ?? 0;
    if (consecutive(indices)) return stored.subarray(first * size, (first + indices.length) * size);
    const samples = new (stored.constructor as Float64ArrayConstructor)(indices.length * size);
    for (let i = 0; i < indices.length; i++) {
      const start = indices[i]! * size;
      if (size === 1) samples[i] = stored[start]!;
      else samples.set(stored.subarray(start, start + size), i * size);
    }
    return samples;
  };
  const checked = array.type === "float32" || array.type === "float64";
  return {
    field,
    read: checked ? (indices) => finite(source, field, read(indices), indices) : read,
  };
}

/** Samples converted on their way into the batch. */
function converted(source: string, array: NamedArray, { dims, write }: Preprocess): Column {
  const field: Field = { name: array.name, type: "float32", dims };
  const storedSize = count(array.dims.slice(1));
  const size = count(dims);
  const checked = array.type === "float32" || array.type === "float64";
  return {
    field,
    read(indices, spent) {
      const wanted = indices.length * size;
      const samples = spent instanceof Float32Array && spent.length === wanted ? spent : new Float32Array(wanted);
      for (let i = 0; i < indices.length; i++) write(array.data, indices[i]! * storedSize, samples, i * size);
      return checked ? finite(source, field, samples, indices) : samples;
    },
  };
}

function consecutive(indices: ArrayLike<number>): boolean {
  for (let i = 1; i < indices.length; i++) if (indices[i] !== indices[0]! + i) return false;
  return true;
}

/** The samples, when all are finite: v − v is 0 for a finite v only. Throws DataError. */
export function finite(source: string, field: Field, samples: TypedArray, indices: ArrayLike<number>): TypedArray {
  const values = samples as Float64Array;
  const size = count(field.dims);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value - value === 0) continue;
    const place = `sample ${indices[Math.floor(i / size)]}, element ${i % size}`;
    throw new DataError(`${source}: ${field.name}: ${place} is ${value}: expected finite numbers.`);
  }
  return samples;
}

function findArray(source: string, arrays: readonly NamedArray[], name: string): NamedArray {
  const found = arrays.find((array) => array.name === name);
  if (found) return found;
  const present = arrays.map((array) => `${array.name} ${array.type} (${array.dims.join(", ")})`);
  throw new DataError(
    `${source}: no array ${name}. It has: ${present.join("; ") || "none"}. ` +
      `Name the one that is meant: --input NAME=ARRAY for an input, --labels ARRAY for the labels.`,
  );
}
