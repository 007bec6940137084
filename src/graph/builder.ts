import { ModelError } from "../errors.ts";
import { fold } from "./fold.ts";
import type { Attribute, Attributes, Graph, Node, ValueId, ValueInfo, ValueType } from "./graph.ts";
import { describe, makersOf } from "./graph.ts";
import { shapeRules } from "./shapes/table.ts";
import type { Dims, ElementType } from "./tensor.ts";
import { count, Tensor } from "./tensor.ts";

/** An attribute in short: integers unless said otherwise. */
export type AttributeValue = number | readonly number[] | string | { readonly float: number } | Attribute;

/** Constants up to this size are shared when equal. */
const LARGEST_SHARED = 1024;

/**
 * A graph that grows, with the static type of every value. What is emitted twice exists once: measures ask for
 * the same features, probabilities and products, and each is built a single time. Constant arithmetic is folded.
 */
export class Builder {
  readonly nodes: Node[] = [];
  readonly inputs: ValueInfo[] = [];
  readonly #types = new Map<ValueId, ValueType>();
  readonly #constants = new Map<ValueId, Tensor>();
  readonly #made = new Map<ValueId, Node>();
  readonly #emitted = new Map<string, readonly ValueId[]>();
  readonly #shared = new Map<string, ValueId>();
  readonly #source: Graph;
  readonly #prefix: string;
  #next = 0;

  /** A new graph, or one with the header (domains, metadata) of another. */
  constructor(source: Graph = emptyGraph) {
    this.#source = source;
    this.#prefix = unusedPrefix(source);
  }

  // Reading.

  /** The static type of a value. @throws ModelError where an operator's shapes are unknown. */
  type(value: ValueId): ValueType {
    const type = this.#types.get(value);
    if (!type) throw new ModelError(`the shape of ${value || "an absent input"} is unknown`);
    return type;
  }

  typeIfKnown(value: ValueId): ValueType | undefined {
    return this.#types.get(value);
  }

  dims(value: ValueId): Dims {
    return this.type(value).dims;
  }

  rank(value: ValueId): number {
    return this.dims(value).length;
  }

  /** The constant that a value is, where it is one. */
  constantOf(value: ValueId): Tensor | undefined {
    return this.#constants.get(value);
  }

  get constants(): ReadonlyMap<ValueId, Tensor> {
    return this.#constants;
  }

  // Growing.

  input(name: ValueId, type: ElementType, dims: Dims): ValueId {
    this.inputs.push({ name, type, dims });
    this.#types.set(name, { type, dims });
    return name;
  }

  /** Names the type of a value whose operator has no shape rule. */
  declare(name: ValueId, type: ValueType): void {
    this.#types.set(name, type);
  }

