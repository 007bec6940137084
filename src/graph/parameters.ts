import { fuse } from "./fusion.ts";
import type { Graph, Node, ValueId } from "./graph.ts";
import { consumers, int, ints, producers } from "./graph.ts";
import { layerName } from "./layer-names.ts";
import type { Dims, ElementType, Tensor } from "./tensor.ts";

/** What a constant is to the node that reads it. */
export type Role =
  | "weight"
  | "bias"
  | "normalization"
  | "embedding"
  /** The gates of an LSTM, GRU or RNN, which ONNX keeps in another order than frameworks do. */
  | "recurrent"
  /** A number, a mask, a position table, a scale: what may have been trained or not. */
  | "constant";

/** A float constant of a model: what a file of weights may hold another value for. */
export interface Parameter {
  /** The constant; or the output of an Identity, which exporters write where two parameters were equal. */
  readonly name: ValueId;
  /** The constant that the Identity reads. */
  readonly mergedInto?: ValueId;
  readonly type: ElementType;
  readonly dims: Dims;
  readonly role: Role;
  /** What the exporter's notes on the nodes say that the framework called it: `blocks.0.fc.weight`. */
  readonly framework: readonly string[];
  /** How a weight applies: z = W φ with W as stored (d×m, or out × in × kernel), or its transpose. Undefined where nobody turns it. */
  readonly layout?: "outputs-first" | "inputs-first";
  /** All elements are 0, or 1: the scale and bias of a normalization that has none, which exporters write out. */
  readonly isNeutral: boolean;
}

/** Whether a layer or a normalization applies it: other constants may be masks and numbers, or stand for what is not there. */
export function isNeeded({ role, isNeutral }: Parameter): boolean {
  return role !== "constant" && !isNeutral;
}

interface Use {
  readonly role: Role;
  readonly framework: readonly string[];
  readonly layout?: Parameter["layout"];
}

/** A constant and what lies between it and the node that reads it. */
interface Root {
  readonly name: ValueId;
  readonly mergedInto?: ValueId;
  readonly tensor: Tensor;
  /** Transposed on the way; undefined when its axes were moved in another manner. */
  readonly turned: boolean | undefined;
}

