import type { Dims, ElementType, Tensor } from "./tensor.ts";

/** The name of a value: ONNX names the edges of its graph, and so do we. An absent optional input is "". */
export type ValueId = string;

/** An attribute as ONNX types it. A subgraph or an unknown kind is kept as it came. */
export type Attribute =
  | { readonly kind: "int"; readonly value: number }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "tensor"; readonly value: Tensor }
  | { readonly kind: "ints"; readonly value: readonly number[] }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "kept"; readonly value: unknown };

export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly op: string;
  /** "" is the standard operator set. */
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly attributes: Attributes;
  /** Values of the enclosing graph that a subgraph of this node reads. */
  readonly captures?: readonly ValueId[];
  /** The exporter's notes on the node, such as `pkg.torch.onnx.name_scopes`. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The decoded message, so that fields we do not know are written back. */
  readonly source?: unknown;
}

/** A dimension of an input or output as the file declares it: fixed, named, or unknown. */
export type DeclaredDim = number | string | undefined;

export interface ValueInfo {
  readonly name: ValueId;
  readonly type: ElementType | undefined;
  /** Undefined when the file declares no shape at all. */
  readonly dims: readonly DeclaredDim[] | undefined;
}

/** A model as data. Nodes are in topological order; `constants` are initializers and Constant nodes alike. */
export interface Graph {
  readonly name: string;
  readonly opset: number;
  /** Operator-set versions of the other domains. */
  readonly domains: ReadonlyMap<string, number>;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  readonly nodes: readonly Node[];
  readonly constants: ReadonlyMap<ValueId, Tensor>;
  /** Types and shapes that the file declares for inner values. */
  readonly declared: ReadonlyMap<ValueId, ValueInfo>;
  /** The decoded model, so that what we do not understand is written back. */
  readonly source?: unknown;
}

/** Static types and shapes, known at one batch size. */
export interface ValueType {
  readonly type: ElementType;
  readonly dims: Dims;
}

/** Every value that a node needs, those of its subgraphs too. */
export function reads(node: Node): ValueId[] {
  return [...node.inputs, ...(node.captures ?? [])].filter((input) => input !== "");
}

/**
 * The nodes that make some values, in their order, and all values that these and the nodes read.
 *
 * @param cut values that are there, whose nodes are not needed
 */
export function makersOf(
  nodes: readonly Node[],
  values: Iterable<ValueId>,
  cut: ReadonlySet<ValueId> = new Set(),
): { readonly nodes: Node[]; readonly needed: ReadonlySet<ValueId> } {
  const needed = new Set(values);
  const kept = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((output) => needed.has(output) && !cut.has(output))) return false;
    for (const input of reads(node)) needed.add(input);
    return true;
  });
  return { nodes: kept.reverse(), needed };
}

/** The node that makes each value. */
export function producers(nodes: readonly Node[]): Map<ValueId, Node> {
  const made = new Map<ValueId, Node>();
  for (const node of nodes) for (const output of node.outputs) if (output) made.set(output, node);
  return made;
}

/** The nodes that read each value. */
export function consumers(nodes: readonly Node[]): Map<ValueId, Node[]> {
  const read = new Map<ValueId, Node[]>();
  for (const node of nodes) {
    for (const input of new Set(reads(node))) {
      const list = read.get(input);
      if (list) list.push(node);
      else read.set(input, [node]);
    }
  }
  return read;
}

/** What messages call a node: its name, else its operator and what it makes. */
export function describe(node: Node): string {
  return `${node.name || node.outputs[0]} (${node.domain ? `${node.domain}.` : ""}${node.op})`;
}

/** An integer attribute, or the default that the specification gives. */
export function int(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "int" ? attribute.value : fallback;
}

export function float(node: Node, name: string, fallback: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === "float" ? attribute.value : fallback;
}

export function ints(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === "ints" ? attribute.value : undefined;
}

export function string(node: Node, name: string, fallback: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === "string" ? attribute.value : fallback;
}