  constant(tensor: Tensor, name?: ValueId): ValueId {
    if (name === undefined && tensor.size <= LARGEST_SHARED) {
      const key = `${tensor.type}[${tensor.dims.join()}]${tensor.bytes.join()}`;
      const known = this.#shared.get(key);
      if (known !== undefined) return known;
      const made = this.constant(tensor, this.#fresh());
      this.#shared.set(key, made);
      return made;
    }
    const id = name ?? this.#fresh();
    this.#constants.set(id, tensor);
    this.#types.set(id, { type: tensor.type, dims: tensor.dims });
    return id;
  }

  /** A float32 scalar. */
  scalar(value: number): ValueId {
    return this.constant(Tensor.float32([], [value]));
  }

  /** An int64 vector: a shape, axes, pads. */
  integers(values: readonly number[]): ValueId {
    return this.constant(Tensor.int64(values));
  }

  /** Adds a node that exists already, under its own output names. */
  node(node: Node): void {
    const types = this.#infer(node);
    if (types) {
      node.outputs.forEach((output, index) => {
        const type = types[index];
        if (output && type) this.#types.set(output, type);
      });
      const folded = this.#fold(node, types);
      if (folded) {
        this.constant(folded, node.outputs[0] as ValueId);
        return;
      }
    }
    this.nodes.push(node);
    for (const output of node.outputs) this.#made.set(output, node);
  }

  /** The node that was added last with this output. */
  producerOf(value: ValueId): Node | undefined {
    return this.#made.get(value);
  }

  /** Whether a value was emitted here, and is not the model's own. */
  isEmitted(value: ValueId): boolean {
    return value.startsWith(this.#prefix);
  }

  /** Gives an operator of the graph one more output, such as MaxPool's indices, instead of running it again. */
  widen(node: Node): ValueId {
    const known = this.producerOf(node.outputs[0] as ValueId) as Node;
    if (known.outputs[1]) return known.outputs[1];
    const added = this.#fresh();
    const [first = "", , ...others] = known.outputs;
    const wider: Node = { ...known, outputs: [first, added, ...others], source: undefined };
    const type = this.#infer(wider)?.[1];
    if (!type) throw new ModelError(`node ${describe(node)}: has no second output`);
    this.nodes[this.nodes.indexOf(known)] = wider;
    for (const output of wider.outputs) this.#made.set(output, wider);
    this.#types.set(added, type);
    return added;
  }

  /** Emits an operator with one output. */
  add(op: string, inputs: readonly ValueId[], attributes: Readonly<Record<string, AttributeValue>> = {}): ValueId {
    return this.addMany(op, inputs, attributes, 1)[0] as ValueId;
  }

  /** Emits an operator with several outputs. */
  addMany(
    op: string,
    inputs: readonly ValueId[],
    attributes: Readonly<Record<string, AttributeValue>>,
    outputs: number,
  ): readonly ValueId[] {
    const written = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, attributeOf(value)]));
    const key = JSON.stringify([op, inputs, written, outputs], wholly);
    const known = this.#emitted.get(key);
    if (known) return known;
    const names = Array.from({ length: outputs }, () => this.#fresh());
    const node: Node = { op, domain: "", name: names[0] as string, inputs, outputs: names, attributes: written };
    this.node(node);
    if (!this.#types.has(names[0] as string)) throw new ModelError(`node ${describe(node)}: no shape rule`);
    this.#emitted.set(key, names);
    return names;
  }

  /** The graph that makes these outputs and nothing else. Outputs are [name in the result, value]. */
  graph(outputs: ReadonlyMap<string, ValueId>): Graph {
    const nodes: Node[] = [];
    const infos: ValueInfo[] = [];
    for (const [name, value] of outputs) {
      const { type, dims } = this.type(value);
      if (name !== value)
        nodes.push({ op: "Identity", domain: "", name, inputs: [value], outputs: [name], attributes: {} });
      infos.push({ name, type, dims });
    }
    const { nodes: kept, needed } = makersOf(this.nodes, outputs.values());
    return {
      ...this.#source,
      opset: 18,
      inputs: this.inputs.filter((input) => needed.has(input.name)),
      outputs: infos,
      nodes: [...kept, ...nodes],
      constants: new Map([...this.#constants].filter(([name]) => needed.has(name))),
      declared: new Map(),
    };
  }

  #fresh(): ValueId {
    return `${this.#prefix}${this.#next++}`;
  }

  #infer(node: Node): readonly ValueType[] | undefined {
    const rule = node.domain === "" ? shapeRules[node.op] : undefined;
    if (!rule) return undefined;
    const inputs = node.inputs.map((input) => (input === "" ? undefined : this.#types.get(input)));
    if (node.inputs.some((input, index) => input !== "" && !inputs[index])) return undefined;
    return rule({ node, inputs, constant: (index) => this.#constants.get(node.inputs[index] ?? "") });
  }

  #fold(node: Node, types: readonly ValueType[]): Tensor | undefined {
    const output = types[0];
    if (!output || types.length !== 1) return undefined;
    const inputs = node.inputs.map((input) => this.#types.get(input));
    return fold(
      node,
      inputs,
      node.inputs.map((input) => this.#constants.get(input)),
      output,
    );
  }
}

const emptyGraph: Graph = {
  name: "flatness",
  opset: 18,
  domains: new Map(),
  inputs: [],
  outputs: [],
  nodes: [],
  constants: new Map(),
  declared: new Map(),
};

/** The beginning of our names: a model that we once wrote has such names itself. */
function unusedPrefix(graph: Graph): string {
  const names = [
    ...graph.nodes.flatMap((node) => node.outputs),
    ...graph.constants.keys(),
    ...graph.inputs.map((input) => input.name),
  ];
  let prefix = "flatness/";
  while (names.some((name) => name.startsWith(prefix))) prefix = `flatness/${prefix}`;
  return prefix;
}

/** Writes into a key what JSON leaves out: a tensor's elements, and numbers that are not finite. */
function wholly(_: string, value: unknown): unknown {
  if (value instanceof Tensor) return [value.type, value.dims, value.bytes.join()];
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

function attributeOf(value: AttributeValue): Attribute {
  if (typeof value === "number") return { kind: "int", value };
  if (typeof value === "string") return { kind: "string", value };
  if (Array.isArray(value)) return { kind: "ints", value };
  if ("float" in value) return { kind: "float", value: Math.fround(value.float) };
  return value as Attribute;
}

/** Attributes as the graph holds them, from their short form. */
export function attributes(short: Readonly<Record<string, AttributeValue>>): Attributes {
  return Object.fromEntries(Object.entries(short).map(([name, value]) => [name, attributeOf(value)]));
}

/** Number of elements of a value. */
export function sizeOf(builder: Builder, value: ValueId): number {
  return count(builder.dims(value));
}
