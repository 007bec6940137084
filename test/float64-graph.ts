import type { Attributes, Graph, Node, ValueInfo } from "../src/graph/graph.ts";
import { Tensor, type ElementType } from "../src/graph/tensor.ts";

const FLOAT = 1;
const DOUBLE = 11;

/** The same graph in float64: inputs, constants, casts. For operators whose float64 kernels the runtime has. */
export function inFloat64(graph: Graph): Graph {
  const widened = (type: ElementType | undefined) => (type === "float32" ? "float64" : type);
  const info = (value: ValueInfo): ValueInfo => ({ ...value, type: widened(value.type) });
  return {
    ...graph,
    inputs: graph.inputs.map(info),
    outputs: graph.outputs.map(info),
    constants: new Map([...graph.constants].map(([name, tensor]) => [name, tensorInFloat64(tensor)])),
    nodes: graph.nodes.map((node): Node => ({ ...node, attributes: attributesInFloat64(node), source: undefined })),
  };
}

function tensorInFloat64(tensor: Tensor): Tensor {
  return tensor.type === "float32" ? Tensor.of("float64", tensor.dims, Float64Array.from(tensor.numbers())) : tensor;
}

function attributesInFloat64({ op, attributes }: Node): Attributes {
  if (op === "Cast" && attributes["to"]?.kind === "int" && attributes["to"].value === FLOAT) {
    return { ...attributes, to: { kind: "int", value: DOUBLE } };
  }
  if (op === "ConstantOfShape") {
    const value = attributes["value"];
    const tensor = value?.kind === "tensor" ? value.value : Tensor.float32([1], [0]);
    return { value: { kind: "tensor", value: tensorInFloat64(tensor) } };
  }
  return attributes;
}