const transparent = new Set(["Identity", "Cast", "Dropout", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"]);

/** The parameters of a model in the order in which its nodes read them. Numbers that the graph calculates with are among them. */
export function parameters(model: Graph): Parameter[] {
  // Layer normalizations that were taken apart are seen as such.
  const graph = fuse(model);
  const made = producers(graph.nodes);
  const read = consumers(graph.nodes);
  const found = new Map<ValueId, { root: Root; uses: Use[] }>();
  for (const node of graph.nodes) {
    if (node.domain === "" && transparent.has(node.op) && rootOf(graph, made, node.inputs[0])) continue;
    for (const [index, input] of [...node.inputs, ...(node.captures ?? [])].entries()) {
      const root = rootOf(graph, made, input);
      if (!root) continue;
      const entry = found.get(root.name) ?? { root, uses: [] };
      const use = useOf(graph, made, node, index, root);
      const besideBias = use.role === "weight" ? weightOfBias(graph, made, read, node) : [];
      entry.uses.push({ ...use, framework: [...use.framework, ...besideBias] });
      found.set(root.name, entry);
    }
  }
  return [...found.values()].map(({ root, uses }) => parameterOf(root, uses));
}

function parameterOf({ name, mergedInto, tensor }: Root, uses: readonly Use[]): Parameter {
  const role = roles.find((each) => uses.some((use) => use.role === each)) ?? "constant";
  // What a table of embeddings looks up, nobody stores turned.
  const layout = uses.some((use) => use.role === "embedding") ? undefined : uses.find((use) => use.layout)?.layout;
  return {
    name,
    ...(mergedInto !== undefined && { mergedInto }),
    type: tensor.type,
    dims: tensor.dims,
    role,
    framework: [...new Set(uses.flatMap((use) => use.framework))],
    ...(layout && { layout }),
    isNeutral: role === "normalization" && isUniform(tensor),
  };
}

/** The strongest first. */
const roles: readonly Role[] = ["recurrent", "weight", "embedding", "normalization", "bias"];

function rootOf(graph: Graph, made: ReadonlyMap<ValueId, Node>, value: ValueId | undefined): Root | undefined {
  const tensor = graph.constants.get(value ?? "");
  if (tensor) return /float/.test(tensor.type) ? { name: value as ValueId, tensor, turned: false } : undefined;
  const node = made.get(value ?? "");
  if (!node || node.domain !== "" || !transparent.has(node.op)) return undefined;
  const inner = rootOf(graph, made, node.inputs[0]);
  if (!inner || node.op !== "Transpose") {
    const merges = inner && node.op === "Identity" && node.inputs[0] === inner.name;
    return merges ? { ...inner, name: value as ValueId, mergedInto: inner.mergedInto ?? inner.name } : inner;
  }
  const swapped = inner.tensor.dims.length === 2 && (ints(node, "perm") ?? [1, 0]).join() === "1,0";
  return { ...inner, turned: swapped && inner.turned !== undefined ? !inner.turned : undefined };
}

const normalizations: Readonly<Record<string, readonly string[]>> = {
  BatchNormalization: ["weight", "bias", "running_mean", "running_var"],
  InstanceNormalization: ["weight", "bias"],
  LayerNormalization: ["weight", "bias"],
  GroupNormalization: ["weight", "bias"],
};
const products = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"]);

function useOf(graph: Graph, made: ReadonlyMap<ValueId, Node>, node: Node, index: number, root: Root): Use {
  const named = (role: Role, name: string, layout?: Parameter["layout"]): Use => {
    return { role, framework: notedName(node, name), ...(layout && { layout }) };
  };
  const constant: Use = { role: "constant", framework: [] };
  if (node.domain !== "") return constant;
  const turned = (other: boolean) => {
    if (root.turned === undefined || root.tensor.dims.length !== 2) return undefined;
    return root.turned === other ? "outputs-first" : "inputs-first";
  };
  const normalization = normalizations[node.op]?.[index - 1];
  if (normalization !== undefined) return named("normalization", normalization);
  const isMatrix = root.tensor.dims.length > 1;
  switch (node.op) {
    case "Conv":
    case "ConvTranspose":
      if (index === 1) return named("weight", "weight", root.turned === false ? "outputs-first" : undefined);
      return index === 2 ? named("bias", "bias") : constant;
    case "Gemm":
      if (index === 2) return named("bias", "bias");
      return named(
        "weight",
        "weight",
        turned(index === 1 ? int(node, "transB", 0) === 0 : int(node, "transA", 0) !== 0),
      );
    case "MatMul":
      return isMatrix ? named("weight", "weight", turned(index === 1)) : constant;
    case "Einsum":
      return isMatrix ? named("weight", "weight") : constant;
    case "Gather":
      return index === 0 && isMatrix ? named("embedding", "weight") : constant;
    case "PRelu":
      return index === 1 ? named("weight", "weight") : constant;
    case "LSTM":
    case "GRU":
    case "RNN":
      return index >= 1 && index <= 3 ? { role: "recurrent", framework: [] } : constant;
    case "Add": {
      const other = made.get(node.inputs[1 - index] ?? "");
      return other && other.domain === "" && products.has(other.op) && !rootOf(graph, made, other.outputs[0])
        ? { role: "bias", framework: notedName(other, "bias") }
        : root.tensor.size > 1
          ? named("constant", "bias")
          : constant;
    }
    case "Mul":
    case "Div":
      return root.tensor.size > 1 ? named("constant", "weight") : constant;
    default:
      return constant;
  }
}

/** The module that a node comes from, by the exporter's notes, whatever its weight is called; undefined where there are none. */
function moduleOf(node: Node): string | undefined {
  const name = layerName(node, "0", undefined);
  // What is called after its output has no notes.
  return name === node.outputs[0] ? undefined : name;
}

/** What the framework calls a parameter of the module that a node comes from. */
function notedName(node: Node, parameter: string): string[] {
  const module = moduleOf(node);
  return module === undefined ? [] : [`${module}.${parameter}`];
}

/**
 * What the weight is called by the bias that is added to its product: attn.in_proj_weight by attn.in_proj_bias, which may be an
 * Identity's output where it was equal to another.
 */
function weightOfBias(
  graph: Graph,
  made: ReadonlyMap<ValueId, Node>,
  read: ReadonlyMap<ValueId, readonly Node[]>,
  { outputs }: Node,
): string[] {
  const added = read.get(outputs[0] ?? "")?.find(({ op, domain }) => op === "Add" && domain === "");
  return (added?.inputs ?? [])
    .filter((input) => input.endsWith("bias") && rootOf(graph, made, input) !== undefined)
    .map((bias) => bias.replace(/bias$/, "weight"));
}

function isUniform(tensor: Tensor): boolean {
  const values = tensor.numbers();
  return (values[0] === 0 || values[0] === 1) && values.every((value) => value === values[0]);
}
