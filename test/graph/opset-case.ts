import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import type { Attribute, Graph, Node, ValueInfo } from "../../src/graph/graph.ts";
import { encodeModel } from "../../src/graph/onnx.ts";
import { count, Tensor, type ElementType } from "../../src/graph/tensor.ts";
import { waves } from "./running.ts";

type Plain = number | string | readonly number[] | { readonly floats: readonly number[] };

/** One operator as it was written in an older or newer operator set. */
export interface Case {
  readonly op: string;
  readonly opset: number;
  readonly attributes?: Readonly<Record<string, Plain>>;
  /** Of the input x, which comes first. */
  readonly dims: readonly number[];
  /** The inputs after x; undefined is an absent one. */
  readonly others?: readonly (Tensor | undefined)[];
  readonly outputs?: number;
  /** The operators after conversion; absent when the node must stay the same object. */
  readonly to?: readonly string[];
  /** Whether x comes to the operator from a value whose shape and type nothing declares. */
  readonly undeclared?: true;
  readonly tolerance?: number;
}

export const floats = (...values: number[]) => Tensor.float32([values.length], values);
export const grid = (...dims: number[]) => Tensor.float32(dims, waves(count(dims), 1.7));
export const positive = (...dims: number[]) => Tensor.float32(dims, waves(count(dims), 2.3).map(Math.abs));

/** Scale, bias, mean and variance of three channels. */
export const statistics = [grid(3), grid(3), grid(3), positive(3)];

/** Dimensions of an image. */
export const squares = [1, 2, 4, 4];

export function graphOf({ op, opset, attributes = {}, dims, others = [], outputs = 1, undeclared }: Case): Graph {
  const first = undeclared ? "inner" : "x";
  const names = others.map((tensor, index) => (tensor ? `c${index}` : ""));
  const made = Array.from({ length: outputs }, (_, index) => `y${index}`);
  const plain = { domain: "", attributes: {} };
  const node: Node = {
    ...plain,
    op,
    name: "n",
    inputs: [first, ...names],
    outputs: made,
    attributes: Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attribute(name, value)])),
  };
  const negative: Node = { ...plain, op: "Neg", name: "before", inputs: ["x"], outputs: ["inner"] };
  return {
    name: "case",
    opset,
    domains: new Map(),
    inputs: [info("x", "float32", undeclared ? undefined : dims)],
    outputs: made.map((name) => info(name, undefined, undefined)),
    nodes: undeclared ? [negative, node] : [node],
    constants: new Map(others.flatMap((tensor, index) => (tensor ? [[`c${index}`, tensor] as const] : []))),
    declared: new Map(),
  };
}

export function info(name: string, type: ElementType | undefined, dims: ValueInfo["dims"]): ValueInfo {
  return { name, type, dims };
}

export function float(value: number): Attribute {
  return { kind: "float", value };
}

function attribute(name: string, value: Plain): Attribute {
  if (typeof value === "string") return { kind: "string", value };
  if (typeof value === "object" && "floats" in value) return { kind: "floats", value: value.floats };
  if (typeof value === "object") return { kind: "ints", value };
  return ["min", "max", "value", "ratio", "epsilon"].includes(name) ? float(value) : { kind: "int", value };
}

export function label({ op, opset, attributes = {}, dims, others, undeclared }: Case): string {
  const parts = Object.entries(attributes).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const inputs = others ? ` and ${others.filter(Boolean).length} inputs` : "";
  return `${op} ${opset} ${parts.join(" ")} of ${dims.join("×")}${inputs}${undeclared ? ", undeclared" : ""}`;
}

/** The values of the graph as it is written, without the optimizations that might hide a difference. */
export async function run(graph: Graph, feed: Float32Array, dims: readonly number[]): Promise<OrtTensor[]> {
  const options = { graphOptimizationLevel: "disabled", logSeverityLevel: 4 } as const;
  const session = await InferenceSession.create(encodeModel(graph), options);
  try {
    const results = await session.run({ x: new OrtTensor("float32", feed, dims) });
    return graph.outputs.map(({ name }) => results[name] as OrtTensor);
  } finally {
    await session.release();
  }
}

export function difference(a: OrtTensor | undefined, b: OrtTensor | undefined): number {
  const [left, right] = [a?.data, b?.data] as ArrayLike<number | bigint>[];
  const gaps = Array.from(right ?? [], (value, index) => Math.abs(Number(left?.[index]) - Number(value)));
  return gaps.reduce((most, gap) => Math.max(most, gap), Number(left?.length !== right?.length));
}
