import { type ColumnChunk, type FileMetaData, parquetMetadata, parquetSchema, type SchemaTree } from "hyparquet";
import { DataError } from "../../errors.ts";
import { type ByteFile, readPart } from "../byte-file.ts";
import { structEnd } from "./thrift.ts";

/** The values of a column in a group of rows, as bytes in the file. */
export interface ChunkPlace {
  /** The column's path, joined by dots. */
  readonly path: string;
  readonly codec: string;
  readonly values: number;
  readonly start: number;
  readonly end: number;
}

export interface RowGroup {
  readonly rows: number;
  readonly chunks: ReadonlyMap<string, ChunkPlace>;
}

/** A Parquet file whose footer was read. */
export interface ParquetFile {
  readonly file: ByteFile;
  readonly rows: number;
  readonly groups: readonly RowGroup[];
  /** Its columns, as a tree. */
  readonly schema: SchemaTree;
  /** The writer's own notes. */
  readonly notes: ReadonlyMap<string, string>;
}

/** PAR1 */
const magic = 0x31524150;
/** PARE */
const encrypted = 0x45524150;
const most = 2 ** 31;

/**
 * Reads the footer of a Parquet file (github.com/apache/parquet-format) and checks what it says against the file's size.
 * Throws DataError.
 */
export async function openParquet(file: ByteFile): Promise<ParquetFile> {
  const damaged = (what: string) => new DataError(`${file.name}: damaged Parquet file: ${what}.`);
  if (file.size < 12) throw new DataError(`${file.name}: truncated: expected a Parquet file, have ${file.size} bytes.`);
  const tail = await readPart(file, file.size - 8, file.size);
  const view = new DataView(tail.buffer);
  const mark = view.getUint32(4, true);
  if (mark === encrypted) throw new DataError(`${file.name}: encrypted, which is not supported.`);
  if (mark !== magic) {
    throw new DataError(
      `${file.name}: byte ${file.size - 4}: truncated, or not a Parquet file: expected PAR1 at its end.`,
    );
  }
  const length = view.getUint32(0, true);
  const start = file.size - 8 - length;
  if (start < 4) throw damaged(`byte ${file.size - 8}: a footer of ${length} bytes in a file of ${file.size}`);
  const footer = await readPart(file, start, file.size);
  structEnd(new DataView(footer.buffer), 0, length, (at, what) => damaged(`byte ${start + at}: its footer: ${what}`));
  let metadata: FileMetaData;
  let schema: SchemaTree;
  try {
    metadata = parquetMetadata(footer, { geoparquet: false });
    schema = parquetSchema(metadata);
  } catch (error) {
    throw damaged(`byte ${start}: its footer cannot be read: ${(error as Error).message}`);
  }
  const groups = metadata.row_groups.map((group, index) => {
    const about = (what: string) => damaged(`row group ${index}: ${what}`);
    const rows = counted(group.num_rows, about);
    const chunks = group.columns.map((column) => chunkPlace(column, start, about));
    return { rows, chunks: new Map(chunks.map((chunk) => [chunk.path, chunk])) };
  });
  const rows = groups.reduce((sum, group) => sum + group.rows, 0);
  if (rows !== counted(metadata.num_rows, damaged)) {
    throw damaged(`byte ${start}: ${metadata.num_rows} rows, in row groups ${rows}`);
  }
  const notes = (metadata.key_value_metadata ?? []).map(({ key, value = "" }) => [key, value] as const);
  return { file, rows, groups, schema, notes: new Map(notes) };
}

function counted(value: bigint | undefined, damaged: (what: string) => DataError): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 0 && count < most) return count;
  throw damaged(`a number of ${value}: expected 0 to 2^31`);
}

function chunkPlace({ meta_data: meta, file_path }: ColumnChunk, footer: number, damaged: (what: string) => DataError) {
  if (file_path) throw damaged(`its values are in another file, ${JSON.stringify(file_path)}, which is not supported`);
  if (!meta) throw damaged("a column without metadata");
  const path = meta.path_in_schema.join(".");
  const about = (what: string) => damaged(`column ${path}: ${what}`);
  const first = counted(meta.data_page_offset, about);
  const dictionary = meta.dictionary_page_offset ? counted(meta.dictionary_page_offset, about) : first;
  const start = Math.min(first, dictionary);
  const end = start + counted(meta.total_compressed_size, about);
  if (start < 4 || end > footer)
    throw about(`bytes ${start} to ${end}: expected 4 to ${footer}, where the footer begins`);
  return { path, codec: String(meta.codec), values: counted(meta.num_values, about), start, end };
}
