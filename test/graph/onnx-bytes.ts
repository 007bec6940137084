import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

// ONNX messages written field by field, so that the tests do not rest on the schema that they test.

type Value = number | bigint | string | Uint8Array | { readonly float: number };
export type Field = readonly [number: number, value: Value];

/** A protobuf message: integers are varints, texts and bytes (other messages) have their length before them. */
export function message(...fields: readonly Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, value] of fields) {
    if (typeof value === "number" || typeof value === "bigint") writer.tag(number, WireType.Varint).int64(value);
    else if (typeof value === "string") writer.tag(number, WireType.LengthDelimited).string(value);
    else if (value instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(value);
    else writer.tag(number, WireType.Bit32).float(value.float);
  }
  return writer.finish();
}

/** Numbers side by side, as a packed field has them. */
export function packed(kind: "int64" | "uint64" | "int32" | "float" | "double", ...values: number[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const value of values) writer[kind](value);
  return writer.finish();
}

/** The fields of a message by number: messages, texts and bytes as bytes, integers as bigints. */
export function fieldsOf(bytes: Uint8Array): Map<number, (Uint8Array | bigint)[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, (Uint8Array | bigint)[]>();
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    let value: Uint8Array | bigint = 0n;
    if (wire === WireType.LengthDelimited) value = new Uint8Array(reader.bytes());
    else if (wire === WireType.Varint) value = BigInt(reader.int64());
    else reader.skip(wire);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

/** The fields at the end of a path of field numbers, taking the first of each. */
export function fieldsAt(bytes: Uint8Array, ...path: readonly number[]): (Uint8Array | bigint)[] {
  const [number = 0, ...rest] = path;
  const fields = fieldsOf(bytes).get(number) ?? [];
  return rest.length === 0 ? fields : fieldsAt(fields[0] as Uint8Array, ...rest);
}

export function textOf(value: Uint8Array | bigint | undefined): string {
  return new TextDecoder().decode(value as Uint8Array);
}

/** A ValueInfoProto of a float32 tensor. */
export function valueInfo(name: string, dims: readonly (number | string)[], ...more: Field[]): Uint8Array {
  const shape = message(
    ...dims.map((dim): Field => [1, typeof dim === "number" ? message([1, dim]) : message([2, dim])]),
  );
  return message([1, name], [2, message([1, message([1, 1], [2, shape])])], ...more);
}

/** A TensorProto: dims, element type, name, and the fields that hold its data. */
export function tensorProto(name: string, type: number, dims: readonly number[], ...data: Field[]): Uint8Array {
  return message([1, packed("int64", ...dims)], [2, type], [8, name], ...data);
}

export function nodeProto(op: string, inputs: readonly string[], outputs: readonly string[], ...more: Field[]) {
  return message(
    ...inputs.map((name): Field => [1, name]),
    ...outputs.map((name): Field => [2, name]),
    [4, op],
    ...more,
  );
}

/** A ModelProto of opset 18 with these fields of its graph. */
export function modelProto(graph: readonly Field[], ...more: Field[]): Uint8Array {
  return message([1, 8], [7, message([2, "test"], ...graph)], [8, message([2, 18])], ...more);
}

/** y = x + c, c read from this tensor. */
export function addingModel(tensor: Uint8Array, ...more: Field[]): Uint8Array {
  return modelProto([
    [1, nodeProto("Add", ["x", "c"], ["y"])],
    [5, tensor],
    [11, valueInfo("x", [2])],
    [12, valueInfo("y", [2])],
    ...more,
  ]);
}
