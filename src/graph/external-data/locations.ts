import { fromBinary } from "@bufbuild/protobuf";
import type { GraphProto, TensorProto } from "../onnx_pb.ts";
import { ModelProtoSchema } from "../onnx_pb.ts";

/**
 * The files beside a model that hold its data, each once, by the names that the model has for them, which may lead anywhere.
 * Bytes that are no model name none: who reads them says what they are.
 */
export function externalFiles(bytes: Uint8Array): string[] {
  let graph: GraphProto | undefined;
  try {
    graph = fromBinary(ModelProtoSchema, bytes).graph;
  } catch {
    return [];
  }
  const locations = tensorsOf(graph).flatMap(({ externalData }) =>
    externalData.filter(({ key }) => key === "location"),
  );
  return [...new Set(locations.map(({ value }) => value))];
}

/** Tensors of a graph, of its nodes' attributes and of the graphs in them. */
function tensorsOf(graph: GraphProto | undefined): TensorProto[] {
  if (!graph) return [];
  const attributes = graph.node.flatMap((node) => node.attribute);
  const inside = attributes.flatMap(({ t, g }) => [...(t ? [t] : []), ...tensorsOf(g)]);
  return [...graph.initializer, ...inside];
}
