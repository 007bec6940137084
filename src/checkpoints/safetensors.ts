import { ModelError } from "../errors.ts";
import { count, type ElementType, elementSize, Tensor } from "../graph/tensor.ts";
import type { ByteRanges } from "./byte-ranges.ts";
import { type CheckpointFormat, flat, type Tensors } from "./checkpoint.ts";

/** Bytes of the header's length, and the longest header that the format allows. */
const prefix = 8;
const longestHeader = 100_000_000;
const mostAxes = 64;

const types: Readonly<Record<string, ElementType>> = {
  BOOL: "bool",
  U8: "uint8",
  I8: "int8",
  U16: "uint16",
  I16: "int16",
  U32: "uint32",
  I32: "int32",
  U64: "uint64",
  I64: "int64",
  F16: "float16",
  BF16: "bfloat16",
  F32: "float32",
  F64: "float64",
};

interface Entry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * A .safetensors file (the format: https://huggingface.co/docs/safetensors): the length of the header as 8 bytes, little
 * endian; the header, JSON with type, shape and place of each tensor; the tensors without gaps between them. Its order is
 * by type and name, and says nothing of the network's.
 */
export const safetensors: CheckpointFormat = {
  description: ".safetensors",
  matches: ({ name }, head) => head[prefix] === 0x7b || name.endsWith(".safetensors"),
  read: readSafetensors,
};

/** @throws ModelError, with the byte's offset, for a header that does not fit its file. Only the header is read here. */
function readSafetensors(file: ByteRanges): Tensors {
  const header = readHeader(file);
  const dataStart = prefix + header.length;
  const entries = Object.entries(header.entries)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => checkedEntry(file, name, entry, file.size - dataStart));
  checkTiling(file, entries, dataStart);
  const tensors = entries.map(({ name, type, shape, begin, end }) => {
    const bytes = () => file.read(dataStart + begin, end - begin);
    return [name, new Tensor(type, shape, bytes)] as const;
  });
  return flat(new Map(tensors), false);
}

function readHeader(file: ByteRanges): { length: number; entries: object } {
  if (file.size < prefix) {
    throw new ModelError(`${file.name}: truncated: expected ${prefix} bytes or more, have ${file.size}.`);
  }
  const head = file.read(0, prefix);
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  if (length > longestHeader) {
    throw new ModelError(`${file.name}: byte 0: a header of ${length} bytes: expected at most ${longestHeader}.`);
  }
  if (prefix + length > file.size) {
    throw new ModelError(
      `${file.name}: truncated: expected a header of ${length} bytes after byte ${prefix}, have ${file.size - prefix}.`,
    );
  }
  let entries: unknown;
  try {
    entries = JSON.parse(utf8.decode(file.read(prefix, length)));
  } catch (cause) {
    const what = `byte ${prefix}: the header is no JSON: ${(cause as Error).message}`;
    throw new ModelError(`${file.name}: ${what}; expected a safetensors file.`, { cause });
  }
  if (typeof entries !== "object" || entries === null || Array.isArray(entries)) {
    throw new ModelError(`${file.name}: byte ${prefix}: expected a JSON object as the header.`);
  }
  return { length, entries };
}

function checkedEntry(file: ByteRanges, name: string, entry: unknown, have: number): Entry {
  const fail = (what: string): never => {
    throw new ModelError(`${file.name}: byte ${prefix}: the header's entry of ${shortened(name)}: ${what}`);
  };
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>;
  const type = typeof dtype === "string" && Object.hasOwn(types, dtype) ? types[dtype] : undefined;
  if (!type) return fail(`type ${shownJson(dtype)}: expected one of ${Object.keys(types).join(", ")}.`);
  if (!isWholeNumbers(shape) || shape.length > mostAxes) return fail("expected a shape of whole numbers.");
  if (!isWholeNumbers(offsets) || offsets.length !== 2) return fail("expected two data_offsets.");
  const [begin, end] = offsets as [number, number];
  const expected = count(shape) * elementSize(type);
  if (end - begin !== expected) {
    return fail(
      `expected ${expected} bytes for ${type} [${shape.join(", ")}], has bytes ${begin} to ${end} of the data.`,
    );
  }
  if (end > have) return fail(`truncated: expected ${end} bytes of data, have ${have}.`);
  return { name, type, shape, begin, end };
}

/** The tensors cover the data, in some order: what is beyond them, or between, is damage or smuggled in. */
function checkTiling(file: ByteRanges, entries: readonly Entry[], dataStart: number): void {
  let at = 0;
  for (const { name, begin, end } of entries.toSorted(
    (left, right) => left.begin - right.begin || left.end - right.end,
  )) {
    if (begin !== at) {
      const where = `byte ${dataStart + begin}: ${shortened(name)} begins at byte ${begin} of the data`;
      throw new ModelError(`${file.name}: ${where}: expected ${at}, where the tensor before it ends.`);
    }
    at = end;
  }
  const have = file.size - dataStart;
  if (at !== have) {
    throw new ModelError(
      `${file.name}: byte ${dataStart + at}: ${have - at} bytes belong to no tensor: expected ${at} bytes of data, have ${have}.`,
    );
  }
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0);
}

function shortened(text: string): string {
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** A value of a header as a message says it. What is made of others is not written out: it may be deep. */
export function shownJson(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "[…]" : "{…}";
  return shortened(String(JSON.stringify(value)));
}

const utf8 = new TextDecoder("utf-8", { fatal: true });
