import { DataError } from "../errors.ts";
import type { ArrayOptions } from "./array-dataset.ts";
import { type Column, columnDataset } from "./column-dataset.ts";
import { chosenSplit, type Format, type Source } from "./format.ts";
import { imageColumn } from "./image-column.ts";
import { below } from "./image-folder.ts";
import { type Choice, chosenColumns, listed } from "./parquet/choice.ts";
import { columnsOf, type NumberColumn, type ParquetColumn } from "./parquet/columns.ts";
import { classNames } from "./parquet/features.ts";
import { openParquet, type ParquetFile } from "./parquet/file.ts";
import { preprocessed, sideBySide } from "./parquet/samples.ts";
import { checkWhole, mayHoldSplit, type ParquetSet, parquetSets } from "./parquet/splits.ts";
import { ParquetTable } from "./parquet/table.ts";
import { preprocessing, writtenSteps } from "./preprocess.ts";
import { hashFiles } from "./source-hash.ts";

const extension = /\.parquet$/i;

/**
 * Parquet files: columns of numbers, of lists of numbers, and of encoded images, such as Hugging Face's data sets. Which
 * columns are x and y, {@link chosenColumns} says; the others go by their own names. Values stand in memory a group of
 * rows at a time. Of a folder with splits, `train` unless another is asked for.
 */
export const parquetFormat: Format = {
  description: "a .parquet file or a directory of them (train-00000-of-00002.parquet …)",
  matches: async (source) => extension.test(source.path) || (await setIn(source)) !== undefined,
  async open(source, options) {
    const { path, files } = source;
    const { split, names, folder } = await chosenFiles(source, options.split);
    const opened = [];
    for (const name of names) opened.push(await openParquet(await files.open(name, folder)));
    const table = new ParquetTable(path, opened);
    if (table.rows === 0) throw new DataError(`${path}: expected one row or more, have none.`);
    const columns = sharedColumns(opened);
    const classes = classNames(opened[0]!.notes);
    const choice = chosenColumns(path, columns, new Set(classes.keys()), options);
    const read = await readColumns(source, table, columns, choice, options);
    const hash = await hashFiles(
      opened.map(({ file }, index) => ({ name: names[index]!, file })),
      files,
    );
    return columnDataset(
      {
        source: path,
        ...hash,
        n: table.rows,
        split,
        classes: choice.labels && classes.get(choice.labels.name),
        preprocess: read.resolved,
      },
      read.columns,
    );
  },
};

/** The files of a folder, of the folder `data` of a Hugging Face repository, or of folders of splits in either. */
async function setIn({ path, names, files }: Source): Promise<ParquetSet | undefined> {
  if (names === undefined) return undefined;
  const inside = async (folder: string) =>
    ((await files.list(below(path, folder))) ?? []).map((name) => `${folder}/${name}`);
  const paths = [...names];
  for (const name of names.filter(mayHoldSplit)) paths.push(...(await inside(name)));
  if (names.includes("data")) {
    const found = await inside("data");
    paths.push(...found);
    for (const name of found.filter(mayHoldSplit)) paths.push(...(await inside(name)));
  }
  const sets = parquetSets(paths);
  return sets.find(({ folder }) => folder === "") ?? sets.find(({ folder }) => folder === "data");
}

async function chosenFiles(source: Source, asked: string | undefined) {
  const found = await setIn(source);
  if (!found) {
    chosenSplit(source.path, [], asked);
    return { names: [source.path], folder: undefined, split: undefined };
  }
  const folder = found.folder === "" ? source.path : below(source.path, found.folder);
  const known = [...found.splits.keys()].filter((name) => name !== undefined);
  const split = chosenSplit(source.path, known, asked ?? (known.length > 0 ? "train" : undefined));
  const names = found.splits.get(split)!;
  checkWhole(folder, names);
  return { names, folder, split };
}

/** The columns of the first file. Throws DataError when another has others. */
function sharedColumns(files: readonly ParquetFile[]): ParquetColumn[] {
  const [first, ...others] = files.map(({ file, schema }) => ({ file, columns: columnsOf(schema) }));
  for (const { file, columns } of others) {
    if (JSON.stringify(columns) === JSON.stringify(first!.columns)) continue;
    throw new DataError(
      `${file.name}: expected the columns of ${first!.file.name}, ${listed(first!.columns)}; came ${listed(columns)}.`,
    );
  }
  return first!.columns;
}

/** The input and the labels under the names that they go by, and the other columns of numbers. */
async function readColumns(
  { path, files }: Source,
  table: ParquetTable,
  columns: readonly ParquetColumn[],
  { input, labels }: Choice,
  options: ArrayOptions,
): Promise<{ columns: Column[]; resolved: string }> {
  const read: Column[] = [];
  const name = options.input ?? "x";
  const steps = writtenSteps(options.preprocess);
  let resolved = "";
  if (input === undefined) {
    if (steps.length > 0) {
      throw new DataError(
        `${path}: several columns may be the input to preprocess: say which, --input NAME=COLUMN. ` +
          `It has: ${listed(columns)}.`,
      );
    }
  } else if ("kind" in input && input.kind === "images") {
    const made = await imageColumn(name, table.images(input), steps, files.wasm);
    read.push(made.column);
    resolved = made.resolved;
  } else {
    const stored = "kind" in input ? await table.numbers(name, input) : await vector(path, name, table, input);
    if (steps.length > 0) {
      const preprocess = preprocessing(steps)(stored.field);
      resolved = preprocess.resolved;
      read.push(preprocessed(path, stored, preprocess));
    } else read.push(stored);
  }
  if (labels) read.push(await table.numbers(options.labels ?? "y", labels));
  for (const column of columns) {
    if (column.kind !== "numbers" || column === input || column === labels) continue;
    if (read.some(({ field }) => field.name === column.name)) continue;
    try {
      read.push(await table.numbers(column.name, column));
    } catch (error) {
      // Beside the data there may be what makes no samples, such as lists of different lengths.
      if (!(error instanceof DataError)) throw error;
    }
  }
  if (read.length === 0) throw new DataError(`${path}: no column of numbers or images. It has: ${listed(columns)}.`);
  return { columns: read, resolved };
}

async function vector(path: string, name: string, table: ParquetTable, columns: readonly NumberColumn[]) {
  const read: Column[] = [];
  for (const column of columns) read.push(await table.numbers(column.name, column));
  return sideBySide(path, name, read);
}
