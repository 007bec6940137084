import type { DecodedArray, PageHeader } from "hyparquet";
import { parquetHeader } from "hyparquet/src/column.js";
import { DataError } from "../../errors.ts";
import { type ByteFile, readPart } from "../byte-file.ts";
import { decompress } from "./codecs.ts";
import type { ChunkPlace } from "./file.ts";
import { bitWidth, decodeRuns } from "./runs.ts";
import { structEnd } from "./thrift.ts";
import { decodeValues, type Leaf } from "./values.ts";

/** Values of a column as they were stored, page after page. */
export interface Chunk {
  readonly pages: readonly DecodedArray[];
  /** For each value: 0 where it begins a row, else the depth of the list that it goes on with; absent where there is no list. */
  readonly repetition?: Uint8Array;
}

/**
 * All values of a column in a group of rows. Their pages stand in memory, uncompressed.
 *
 * @param firstRow the number of the group's first row in the file, for messages
 * @throws DataError for damaged pages, absent values (naming the row) and encodings that are not supported.
 */
export async function readChunk(file: ByteFile, place: ChunkPlace, leaf: Leaf, firstRow: number): Promise<Chunk> {
  const bytes = await readPart(file, place.start, place.end);
  const view = new DataView(bytes.buffer);
  const pages: DecodedArray[] = [];
  const levels: Uint8Array[] = [];
  let dictionary: DecodedArray | undefined;
  let have = 0;
  let at = 0;
  const damaged = (where: number, what: string) =>
    new DataError(`${file.name}: column ${leaf.path}: byte ${place.start + where}: ${what}.`);
  while (have < place.values) {
    if (at >= bytes.length) throw damaged(at, `expected ${place.values} values, have ${have}`);
    const start = at;
    at = structEnd(view, at, bytes.length, damaged);
    try {
      const header = parquetHeader({ view, offset: start });
      const size = header.compressed_page_size;
      if (!(size >= 0 && size <= bytes.length - at)) {
        throw new RangeError(`a page of ${size} bytes where ${bytes.length - at} are left`);
      }
      const body = bytes.subarray(at, at + size);
      at += size;
      if (header.type === "DICTIONARY_PAGE") {
        const unpacked = decompress(place.codec, body, header.uncompressed_page_size);
        dictionary = decodeValues("PLAIN", unpacked, 0, header.dictionary_page_header!.num_values, leaf, undefined);
      } else if (header.type === "DATA_PAGE" || header.type === "DATA_PAGE_V2") {
        const page = decodePage(header, body, place.codec, leaf, dictionary, place.values - have);
        if (page.repetition) levels.push(page.repetition);
        if (page.absent >= 0) throw new AbsentValue(have + page.absent);
        pages.push(page.values);
        have += page.count;
      }
    } catch (error) {
      if (error instanceof AbsentValue) throw absent(file, leaf, firstRow + rowOf(error.index, levels));
      throw damaged(start, `a page that cannot be read: ${(error as Error).message}`);
    }
  }
  return { pages, repetition: leaf.repetition > 0 ? joined(levels) : undefined };
}

/** A value that is null, or a list without elements. */
class AbsentValue extends Error {
  readonly index: number;
  constructor(index: number) {
    super();
    this.index = index;
  }
}

/** The row that a value belongs to: each begins with a level of 0. */
function rowOf(index: number, levels: readonly Uint8Array[]): number {
  if (levels.length === 0) return index;
  return joined(levels)
    .subarray(0, index + 1)
    .reduce((rows, level) => rows + (level === 0 ? 1 : 0), -1);
}

function absent(file: ByteFile, leaf: Leaf, row: number): DataError {
  return new DataError(
    `${file.name}: column ${leaf.path}: row ${row} is null or empty: expected a value; fill or drop such rows first.`,
  );
}

interface Page {
  readonly count: number;
  readonly values: DecodedArray;
  readonly repetition?: Uint8Array;
  /** The first value that is absent; -1 when none is. */
  readonly absent: number;
}

function decodePage(
  header: PageHeader,
  body: Uint8Array,
  codec: string,
  leaf: Leaf,
  dictionary: DecodedArray | undefined,
  left: number,
): Page {
  const first = header.data_page_header;
  const second = header.data_page_header_v2;
  const { num_values: count, encoding } = (first ?? second)!;
  if (!(count >= 0 && count <= left)) throw new RangeError(`a page of ${count} values where ${left} are left`);
  let bytes: Uint8Array;
  let levels: Uint8Array;
  let at = 0;
  let levelEnd: (said: number | undefined) => number;
  if (first) {
    bytes = levels = decompress(codec, body, header.uncompressed_page_size);
    levelEnd = () => {
      const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
      at += 4;
      return at + length;
    };
  } else {
    const { repetition_levels_byte_length: repeated, definition_levels_byte_length: defined } = second!;
    const before = repeated + defined;
    if (!(repeated >= 0 && defined >= 0 && before <= body.length)) throw new RangeError(`levels of ${before} bytes`);
    levels = body;
    const packed = body.subarray(before);
    bytes =
      second!.is_compressed === false ? packed : decompress(codec, packed, header.uncompressed_page_size - before);
    levelEnd = (said) => at + said!;
  }
  const level = (deepest: number, encoded: string | undefined, said: number | undefined) => {
    if (deepest === 0 && !second) return undefined;
    if (deepest > 0 && encoded === "BIT_PACKED") throw new RangeError("levels in the old encoding BIT_PACKED");
    const end = levelEnd(said);
    if (end > levels.length) throw new RangeError(`levels to byte ${end} in a page of ${levels.length}`);
    const values = deepest > 0 ? decodeRuns(levels, at, end, bitWidth(deepest), count) : undefined;
    at = end;
    return values as Uint8Array | undefined;
  };
  const repetition = level(leaf.repetition, first?.repetition_level_encoding, second?.repetition_levels_byte_length);
  const definition = level(leaf.definition, first?.definition_level_encoding, second?.definition_levels_byte_length);
  const absent = definition ? definition.findIndex((value) => value !== leaf.definition) : -1;
  if (absent >= 0) return { count, values: [], repetition, absent };
  return { count, values: decodeValues(encoding, bytes, second ? 0 : at, count, leaf, dictionary), repetition, absent };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
