import { type DescMessage, fromBinary } from "@bufbuild/protobuf";
import { ModelError } from "../errors.ts";

/**
 * Walks the outermost fields of a protobuf message without decoding them, so that a file that was cut short
 * is told apart from one that never was a model.
 *
 * @throws ModelError naming the byte offset.
 */
export function checkFraming(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) throw new ModelError(`${file}: not an ONNX model: the file is empty`);
  let offset = 0;
  while (offset < bytes.length) {
    const start = offset;
    const tag = varint(bytes, offset);
    if (!tag || tag.value < 8) throw notOnnx(file, start);
    const end = fieldEnd(bytes, tag.end, tag.value % 8);
    if (end === undefined) throw notOnnx(file, start);
    offset = end;
    if (offset > bytes.length) {
      throw new ModelError(
        `${file}: truncated or not an ONNX model: the field at byte ${start} needs ${offset} bytes, have ${bytes.length}`,
      );
    }
  }
}

/** Messages in each other that a decoder takes: Google's and ours. */
const MOST_LEVELS = 100;

/**
 * The byte at which the innermost field begins that keeps a message from being decoded: each field is decoded on its own,
 * and within the first that cannot be, its fields; the message's own first byte when each can be. Costs as much as decoding once for every level; for errors only.
 *
 * @param start where in the file `bytes` begin
 * @param levels messages that may still be in this one
 */
export function damagedField(schema: DescMessage, bytes: Uint8Array, start = 0, levels = MOST_LEVELS): number {
  let offset = 0;
  while (offset < bytes.length) {
    const tag = varint(bytes, offset);
    const end = tag && fieldEnd(bytes, tag.end, tag.value % 8);
    if (!tag || end === undefined || end > bytes.length) break;
    if (!decodes(schema, bytes.subarray(offset, end))) {
      const { message } = schema.fields.find(({ number }) => number === Math.floor(tag.value / 8)) ?? {};
      const content = varint(bytes, tag.end);
      if (!message || tag.value % 8 !== 2 || !content || levels === 0) break;
      return damagedField(message, bytes.subarray(content.end, end), start + content.end, levels - 1);
    }
    offset = end;
  }
  return start + (offset < bytes.length ? offset : 0);
}

function decodes(schema: DescMessage, bytes: Uint8Array): boolean {
  try {
    fromBinary(schema, bytes);
    return true;
  } catch {
    return false;
  }
}

/** Where a field ends whose tag ends at `offset`; undefined when it is none. */
function fieldEnd(bytes: Uint8Array, offset: number, wire: number): number | undefined {
  if (wire === 0) return varint(bytes, offset)?.end;
  if (wire === 1) return offset + 8;
  if (wire === 5) return offset + 4;
  if (wire !== 2) return undefined;
  const length = varint(bytes, offset);
  return length && length.end + length.value;
}

function notOnnx(file: string, offset: number): ModelError {
  return new ModelError(`${file}: not an ONNX model: no protobuf field at byte ${offset}`);
}

/** A number of variable length. It ends behind the last byte when the bytes end within it. */
function varint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return { value, end: bytes.length + 1 };
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, end: start + index + 1 };
  }
  return undefined;
}
