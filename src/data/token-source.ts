import { DataError } from "../errors.ts";
import { count, elementSize, type ElementType, Tensor, type TypedArray } from "../graph/tensor.ts";
import { type ByteFile, readAll, readPart } from "./byte-file.ts";
import type { NamedArray } from "./dataset.ts";
import { npyDataBytes, parseNpy, swapped } from "./npy.ts";
import { longestHead, parseNpyHeader } from "./npy-header.ts";

/** Rows of tokens, one where they are a stream; they are read where they are wanted. */
export interface TokenSource {
  readonly type: ElementType;
  readonly rows: number;
  /** Tokens in a row. */
  readonly length: number;
  /** Whether the rows were given, [n, L], or are one stream, [N]. */
  readonly stream: boolean;
  /** `length` tokens from `start` on, counted over all rows. */
  read(start: number, length: number): Promise<TypedArray>;
}

const wholeNumbers = /^u?int(8|16|32|64)$/;

/** Tokens in memory: [N], or [n, L]. Throws DataError for other arrays. */
export function tokensInMemory({ name, type, dims, data }: NamedArray, label: string): TokenSource {
  return {
    ...shaped(type, dims, `${label}: ${name}`),
    read: async (start, length) => data.subarray(start, start + length),
  };
}

/** The tokens of an .npy file, of which the head alone is read now. */
export async function tokensOfNpy(file: ByteFile): Promise<TokenSource> {
  const head = await readPart(file, 0, Math.min(longestHead, file.size));
  const header = parseNpyHeader(head, file.name);
  npyDataBytes(header, file.size, file.name);
  const { type, shape, bigEndian, fortranOrder, dataStart } = header;
  const source = shaped(type, shape, file.name);
  if (fortranOrder && shape.length > 1) return tokensInMemory(parseNpy(await readAll(file), file.name), file.name);
  return { ...source, read: inFile(file, dataStart, type, bigEndian) };
}

/** What the header of llm.c's files says of them (github.com/karpathy/llm.c, dev/data/data_common.py). */
const headers: Readonly<Record<number, { readonly version: number; readonly type: RawType }>> = {
  20240520: { version: 1, type: "uint16" },
  20240801: { version: 7, type: "uint32" },
};
const headerBytes = 1024;

/** Types of tokens without a header. */
export type RawType = "uint16" | "uint32";

/**
 * The tokens of a .bin file: nothing but little-endian numbers, as nanoGPT writes them, or llm.c's 256 numbers of header
 * before them.
 *
 * @param asked the type that the user says they have, where it was said
 * @throws DataError when the file's size is another than its header says, or is no whole number of tokens, and when what
 *   is read as uint16 must be uint32
 */
export async function tokensOfBin(file: ByteFile, asked: RawType | undefined): Promise<TokenSource> {
  const start = await readPart(file, 0, Math.min(headerBytes, file.size));
  const words = new Uint32Array(start.buffer, 0, Math.floor(start.length / 4));
  const header = start.length === headerBytes ? headers[words[0]!] : undefined;
  const said = header && words[1] === header.version ? header.type : undefined;
  if (said !== undefined && asked !== undefined && asked !== said) {
    throw new DataError(`${file.name}: its header says ${said} tokens, and not ${asked}.`);
  }
  const type = said ?? asked ?? "uint16";
  const size = elementSize(type);
  const dataStart = said === undefined ? 0 : headerBytes;
  const bytes = file.size - dataStart;
  if (said !== undefined && bytes !== words[2]! * size) {
    throw new DataError(
      `${file.name}: expected ${words[2]! * size} bytes for ${words[2]} ${type} tokens after byte ${dataStart}, ` +
        `have ${bytes}: truncated or damaged.`,
    );
  }
  if (bytes % size !== 0) {
    throw new DataError(`${file.name}: ${bytes} bytes are no whole number of ${type} tokens: truncated or damaged.`);
  }
  if (said === undefined && asked === undefined && looksWide(start)) {
    throw new DataError(
      `${file.name}: as uint16, every other number is below 4: these look like uint32 tokens; ` +
        `write --preprocess tokens=T:uint32, or tokens=T:uint16 if they are not.`,
    );
  }
  return { ...shaped(type, [bytes / size], file.name), read: inFile(file, dataStart, type, false) };
}

/** No text has a token below 4 at every other place; the upper halves of 32 bits have, up to 262 144 tokens. */
function looksWide(start: Uint8Array): boolean {
  const halves = new Uint16Array(start.buffer, 0, Math.floor(start.length / 2));
  const upper = halves.filter((_, place) => place % 2 === 1);
  return upper.length >= 16 && upper.every((half) => half < 4) && halves.some((half) => half >= 4);
}

function shaped(type: ElementType, dims: readonly number[], label: string): Omit<TokenSource, "read"> {
  if (!wholeNumbers.test(type) || dims.length < 1 || dims.length > 2) {
    throw new DataError(
      `${label}: expected tokens, whole numbers in one stream [N] or in rows [n, T+1], have ${type} [${dims.join(", ")}].`,
    );
  }
  const length = dims.at(-1)!;
  return { type, rows: count(dims.slice(0, -1)), length, stream: dims.length === 1 };
}

function inFile(file: ByteFile, dataStart: number, type: ElementType, bigEndian: boolean): TokenSource["read"] {
  const size = elementSize(type);
  return async (start, length) => {
    const from = dataStart + start * size;
    const bytes = await readPart(file, from, from + length * size);
    return new Tensor(type, [length], bigEndian && size > 1 ? swapped(bytes, size) : bytes).data;
  };
}
