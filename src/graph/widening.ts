import { ModelError } from "../errors.ts";
import type { Attributes, Graph, Node, ValueId, ValueInfo } from "./graph.ts";
import { describe, reads } from "./graph.ts";
import { elementTypes } from "./onnx-tensors.ts";
import type { GraphProto } from "./onnx_pb.ts";
import { subgraphs } from "./opset/subgraphs.ts";
import type { ElementType } from "./tensor.ts";
import { Tensor } from "./tensor.ts";

/** Half as long as float32: what a model may be stored or computed in, and what nothing is measured in. */
export type HalfPrecision = "float16" | "bfloat16";

const halves: readonly (ElementType | undefined)[] = ["float16", "bfloat16"];
const FLOAT = elementTypes.indexOf("float32");

/** Attributes that name an element type. */
const typeAttributes = ["to", "dtype", "output_dtype", "output_datatype"];
/** Operators that hand their first input on as it is. */
const movers = new Set(["Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Gather"]);

export interface Widened {
  readonly graph: Graph;
  /** What the model computes in, where its own values are rounded to that; weights that are only stored so are no reason. */
  readonly computes?: HalfPrecision;
}

/**
 * The same model in float32: weights, inputs, outputs and casts of half precision widened. Weights are the same numbers; values that
 * the model rounds to half precision are no longer rounded.
 *
 * @throws ModelError where half precision stands inside the body of an If, a Loop or a Scan
 */
export function widen(graph: Graph): Widened {
  const infos = [...graph.inputs, ...graph.outputs, ...graph.declared.values()];
  const nodes = graph.nodes.map(widenedNode);
  const constants = new Map([...graph.constants].map(([name, tensor]) => [name, widenedTensor(tensor)]));
  const changed =
    infos.some(({ type }) => halves.includes(type)) ||
    nodes.some((node, index) => node !== graph.nodes[index]) ||
    [...constants].some(([name, tensor]) => tensor !== graph.constants.get(name));
  if (!changed) return { graph };
  graph.nodes.forEach(refuseInner);
  const computes = computedIn(graph);
  return {
    graph: {
      ...graph,
      nodes,
      constants,
      inputs: graph.inputs.map(widenedInfo),
      outputs: graph.outputs.map(widenedInfo),
      declared: new Map([...graph.declared].map(([name, info]) => [name, widenedInfo(info)])),
    },
    ...(computes && { computes }),
  };
}

function isHalf(type: ElementType | undefined): type is HalfPrecision {
  return halves.includes(type);
}

function widenedInfo(info: ValueInfo): ValueInfo {
  return isHalf(info.type) ? { ...info, type: "float32" } : info;
}

function widenedTensor(tensor: Tensor): Tensor {
  return isHalf(tensor.type) ? Tensor.widening(tensor) : tensor;
}

function widenedNode(node: Node): Node {
  const changed = Object.entries(node.attributes).flatMap(([name, attribute]): [string, Attributes[string]][] => {
    if (attribute.kind === "tensor" && isHalf(attribute.value.type)) {
      return [[name, { kind: "tensor", value: widenedTensor(attribute.value) }]];
    }
    const named = typeAttributes.includes(name) && attribute.kind === "int" && isHalf(elementTypes[attribute.value]);
    return named ? [[name, { kind: "int", value: FLOAT }]] : [];
  });
  if (changed.length === 0) return node;
  return { ...node, attributes: { ...node.attributes, ...Object.fromEntries(changed) }, source: undefined };
}

/** The precision that something is computed in: not that of constants which are cast before anything is done with them. */
function computedIn(graph: Graph): HalfPrecision | undefined {
  for (const { type } of [...graph.inputs, ...graph.outputs]) if (isHalf(type)) return type;
  const stored = new Map<ValueId, HalfPrecision>();
  for (const [name, { type }] of graph.constants) if (isHalf(type)) stored.set(name, type);
  for (const node of graph.nodes) {
    const to = node.attributes["to"];
    const cast = node.op === "Cast" && to?.kind === "int" ? elementTypes[to.value] : undefined;
    if (isHalf(cast)) return cast;
    const [read] = reads(node).flatMap((value) => stored.get(value) ?? []);
    if (read === undefined || node.op === "Cast") continue;
    if (!movers.has(node.op)) return read;
    for (const output of node.outputs) stored.set(output, read);
  }
  return undefined;
}

function refuseInner(node: Node): void {
  for (const body of subgraphs(node)) {
    const type = innerTypes(body).find(isHalf);
    if (type === undefined) continue;
    throw new ModelError(`${describe(node)}: ${type} in its subgraph cannot be widened: export the model in float32`);
  }
}

/** Element types that a body names. */
function innerTypes(body: GraphProto): (ElementType | undefined)[] {
  const attributes = body.node.flatMap((node) => node.attribute);
  return [
    ...[...body.input, ...body.output, ...body.valueInfo].map((info) => info.type?.tensorType?.elemType),
    ...[...body.initializer, ...attributes.flatMap(({ t }) => t ?? [])].map(({ dataType }) => dataType),
    ...attributes.filter(({ name }) => typeAttributes.includes(name)).map(({ i }) => Number(i)),
  ].map((number) => elementTypes[number ?? 0]);
}
