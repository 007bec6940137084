import { readFileSync } from "node:fs";
import { test } from "vitest";
import { openDataset } from "../../../src/data/open.ts";
import { columnsOf } from "../../../src/data/parquet/columns.ts";
import { openParquet } from "../../../src/data/parquet/file.ts";
import { ParquetTable } from "../../../src/data/parquet/table.ts";
import { DataError } from "../../../src/errors.ts";
import { survivesMutations } from "../../mutations.ts";
import { memoryFiles, pageFile } from "../memory-files.ts";

const file = (name: string) => new Uint8Array(readFileSync(new URL(`files/${name}.parquet`, import.meta.url)));

/** Reads every column of numbers as far as it can be read: one that is damaged does not hide the others. */
async function readAll(bytes: Uint8Array): Promise<void> {
  const parquet = await openParquet(pageFile("damaged.parquet", bytes));
  if (parquet.rows === 0) return;
  const table = new ParquetTable("damaged.parquet", [parquet]);
  let refused: DataError | undefined;
  for (const column of columnsOf(parquet.schema)) {
    if (column.kind !== "numbers") continue;
    try {
      const { read } = await table.numbers(column.name, column);
      await read(Uint32Array.from({ length: Math.min(table.rows, 1000) }, (_, row) => row));
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      refused = error;
    }
  }
  if (refused) throw refused;
}

/** Eight files of one reader. */
const RUNS = 700;
/** Columns share a row group's memory: the values of all, of up to eight bytes each, and their levels. */
const VALUES = 24 * 16 * 8 * 4;

test.each(["uncompressed", "snappy-2", "gzip", "zstd", "lz4-2", "plain", "delta", "split"])(
  "damaged numbers are read or refused: %s",
  async (name) => {
    await survivesMutations(file(name), readAll, { runs: RUNS, holds: VALUES });
  },
);

test("damaged data sets of images are read or refused", async () => {
  await survivesMutations(
    file("photos"),
    async (bytes) => {
      const data = await openDataset("damaged.parquet", {}, memoryFiles({ "damaged.parquet": bytes }));
      await data.read(Array.from({ length: Math.min(data.n, 20) }, (_, row) => row));
    },
    { holds: 5 * 3 * 13 * 19 * 4 },
  );
});
