import { DataError } from "../errors.ts";
import { type ArrayOptions, arrayDataset } from "./array-dataset.ts";
import type { ByteFile } from "./byte-file.ts";
import { CsvParser } from "./csv.ts";
import { FileReader } from "./file-reader.ts";
import { chosenSplit, type Format } from "./format.ts";
import { type Table, TableBuilder } from "./table.ts";

const chunkBytes = 65536;

/** A table in text: its first line names the columns. Which are labels and features says {@link TableBuilder}. */
export const csvFormat: Format = {
  description: "a .csv or .tsv table with a line of column names",
  matches: ({ path, names }) => names === undefined && /\.[ct]sv(\.gz)?$/i.test(path),
  async open({ path, files }, options) {
    chosenSplit(path, [], options.split);
    const file = await files.open(path);
    const { arrays, classes } = await readCsv(file, options);
    return arrayDataset({ source: path, sha256: await files.sha256([file]), classes }, arrays, options);
  },
};

/** The file's table, read chunk by chunk. Throws DataError, with line and column, for what is no table of numbers. */
export async function readCsv(file: ByteFile, options: ArrayOptions): Promise<Table> {
  let builder: TableBuilder | undefined;
  const parser = new CsvParser(
    file.name,
    (fields, line) => {
      if (builder) builder.addRow(fields, line);
      else builder = new TableBuilder(file.name, fields, options);
    },
    /\.tsv(\.gz)?$/i.test(file.name) ? "\t" : undefined,
  );
  const reader = new FileReader(file);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decoded = (bytes?: Uint8Array): string => {
    try {
      return bytes ? decoder.decode(bytes, { stream: true }) : decoder.decode();
    } catch {
      const place = `among the ${bytes?.length ?? 0} bytes before byte ${reader.position}`;
      throw new DataError(`${file.name}: ${place}: expected UTF-8 text; save the table as that.`);
    }
  };
  try {
    for (;;) {
      const bytes = await reader.upTo(chunkBytes, "text");
      if (bytes.length === 0) break;
      parser.push(decoded(bytes));
    }
    parser.push(decoded());
    parser.end();
  } finally {
    await reader.close();
  }
  if (!builder) throw new DataError(`${file.name}: empty: expected a line of column names and lines of numbers.`);
  return builder.finish();
}
