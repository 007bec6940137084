import { DataError, UsageError } from "../errors.ts";
import { readArrayFile } from "./array-file.ts";
import type { Files } from "./byte-file.ts";
import type { NamedArray } from "./dataset.ts";
import { disk } from "./files.ts";

/** Which samples are taken, and how the result says so. */
export interface Samples {
  readonly indices: Int32Array;
  readonly description: string;
}

/**
 * The samples that --samples names: the first N, or those whose indices stand in an .npy file, or in an .npz file of
 * one array, in that order; an index may come twice. Without it, all.
 *
 * @param n the number of samples of the data set
 * @throws UsageError when N is none, or more than n; DataError when the file's indices are none
 */
export async function chosenSamples(text: string | undefined, n: number, files: Files = disk): Promise<Samples> {
  if (text === undefined) return { indices: firstIndices(n), description: `all ${n}` };
  if (/^[+-]?\d/.test(text) && !/\.np[yz]$/i.test(text)) {
    if (!/^\d{1,15}$/.test(text) || Number(text) < 1 || Number(text) > n) {
      throw new UsageError(`--samples ${text}: expected a whole number from 1 to ${n}, the samples of the data.`);
    }
    return { indices: firstIndices(Number(text)), description: `the first ${text} of ${n}` };
  }
  const array = await readIndexArray(text, files);
  return {
    indices: checkedIndices(array, text, n),
    description: `${array.data.length} of ${n}, listed in ${text}`,
  };
}

function firstIndices(length: number): Int32Array {
  return Int32Array.from({ length }, (_, index) => index);
}

async function readIndexArray(path: string, files: Files): Promise<NamedArray> {
  if (!/\.np[yz]$/i.test(path)) {
    throw new UsageError(`--samples ${path}: expected a number, or an .npy or .npz file of indices.`);
  }
  return readArrayFile(path, "indices", files);
}

function checkedIndices({ name, type, dims, data }: NamedArray, path: string, n: number): Int32Array {
  const integers = /^u?int/.test(type);
  if (!integers || dims.length !== 1 || data.length === 0) {
    throw new DataError(`${path}: ${name}: expected a list of whole numbers, have ${type} (${dims.join(", ")}).`);
  }
  return Int32Array.from(data as ArrayLike<number | bigint>, (value, place) => {
    const index = Number(value);
    if (index >= 0 && index < n) return index;
    throw new DataError(`${path}: ${name}[${place}] is ${value}: expected 0 to ${n - 1}, the samples of the data.`);
  });
}
