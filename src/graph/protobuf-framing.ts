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
    if (!tag) throw notOnnx(file, start);
    offset = tag.end;
    const wire = tag.value % 8;
    if (tag.value < 8) throw notOnnx(file, start);
    if (wire === 0) {
      const value = varint(bytes, offset);
      if (!value) throw notOnnx(file, start);
      offset = value.end;
    } else if (wire === 1) offset += 8;
    else if (wire === 5) offset += 4;
    else if (wire === 2) {
      const length = varint(bytes, offset);
      if (!length) throw notOnnx(file, start);
      offset = length.end + length.value;
    } else throw notOnnx(file, start);
    if (offset > bytes.length) {
      throw new ModelError(
        `${file}: truncated or not an ONNX model: the field at byte ${start} needs ${offset} bytes, have ${bytes.length}`,
      );
    }
  }
}

function notOnnx(file: string, offset: number): ModelError {
  return new ModelError(`${file}: not an ONNX model: no protobuf field at byte ${offset}`);
}

function varint(bytes: Uint8Array, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let index = 0; index < 10; index++) {
    const byte = bytes[start + index];
    if (byte === undefined) return undefined;
    value += (byte & 127) * 2 ** (7 * index);
    if (byte < 128) return { value, end: start + index + 1 };
  }
  return undefined;
}
