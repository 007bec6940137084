import { create } from "@bufbuild/protobuf";
import type { Attribute } from "./graph.ts";
import type { ReadExternal } from "./onnx-tensors.ts";
import { decodeTensor, encodeTensor } from "./onnx-tensors.ts";
import type { AttributeProto, GraphProto, NodeProto } from "./onnx_pb.ts";
import { clampedInt64 } from "./tensor.ts";
import { AttributeProto_AttributeType as Type, AttributeProtoSchema } from "./onnx_pb.ts";

const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function decodeAttribute(proto: AttributeProto, file: string, external?: ReadExternal): Attribute {
  switch (proto.type) {
    case Type.INT:
      return { kind: "int", value: Number(proto.i) };
    case Type.FLOAT:
      return { kind: "float", value: proto.f };
    case Type.STRING:
      return { kind: "string", value: decoder.decode(proto.s) };
    case Type.INTS:
      return { kind: "ints", value: proto.ints.map(Number) };
    case Type.FLOATS:
      return { kind: "floats", value: proto.floats };
    case Type.STRINGS:
      return { kind: "strings", value: proto.strings.map((bytes) => decoder.decode(bytes)) };
    case Type.TENSOR:
      if (proto.t) return { kind: "tensor", value: decodeTensor(proto.t, file, external) };
  }
  return { kind: "kept", value: proto };
}

export function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  switch (attribute.kind) {
    case "int":
      return create(AttributeProtoSchema, { name, type: Type.INT, i: clampedInt64(attribute.value) });
    case "float":
      return create(AttributeProtoSchema, { name, type: Type.FLOAT, f: attribute.value });
    case "string":
      return create(AttributeProtoSchema, { name, type: Type.STRING, s: encoder.encode(attribute.value) });
    case "ints":
      return create(AttributeProtoSchema, { name, type: Type.INTS, ints: attribute.value.map(clampedInt64) });
    case "floats":
      return create(AttributeProtoSchema, { name, type: Type.FLOATS, floats: [...attribute.value] });
    case "strings":
      return create(AttributeProtoSchema, {
        name,
        type: Type.STRINGS,
        strings: attribute.value.map((text) => encoder.encode(text)),
      });
    case "tensor":
      return create(AttributeProtoSchema, { name, type: Type.TENSOR, t: encodeTensor("", attribute.value) });
    case "kept":
      return { ...(attribute.value as AttributeProto), name };
  }
}

/** Values of the enclosing graph that the subgraphs of a node read. */
export function capturedBy(node: NodeProto): string[] {
  const captured = new Set<string>();
  for (const attribute of node.attribute) if (attribute.g) collect(attribute.g, captured);
  return [...captured];
}

function collect(graph: GraphProto, captured: Set<string>): void {
  const own = new Set([
    ...graph.input.map((input) => input.name),
    ...graph.initializer.map((tensor) => tensor.name),
    ...graph.node.flatMap((node) => node.output),
  ]);
  for (const node of graph.node) {
    for (const name of [...node.input, ...capturedBy(node)]) {
      if (name !== "" && !own.has(name)) captured.add(name);
    }
  }
  for (const { name } of graph.output) if (!own.has(name)) captured.add(name);
}
