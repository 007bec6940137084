import { attributes, type AttributeValue } from "../graph/builder.ts";
import { consumers, producers, reads, type Graph, type Node, type ValueId } from "../graph/graph.ts";
import { Tensor, type Dims } from "../graph/tensor.ts";
import { type Apart, interleaved } from "./blocked-phases.ts";
import { replayed } from "./replay.ts";

/** ONNX Runtime's operators on images whose channels stand in blocks, [N, C/B, H, W, B], as wide as the processor's vectors. */
export const DOMAIN = "com.microsoft.nchwc";

/** A convolution in blocks, perhaps added to another image, perhaps cut at zero: one pass of the runtime. */
export interface Convolution {
  readonly image: ValueId;
  readonly kernels: ValueId;
  readonly bias?: ValueId;
  readonly given: Given;
  readonly upon?: ValueId;
  readonly activation?: "Relu";
}

export type Given = Readonly<Record<string, AttributeValue>>;

/** A graph that grows beside the one it stands for: which of its values are there in blocks, which as they were, and each of them when it is needed. */
export class Blocks {
  /** B. */
  readonly block: number;
  /** Maps less the mean of their channel, in blocks, by that mean. */
  readonly centred = new Map<ValueId, ValueId>();
  readonly #graph: Graph;
  readonly #types;
  readonly #readers: ReadonlyMap<ValueId, readonly Node[]>;
  readonly #makers: ReadonlyMap<ValueId, Node>;
  readonly #outputs: ReadonlySet<ValueId>;
  readonly #nodes: Node[] = [];
  readonly #constants: Map<ValueId, Tensor>;
  /** Values whose blocks were computed, and what those are to be made of that nobody asked for. */
  readonly #blocked = new Map<ValueId, ValueId>();
  readonly #pending = new Map<ValueId, Convolution | Apart>();
  /** Blocks of values that are there as they were. */
  readonly #copies = new Map<ValueId, ValueId>();
  readonly #restored = new Set<ValueId>();
  readonly #left = new Map<ValueId, Node>();
  /** What no name of the graph begins with. */
  #prefix = "blocks/";

  constructor(graph: Graph, block: number) {
    this.block = block;
    this.#graph = graph;
    this.#types = replayed(graph);
    this.#readers = consumers(graph.nodes);
    this.#makers = producers(graph.nodes);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
    this.#constants = new Map(graph.constants);
    const given = graph.inputs.map(({ name }) => name);
    const taken = [...given, ...graph.nodes.flatMap(({ outputs }) => outputs), ...graph.constants.keys()];
    while (taken.some((name) => name.startsWith(this.#prefix))) this.#prefix = `_${this.#prefix}`;
  }

  dims(value: ValueId): Dims {
    return this.#types.dims(value);
  }

  constantOf(value: ValueId): Tensor | undefined {
    return this.#graph.constants.get(value);
  }

  /** Whether a value is float32 maps [N, C, H, W] whose channels fill whole blocks. */
  fits(value: ValueId): boolean {
    const known = this.#types.typeIfKnown(value);
    return known?.type === "float32" && known.dims.length === 4 && (known.dims[1] as number) % this.block === 0;
  }

  /** Whether a value was computed in blocks: what reads it had better go on there. */
  has(value: ValueId): boolean {
    return this.#blocked.has(value) || this.#pending.has(value);
  }

  readers(value: ValueId): readonly Node[] {
    return this.#readers.get(value) ?? [];
  }

  /** The node that alone reads a value. */
  onlyReader(value: ValueId): Node | undefined {
    const [reader, ...others] = this.readers(value);
    return others.length === 0 && !this.#outputs.has(value) ? reader : undefined;
  }

  maker(value: ValueId): Node | undefined {
    return this.#makers.get(value);
  }

  /** A new node of one output, a value of the graph or a new one. */
  emit(name: ValueId, op: string, inputs: readonly ValueId[], given: Given = {}, domain = ""): ValueId {
    const output = this.#types.typeIfKnown(name) ? name : `${this.#prefix}${name}`;
    this.#nodes.push({ op, domain, name: output, inputs, outputs: [output], attributes: attributes(given) });
    return output;
  }

  /** A new constant. */
  constant(name: ValueId, tensor: Tensor): ValueId {
    this.#constants.set(`${this.#prefix}${name}`, tensor);
    return `${this.#prefix}${name}`;
  }

  reshape(name: ValueId, value: ValueId, dims: Dims): ValueId {
    return this.emit(name, "Reshape", [value, this.constant(`${name} dims`, Tensor.int64(dims))]);
  }

  /** A node as it was, of values as they were. */
  keep(node: Node): void {
    for (const value of reads(node)) this.restore(value);
    this.#nodes.push(node);
  }

  /** Says where the blocks of a value are, or what they are made of when they are asked for: more may join it. The value is nowhere else. */
  put(value: ValueId, blocks: ValueId | Convolution | Apart): void {
    if (typeof blocks === "string") this.#blocked.set(value, blocks);
    else this.#pending.set(value, blocks);
  }

  /** What a value is to be made of, if nothing but `reader` reads it. */
  pending(value: ValueId, reader: Node): Convolution | Apart | undefined {
    return this.onlyReader(value) === reader && !this.#blocked.has(value) ? this.#pending.get(value) : undefined;
  }

  /** Leaves a node to the one that alone reads its output, and takes care of both. */
  leave(node: Node): void {
    this.#left.set(node.outputs[0] as ValueId, node);
  }

  left(value: ValueId): Node | undefined {
    return this.#left.get(value);
  }

  /** A value in blocks. */
  of(value: ValueId): ValueId {
    const known = this.#blocked.get(value) ?? this.#copies.get(value);
    if (known !== undefined) return known;
    const pending = this.#pending.get(value);
    const name = `${value}/blocks`;
    if (!pending) {
      const copy = this.emit(name, "ReorderInput", [value], {}, DOMAIN);
      this.#copies.set(value, copy);
      return copy;
    }
    const made =
      "phases" in pending ? interleaved(this, name, pending, this.dims(value)) : this.convolution(name, pending);
    this.#blocked.set(value, made);
    return made;
  }

  convolution(name: ValueId, { image, kernels, bias, given, upon, activation }: Convolution): ValueId {
    const inputs = upon === undefined ? [image, kernels, bias ?? ""] : [image, kernels, bias ?? "", upon];
    return this.emit(name, "Conv", inputs, { ...given, ...(activation && { activation }) }, DOMAIN);
  }

  /** Makes a value there as it was, under its own name. */
  restore(value: ValueId): void {
    if (!this.has(value) || this.#restored.has(value)) return;
    this.#restored.add(value);
    this.emit(value, "ReorderOutput", [this.of(value)], { channels: this.dims(value)[1] as number }, DOMAIN);
  }

  /** The whole graph, with the outputs that it had. */
  done(): Graph {
    for (const name of this.#outputs) this.restore(name);
    const domains = new Map([...this.#graph.domains, [DOMAIN, 1]]);
    return { ...this.#graph, nodes: this.#nodes, constants: this.#constants, domains };
  }
}
