import type { Attribute, Attributes, Graph, Node, ValueId, ValueInfo } from "../graph.ts";
import { consumers, int, producers } from "../graph.ts";
import { elementTypes } from "../onnx-tensors.ts";
import type { ElementType } from "../tensor.ts";
import { Tensor } from "../tensor.ts";
import { subgraphs } from "./subgraphs.ts";

export interface Conversion {
  /** Nodes of graphs below this opset have the old form. */
  readonly before?: number;
  /** Nodes of graphs of this opset and above have the new form. */
  readonly since?: number;
  /** What stands for the node in opset 18: itself when it needs no change. */
  readonly convert: (node: Node, rewriting: Rewriting) => Node | readonly Node[];
}

const floatTypes: readonly (ElementType | undefined)[] = ["float32", "float64", "float16", "bfloat16"];

/** The graph that is being converted: what is known of its values, and what the conversion adds. */
export class Rewriting {
  readonly opset: number;
  /** The graph's constants and those that were attributes. */
  readonly constants: Map<ValueId, Tensor>;
  readonly #infos: Map<ValueId, ValueInfo>;
  readonly #makers: Map<ValueId, Node>;
  readonly #read: Set<ValueId>;
  readonly #names: Set<ValueId>;

  constructor(graph: Graph) {
    this.opset = graph.opset;
    this.constants = new Map(graph.constants);
    this.#infos = new Map(graph.declared);
    for (const info of [...graph.inputs, ...graph.outputs]) this.#infos.set(info.name, info);
    this.#makers = producers(graph.nodes);
    this.#read = new Set([...consumers(graph.nodes).keys(), ...graph.outputs.map(({ name }) => name)]);
    for (const node of graph.nodes) for (const name of node.captures ?? []) this.#read.add(name);
    this.#names = new Set([...this.constants.keys(), ...this.#infos.keys(), ...this.#read]);
    for (const node of graph.nodes) {
      for (const name of [node.name, ...node.outputs]) this.#names.add(name);
      // A body's own names would hide ours from it, and some runtimes refuse a name that is used twice.
      for (const body of subgraphs(node)) {
        for (const { name } of [...body.input, ...body.initializer]) this.#names.add(name);
        for (const name of body.node.flatMap(({ output }) => output)) this.#names.add(name);
      }
    }
  }

  /** Whether a node, a subgraph or the caller reads the value. */
  isRead(value: ValueId): boolean {
    return this.#read.has(value);
  }

  /** The rank of a value, where the file says it or its maker makes no other. */
  rank(value: ValueId | undefined): number | undefined {
    if (!value) return undefined;
    const known = this.constants.get(value)?.dims ?? this.#infos.get(value)?.dims;
    if (known) return known.length;
    const maker = this.#makers.get(value)?.op;
    return maker === "Gemm" || maker === "Flatten" ? 2 : undefined;
  }

  /** The float type of a value: if not declared, that of what it was made from, which weights end. */
  floatType(value: ValueId | undefined): ElementType {
    while (value) {
      const maker: Node | undefined = this.#makers.get(value);
      const type =
        this.constants.get(value)?.type ??
        this.#infos.get(value)?.type ??
        (maker?.op === "Cast" ? elementTypes[int(maker, "to", 1)] : undefined);
      if (type) return floatTypes.includes(type) ? type : "float32";
      value = maker?.inputs[0];
    }
    return "float32";
  }

  /** A new constant that the node will read. */
  constant(node: Node, role: string, tensor: Tensor): ValueId {
    const name = this.#fresh(node, role);
    this.constants.set(name, tensor);
    return name;
  }

  /** A new constant of integers: a list, or a scalar. */
  integers(node: Node, role: string, values: number | readonly number[]): ValueId {
    return this.constant(node, role, Tensor.int64(values));
  }

  /** Several nodes in place of this one. */
  expansion(node: Node): Expansion {
    return new Expansion(node, (role) => this.#fresh(node, role));
  }

  #fresh(node: Node, role: string): ValueId {
    const stem = `${node.name || node.outputs[0]}/${role}`;
    let name = stem;
    for (let index = 1; this.#names.has(name); index++) name = `${stem}_${index}`;
    this.#names.add(name);
    return name;
  }
}

/** The nodes that stand for one, in order. The last has its name and outputs, all have its metadata. */
export class Expansion {
  readonly #node: Node;
  readonly #fresh: (role: string) => ValueId;
  readonly #nodes: Node[] = [];

  constructor(node: Node, fresh: (role: string) => ValueId) {
    this.#node = node;
    this.#fresh = fresh;
  }

  /** Adds a node; returns what it makes. */
  add(op: string, inputs: readonly ValueId[], attributes: Attributes = {}): ValueId {
    const name = this.#fresh(op);
    this.#nodes.push(revise(this.#node, { op, name, inputs, outputs: [name], attributes }));
    return name;
  }

  end(op: string, inputs: readonly ValueId[], attributes: Attributes = {}): Node[] {
    return [...this.#nodes, revise(this.#node, { op, inputs, attributes })];
  }
}

/** The node with other parts, and without the message that it was read from. Absent inputs at the end are cut. */
export function revise(node: Node, parts: Partial<Node>): Node {
  const inputs = [...(parts.inputs ?? node.inputs)];
  while (inputs.at(-1) === "") inputs.pop();
  return { ...node, ...parts, inputs, source: undefined };
}

/** The attributes of a node except some. */
export function without(node: Node, ...names: readonly string[]): Attributes {
  return Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));
}

export function integer(value: number): Attribute {
  return { kind: "int", value };
}

export function text(value: string): Attribute {
  return { kind: "string", value };
}
