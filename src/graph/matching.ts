import type { Graph, Node, ValueId } from "./graph.ts";
import { consumers, int, producers } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

/** A reduction over constant axes that it keeps. */
export interface Reduction {
  readonly node: Node;
  readonly x: ValueId;
  /** Ascending. */
  readonly axes: readonly number[];
}

/** What a pattern asks about a graph: who makes a value, who reads it, what is constant. */
export class Matching {
  readonly #graph: Graph;
  readonly #made: ReadonlyMap<ValueId, Node>;
  readonly #read: ReadonlyMap<ValueId, readonly Node[]>;
  readonly #outputs: ReadonlySet<ValueId>;

  constructor(graph: Graph) {
    this.#graph = graph;
    this.#made = producers(graph.nodes);
    this.#read = consumers(graph.nodes);
    this.#outputs = new Set(graph.outputs.map(({ name }) => name));
  }

  isUsed(name: ValueId): boolean {
    return this.#made.has(name) || this.#read.has(name) || this.#graph.constants.has(name) || this.isOutput(name);
  }

  isOutput(value: ValueId): boolean {
    return this.#outputs.has(value);
  }

  /** The node of this operator that makes a value. */
  maker(value: ValueId | undefined, op: string): Node | undefined {
    const node = this.#made.get(value ?? "");
    return node?.op === op && node.domain === "" ? node : undefined;
  }

  /** The one node that reads a value, where it is of this operator and the caller does not read it too. */
  onlyReader(value: ValueId, op: string): Node | undefined {
    const [reader, ...others] = this.#read.get(value) ?? [];
    return reader?.op === op && reader.domain === "" && others.length === 0 && !this.isOutput(value)
      ? reader
      : undefined;
  }

  /** A constant, also behind Identity: exporters store equal ones once. */
  constant(value: ValueId | undefined): Tensor | undefined {
    const tensor = this.#graph.constants.get(value ?? "");
    if (tensor) return tensor;
    const identity = this.maker(value, "Identity");
    return identity && this.constant(identity.inputs[0]);
  }

  /** A constant of one element. */
  number(value: ValueId | undefined): number | undefined {
    const tensor = this.constant(value);
    return tensor?.size === 1 ? tensor.numbers()[0] : undefined;
  }

  reduction(value: ValueId | undefined, op: string): Reduction | undefined {
    const node = this.maker(value, op);
    const axes = this.constant(node?.inputs[1]);
    if (!node || !axes || axes.size === 0 || int(node, "keepdims", 1) !== 1) return undefined;
    return { node, x: node.inputs[0] as ValueId, axes: Array.from(axes.numbers()).toSorted((a, b) => a - b) };
  }

  /** What a node divides and by what, as a Div or as a product with an inverse; and the nodes that do it. */
  quotients(node: Node): (readonly [top: ValueId, bottom: ValueId, nodes: readonly Node[]])[] {
    const [left = "", right = ""] = node.inputs;
    if (node.domain !== "") return [];
    if (node.op === "Div") return [[left, right, [node]]];
    if (node.op !== "Mul") return [];
    const readings = [
      [left, right],
      [right, left],
    ] as const;
    return readings.flatMap(([top, inverse]) => {
      const reciprocal = this.maker(inverse, "Reciprocal");
      if (reciprocal) return [[top, reciprocal.inputs[0] as ValueId, [node, reciprocal]] as const];
      const division = this.maker(inverse, "Div");
      if (!division || this.number(division.inputs[0]) !== 1) return [];
      return [[top, division.inputs[1] as ValueId, [node, division]] as const];
    });
  }

  /** How many axes these are, where they are the last ones of a value; undefined where they are not, or where nobody says. */
  lastAxes(value: ValueId, axes: readonly number[]): number | undefined {
    const info = this.#graph.declared.get(value) ?? this.#graph.inputs.find(({ name }) => name === value);
    const rank = info?.dims?.length ?? Number.NaN;
    const places = new Set(axes.map((axis) => (axis < 0 ? axis : axis - rank)));
    return axes.every((_, index) => places.has(-1 - index)) ? axes.length : undefined;
  }

  /** Whether what these nodes make is read by them alone, but for the last's output. */
  isClosed(nodes: ReadonlySet<Node>, last: Node): boolean {
    return [...nodes].every(
      (node) =>
        node === last ||
        node.outputs.every(
          (output) => !this.isOutput(output) && this.#read.get(output)?.every((reader) => nodes.has(reader)),
        ),
    );
  }
}
