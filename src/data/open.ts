import { DataError, UsageError } from "../errors.ts";
import { type ArrayOptions, arrayDataset } from "./array-dataset.ts";
import { type Files, readAll } from "./byte-file.ts";
import { cifarFormat } from "./cifar-format.ts";
import type { Dataset } from "./dataset.ts";
import { digitsClasses, digitsSplits, parseDigits } from "./digits.ts";
import { csvFormat } from "./csv-format.ts";
import { disk } from "./files.ts";
import { chosenSplit, type Format } from "./format.ts";
import { idxFormat } from "./idx-format.ts";
import { imageFolderFormat } from "./image-folder-format.ts";
import { numpyFormat } from "./numpy-format.ts";
import { parquetFormat } from "./parquet-format.ts";
import { readPreprocess } from "./preprocess-file.ts";
import { tokenFormat } from "./token-format.ts";

/** Every format, the first that matches first. */
export const formats: readonly Format[] = [
  tokenFormat,
  numpyFormat,
  idxFormat,
  cifarFormat,
  parquetFormat,
  imageFolderFormat,
  csvFormat,
];

/**
 * The data set that `source` names: `example:digits`, or a file or directory in one of the {@link formats}.
 *
 * @param given.split the part of a source that has parts; a source that consists of parts only (IDX files; an .npz
 *   of x_train, y_train, x_test, y_test and no x) gives `train` without it, whose mean is the empirical risk.
 *   `Dataset.split` says which was taken. The digits give all samples without it.
 * @param given.preprocess the language of `preprocess.ts`, or a .json or .yaml file of its steps, for the input
 * @param given.input the array that is the input, default x; `given.labels` that of the labels, default y
 * @param files where paths lead; the disk unless a page has something else
 * @throws DataError when the data is absent or damaged; UsageError for a split or a step that does not exist
 */
export async function openDataset(path: string, given: ArrayOptions = {}, files: Files = disk): Promise<Dataset> {
  const options = { ...given, preprocess: await readPreprocess(given.preprocess, files) };
  if (path.startsWith("example:")) return openExample(path, options, files);
  const source = { path, names: await files.list(path), files };
  for (const format of formats) if (await format.matches(source, options)) return format.open(source, options);
  const supported = [...formats.map(({ description }) => description), "or example:digits"].join(", ");
  throw new DataError(
    `${path}: ${source.names ? "no data set in this directory" : "not a data set"}: expected ${supported}.`,
  );
}

async function openExample(source: string, options: ArrayOptions, files: Files): Promise<Dataset> {
  if (source !== "example:digits") throw new UsageError(`${source}: no such example. There is: example:digits.`);
  const split = chosenSplit(source, Object.keys(digitsSplits), options.split);
  const file = await files.example("digits.csv.gz");
  const arrays = parseDigits(await readAll(file), file.name, split);
  return arrayDataset({ source, sha256: await files.sha256([file]), classes: digitsClasses, split }, arrays, options);
}
