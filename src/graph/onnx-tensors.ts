import { create } from "@bufbuild/protobuf";
import { ModelError } from "../errors.ts";
import type { TensorProto } from "./onnx_pb.ts";
import { TensorProto_DataLocation, TensorProtoSchema } from "./onnx_pb.ts";
import type { ElementType, ExternalLocation, StoredBytes, TypedArray } from "./tensor.ts";
import { count, elementSize, Tensor } from "./tensor.ts";

/** Finds bytes that lie in a file beside the model. What is wrong with the file may be told when they are read. */
export type ReadExternal = (location: ExternalLocation) => StoredBytes;

/** ONNX's numbers for element types; a hole is a type that we do not know. */
export const elementTypes: readonly (ElementType | undefined)[] = [
  undefined,
  "float32",
  "uint8",
  "int8",
  "uint16",
  "int16",
  "int32",
  "int64",
  "string",
  "bool",
  "float16",
  "float64",
  "uint32",
  "uint64",
  undefined,
  undefined,
  "bfloat16",
];

/** Messages of the tensors that were read, so that what we do not know of them is written back. */
const sources = new WeakMap<Tensor, TensorProto>();

/**
 * A tensor of the file as bytes: a view of raw data, or one copy of the typed fields.
 *
 * @throws ModelError when the data is not as long as the dimensions say, before anything is allocated.
 */
export function decodeTensor(proto: TensorProto, file: string, external?: ReadExternal): Tensor {
  const type = elementTypes[proto.dataType];
  const label = `${file}: tensor ${proto.name || "of a constant"}`;
  if (!type) throw new ModelError(`${label}: element type ${proto.dataType} is not supported`);
  const dims = proto.dims.map(Number);
  if (dims.some((dim) => !(dim >= 0))) {
    throw new ModelError(`${label}: expected dimensions of at least 0, found ${dims.join("×")}`);
  }
  const tensor = tensorOf(proto, type, dims, label, external);
  sources.set(tensor, proto);
  return tensor;
}

function tensorOf(
  proto: TensorProto,
  type: ElementType,
  dims: number[],
  label: string,
  external: ReadExternal | undefined,
): Tensor {
  if (type === "string") return new Tensor(type, dims, new Uint8Array());
  const expected = count(dims) * elementSize(type);
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) {
    const location = externalLocation(proto, expected, label);
    if (!external) {
      throw new ModelError(`${label}: its data is in ${location.file}, and only the model's own bytes were given`);
    }
    return new Tensor(type, dims, external(location));
  }
  const bytes = proto.rawData.length > 0 ? proto.rawData : typedBytes(proto, type);
  if (bytes.length !== expected) {
    throw new ModelError(
      `${label}: expected ${expected} bytes for ${type} ${dims.join("×") || "scalar"}, have ${bytes.length}`,
    );
  }
  // The typed fields are now bytes, in the message too: do not hold the numbers as well.
  proto.rawData = bytes;
  proto.floatData = proto.int32Data = proto.doubleData = [];
  proto.int64Data = proto.uint64Data = [];
  return new Tensor(type, dims, bytes);
}

/**
 * The tensor as a message of that name. Data of other files is read and becomes part of it, as nobody else finds them.
 *
 * @param elsewhere where the reader of the message finds the data, so that it need not be read here
 */
export function encodeTensor(name: string, tensor: Tensor, elsewhere?: ExternalLocation): TensorProto {
  const source = sources.get(tensor);
  const dataType = elementTypes.indexOf(tensor.type);
  const dims = tensor.dims.map(BigInt);
  if (elsewhere) return create(TensorProtoSchema, { name, dataType, dims, ...referenceTo(elsewhere) });
  if (source && tensor.type === "string") return { ...source, name };
  const here = { externalData: [], dataLocation: TensorProto_DataLocation.DEFAULT };
  if (source) return { ...source, ...(tensor.stored && here), name, rawData: tensor.bytes };
  return create(TensorProtoSchema, { name, dataType, dims, rawData: tensor.bytes });
}

function referenceTo({ file, offset, length }: ExternalLocation) {
  const entries = Object.entries({ location: file, offset: String(offset), length: String(length) });
  return {
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: entries.map(([key, value]) => ({ key, value })),
  };
}

function typedBytes(proto: TensorProto, type: ElementType): Uint8Array {
  const fields: Partial<Record<ElementType, () => TypedArray>> = {
    float32: () => Float32Array.from(proto.floatData),
    float64: () => Float64Array.from(proto.doubleData),
    int64: () => BigInt64Array.from(proto.int64Data),
    uint64: () => BigUint64Array.from(proto.uint64Data),
    uint32: () => Uint32Array.from(proto.uint64Data, Number),
    int32: () => Int32Array.from(proto.int32Data),
    int16: () => Int16Array.from(proto.int32Data),
    uint16: () => Uint16Array.from(proto.int32Data),
    int8: () => Int8Array.from(proto.int32Data),
    uint8: () => Uint8Array.from(proto.int32Data),
    bool: () => Uint8Array.from(proto.int32Data),
    float16: () => Uint16Array.from(proto.int32Data),
    bfloat16: () => Uint16Array.from(proto.int32Data),
  };
  const array = fields[type]?.() ?? new Uint8Array();
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function externalLocation(proto: TensorProto, expected: number, label: string): ExternalLocation {
  const entries = new Map(proto.externalData.map(({ key, value }) => [key, value]));
  const file = entries.get("location");
  const offset = Number(entries.get("offset") ?? 0);
  const length = Number(entries.get("length") ?? expected);
  if (!file) throw new ModelError(`${label}: expected the name of the file that holds its data, found none`);
  if (!Number.isSafeInteger(offset) || offset < 0 || length !== expected) {
    throw new ModelError(
      `${label}: expected ${expected} bytes in ${file}, the model says ${length} from byte ${offset}`,
    );
  }
  return { file, offset, length };
}
