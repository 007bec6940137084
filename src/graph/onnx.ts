import { clone, create, fromBinary } from "@bufbuild/protobuf";
import { ModelError } from "../errors.ts";
import type { Attribute, Graph, Node, ValueId, ValueInfo } from "./graph.ts";
import { describe, reads } from "./graph.ts";
import { decodeAttribute, encodeAttribute, capturedBy } from "./onnx-attributes.ts";
import type { ReadExternal } from "./onnx-tensors.ts";
import { decodeTensor, elementTypes, encodeTensor } from "./onnx-tensors.ts";
import type { GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "./onnx_pb.ts";
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  ValueInfoProtoSchema,
} from "./onnx_pb.ts";
import { modelBytes } from "./protobuf-assembly.ts";
import { checkFraming, damagedField } from "./protobuf-framing.ts";
import type { ExternalLocation } from "./tensor.ts";
import { Tensor } from "./tensor.ts";

/** The version of the file format that we write: the first one of opset 18. */
const IR_VERSION = 8;

export interface DecodeOptions {
  /** What messages call the file. */
  readonly file?: string;
  /** Fetches bytes that lie outside the model file; without it such a model is an error. */
  readonly external?: ReadExternal;
}

/**
 * Reads an ONNX model. Initializers stay views of `bytes`; Constant nodes become constants like them.
 *
 * @throws ModelError when the bytes are no ONNX model, are cut short, or use a value that nothing makes.
 */
export function decodeModel(bytes: Uint8Array, options: DecodeOptions = {}): Graph {
  const file = options.file ?? "model";
  checkFraming(bytes, file);
  let model: ModelProto;
  try {
    model = fromBinary(ModelProtoSchema, bytes);
  } catch (cause) {
    const place = damagedField(ModelProtoSchema, bytes);
    throw new ModelError(`${file}: not an ONNX model: the field at byte ${place}: ${(cause as Error).message}`, {
      cause,
    });
  }
  const graph = model.graph;
  if (!graph || (graph.node.length === 0 && graph.output.length === 0)) {
    throw new ModelError(`${file}: not an ONNX model: expected a graph with nodes, found none`);
  }
  const versions = new Map(model.opsetImport.map((set) => [set.domain || "", Number(set.version)]));
  const opset = versions.get("") ?? versions.get("ai.onnx");
  if (opset === undefined) {
    throw new ModelError(`${file}: expected an operator-set version of ai.onnx, found none`);
  }
  versions.delete("");
  versions.delete("ai.onnx");

  const constants = new Map<string, Tensor>();
  for (const tensor of graph.initializer) {
    constants.set(tensor.name, decodeTensor(tensor, file, options.external));
  }
  const nodes: Node[] = [];
  for (const proto of graph.node) {
    const node = decodeNode(proto, file, options.external);
    const constant = constantOf(node);
    const [output] = node.outputs;
    if (constant && output) constants.set(output, constant);
    else nodes.push(node);
  }
  const inputs = graph.input.map(decodeValueInfo).filter((input) => !constants.has(input.name));
  const result: Graph = {
    name: graph.name,
    opset,
    domains: versions,
    inputs,
    outputs: graph.output.map(decodeValueInfo),
    nodes,
    constants,
    declared: new Map(graph.valueInfo.map((info) => [info.name, decodeValueInfo(info)])),
    source: header(model, graph),
  };
  checkOrder(result, file);
  return result;
}

/**
 * Writes a graph as ONNX bytes, with everything of the file that it was read from and that still applies.
 *
 * @param elsewhere the place of a constant's data in another file, where it is to be referred to and not written
 */
export function encodeModel(
  graph: Graph,
  elsewhere: (tensor: Tensor) => ExternalLocation | undefined = () => undefined,
): Uint8Array {
  const source = graph.source as ModelProto | undefined;
  const model = source ? clone(ModelProtoSchema, source) : create(ModelProtoSchema);
  if (!source) model.producerName = "flatness";
  const irVersion = model.irVersion > IR_VERSION ? model.irVersion : BigInt(IR_VERSION);
  model.irVersion = irVersion;
  const kept = model.opsetImport.filter((set) => set.domain && set.domain !== "ai.onnx");
  const standard = { $typeName: "onnx.OperatorSetIdProto" as const, domain: "", version: BigInt(graph.opset) };
  const known = new Set(kept.map((set) => set.domain));
  const added = [...graph.domains]
    .filter(([domain]) => !known.has(domain))
    .map(([domain, version]) => ({ ...standard, domain, version: BigInt(version) }));
  model.opsetImport = [standard, ...kept, ...added];
  model.graph = graphMessage(graph, model.graph ?? create(GraphProtoSchema), elsewhere);
  return modelBytes(model);
}

/** A graph as an attribute: the body of a Loop, a branch of an If. What it reads and does not make is the enclosing graph's. */
export function subgraph(graph: Graph): Attribute {
  const g = graphMessage(graph, create(GraphProtoSchema), () => undefined);
  return { kind: "kept", value: create(AttributeProtoSchema, { type: AttributeProto_AttributeType.GRAPH, g }) };
}

