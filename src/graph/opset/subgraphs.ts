import type { Attribute, Node } from "../graph.ts";
import { decodeAttribute } from "../onnx-attributes.ts";
import type { ExternalLocation } from "../tensor.ts";
import type { AttributeProto, GraphProto, NodeProto } from "../onnx_pb.ts";

/** The bodies of an If, a Loop or a Scan, and the bodies within them. */
export function subgraphs(node: Node): GraphProto[] {
  const kept = Object.values(node.attributes).filter((attribute) => attribute.kind === "kept");
  return kept.flatMap((attribute) => bodies(attribute.value as AttributeProto));
}

function bodies({ g: body }: AttributeProto): GraphProto[] {
  return body ? [body, ...body.node.flatMap((node) => node.attribute.flatMap(bodies))] : [];
}

/** The nodes of a body, to look at. */
export function innerNodes(body: GraphProto): Node[] {
  return body.node.map((proto) => ({
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: attributes(proto),
  }));
}

function attributes(proto: NodeProto): Record<string, Attribute> {
  // No conversion looks at a large tensor, so that data beside the model need not be read.
  const unread = (location: ExternalLocation) => ({ location, read: () => new Uint8Array(), pieces: () => [] });
  return Object.fromEntries(proto.attribute.map((entry) => [entry.name, decodeAttribute(entry, "model", unread)]));
}
