import { ModelError } from "../errors.ts";
import type { ElementType, Tensor } from "../graph/tensor.ts";

const names: Partial<Record<ElementType, string>> = {
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
  uint16: "U16",
  int16: "I16",
  uint32: "U32",
  int32: "I32",
  uint64: "U64",
  int64: "I64",
  float16: "F16",
  bfloat16: "BF16",
  float32: "F32",
  float64: "F64",
};
/** The header is padded to a multiple of so many bytes, so that the tensors behind it are aligned. */
const ALIGNMENT = 8;

/** Tensors as a .safetensors file: the header's length, the header, the tensors in the order of the map. */
export function safetensorsBytes(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  let offset = 0;
  const header: Record<string, object> = {};
  for (const [name, tensor] of tensors) {
    const type = names[tensor.type];
    if (type === undefined) throw new ModelError(`tensor ${name}: ${tensor.type} cannot be written as safetensors`);
    const end = offset + tensor.bytes.length;
    header[name] = { dtype: type, shape: tensor.dims, data_offsets: [offset, end] };
    offset = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(8 + length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.fill(0x20, 8, 8 + length);
  bytes.set(text, 8);
  let at = 8 + length;
  for (const { bytes: data } of tensors.values()) {
    bytes.set(data, at);
    at += data.length;
  }
  return bytes;
}