function graphMessage(
  graph: Graph,
  body: GraphProto,
  elsewhere: (tensor: Tensor) => ExternalLocation | undefined,
): GraphProto {
  body.name = graph.name || "graph";
  body.input = graph.inputs.map(encodeValueInfo);
  body.output = graph.outputs.map(encodeValueInfo);
  body.valueInfo = [...graph.declared.values()].map(encodeValueInfo);
  body.node = graph.nodes.map(encodeNode);
  body.initializer = [...graph.constants].map(([name, tensor]): TensorProto =>
    encodeTensor(name, tensor, elsewhere(tensor)),
  );
  return body;
}

/** The message without what the Graph holds itself. */
function header(model: ModelProto, graph: GraphProto): ModelProto {
  const body: GraphProto = { ...graph, node: [], initializer: [], input: [], output: [], valueInfo: [] };
  return { ...model, graph: body };
}

function decodeNode(proto: NodeProto, file: string, external: ReadExternal | undefined): Node {
  const attributes: Record<string, Attribute> = {};
  for (const attribute of proto.attribute) {
    attributes[attribute.name] = decodeAttribute(attribute, file, external);
  }
  const captures = capturedBy(proto);
  const metadata = Object.fromEntries(proto.metadataProps.map(({ key, value }) => [key, value]));
  return {
    op: proto.opType,
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    name: proto.name,
    inputs: proto.input,
    outputs: proto.output,
    attributes,
    ...(captures.length > 0 && { captures }),
    ...(proto.metadataProps.length > 0 && { metadata }),
    source: proto,
  };
}

function encodeNode(node: Node): NodeProto {
  if (node.source) return node.source as NodeProto;
  return create(NodeProtoSchema, {
    opType: node.op,
    domain: node.domain,
    name: node.name,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, value]) => encodeAttribute(name, value)),
    metadataProps: Object.entries(node.metadata ?? {}).map(([key, value]) => ({ key, value })),
  });
}

/** The node with other inputs and outputs, and all else of it as it was read. */
export function rewired(node: Node, inputs: readonly ValueId[], outputs: readonly ValueId[]): Node {
  const source = node.source && { ...(node.source as NodeProto), input: [...inputs], output: [...outputs] };
  return { ...node, inputs, outputs, source };
}

/** Messages of the values that were read: types that we do not know are written back. */
const infos = new WeakMap<ValueInfo, ValueInfoProto>();

function decodeValueInfo(info: ValueInfoProto): ValueInfo {
  const tensor = info.type?.tensorType;
  const dims = tensor?.shape?.dim.map(({ value }) => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" && value.value !== "" ? value.value : undefined;
  });
  const decoded: ValueInfo = { name: info.name, type: tensor && elementTypes[tensor.elemType], dims };
  infos.set(decoded, info);
  return decoded;
}

function encodeValueInfo(info: ValueInfo): ValueInfoProto {
  const source = infos.get(info);
  if (source) return source;
  const elemType = info.type === undefined ? undefined : elementTypes.indexOf(info.type);
  if (elemType === undefined) return create(ValueInfoProtoSchema, { name: info.name });
  const dim = info.dims?.map((value) => {
    if (typeof value === "number") return { value: { case: "dimValue" as const, value: BigInt(value) } };
    return value === undefined ? {} : { value: { case: "dimParam" as const, value } };
  });
  const tensorType = { elemType, ...(dim && { shape: { dim } }) };
  return create(ValueInfoProtoSchema, { name: info.name, type: { tensorType } });
}

/** The value of a Constant node, in whichever attribute it stands. */
function constantOf(node: Node): Tensor | undefined {
  if (node.op !== "Constant" || node.domain !== "") return undefined;
  return constantTensor(node.attributes);
}

function constantTensor(attributes: Node["attributes"]): Tensor | undefined {
  const { value, value_float, value_floats, value_int, value_ints } = attributes;
  if (value?.kind === "tensor") return value.value;
  if (value_float?.kind === "float") return Tensor.float32([], [value_float.value]);
  if (value_floats?.kind === "floats") {
    return Tensor.float32([value_floats.value.length], value_floats.value);
  }
  if (value_int?.kind === "int") return Tensor.int64(value_int.value);
  if (value_ints?.kind === "ints") return Tensor.int64(value_ints.value);
  return undefined;
}

function checkOrder(graph: Graph, file: string): void {
  const made = new Set([...graph.inputs.map((input) => input.name), ...graph.constants.keys()]);
  for (const node of graph.nodes) {
    for (const input of reads(node)) {
      if (!made.has(input)) {
        throw new ModelError(`${file}: node ${describe(node)} reads ${input}, which nothing before it makes`);
      }
    }
    for (const output of node.outputs) made.add(output);
  }
  for (const { name } of graph.outputs) {
    if (!made.has(name)) throw new ModelError(`${file}: output ${name} is made by no node`);
  }
}
