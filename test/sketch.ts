import { mersenne } from "pure-rand/generator/mersenne";
import { attributes, type AttributeValue } from "../src/graph/builder.ts";
import type { Graph, Node, ValueId } from "../src/graph/graph.ts";
import { Tensor } from "../src/graph/tensor.ts";
import { product, type Array64 } from "./float64-array.ts";

/** Numbers of a standard normal distribution, the same for the same seed, rounded to float32. */
export function normals(seed: number): () => number {
  const generator = mersenne(seed);
  const uniform = () => ((generator.next() >>> 0) + 0.5) / 2 ** 32;
  return () => Math.fround(Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
}

/** A weight matrix of a sketch, as the definition of relative flatness sees it. */
export interface SketchedLayer {
  readonly name: string;
  readonly weight: ValueId;
  readonly d: number;
  readonly m: number;
  readonly groups: number;
  /** Where row s, column j of W stands in the initializer. */
  place(row: number, column: number): number;
}

export interface Sketched {
  readonly graph: Graph;
  readonly layers: readonly SketchedLayer[];
  /** Samples, the batch first. */
  readonly x: Array64;
}

/**
 * A network written down operator by operator, with random weights. Shapes are the reader's business.
 *
 * Weights have standard deviation √(2 / fan-in), so that signals keep their size.
 */
export class Sketch {
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<ValueId, Tensor>();
  readonly #layers: SketchedLayer[] = [];
  readonly #normal: () => number;
  readonly #dims: readonly number[];

  constructor(seed: number, dims: readonly number[]) {
    this.#normal = normals(seed);
    this.#dims = dims;
  }

  /** A node; its output is named after it. */
  op(op: string, inputs: readonly ValueId[], given: Readonly<Record<string, AttributeValue>> = {}): ValueId {
    const name = `${op}_${this.#nodes.length}`;
    this.#nodes.push({ op, domain: "", name, inputs, outputs: [`${name}_out`], attributes: attributes(given) });
    return `${name}_out`;
  }

  /** W as d rows of m, or of a convolution's [m, …kernel]; random unless given. */
  rows(name: string, dims: readonly number[], groups = 1, values?: ArrayLike<number>): ValueId {
    const [d, m] = [dims[0]!, product(dims.slice(1))];
    this.#layers.push({ name, weight: `${name}.weight`, d, m, groups, place: (row, column) => row * m + column });
    if (values) return this.constant(`${name}.weight`, dims, values);
    return this.random(`${name}.weight`, dims, Math.sqrt(2 / m));
  }

  /** W stored as m rows of d, as MatMul reads it. */
  columns(name: string, m: number, d: number): ValueId {
    this.#layers.push({ name, weight: `${name}.weight`, d, m, groups: 1, place: (row, column) => column * d + row });
    return this.random(`${name}.weight`, [m, d], Math.sqrt(2 / m));
  }

  /** An embedding table, `m` tokens of `d` numbers: column j of W is row j of the table. */
  table(name: string, m: number, d: number): ValueId {
    this.#layers.push({ name, weight: `${name}.weight`, d, m, groups: 1, place: (row, column) => column * d + row });
    return this.random(`${name}.weight`, [m, d], 1);
  }

  /** Of a transposed convolution, stored as [in, out / groups, …kernel]. */
  turnedKernel(name: string, dims: readonly number[], groups = 1): ValueId {
    const [inputs, rows] = [dims[0]! / groups, dims[1]!];
    const taps = product(dims.slice(2));
    const place = (row: number, column: number) => {
      const channel = Math.floor(row / rows) * inputs + Math.floor(column / taps);
      return (channel * rows + (row % rows)) * taps + (column % taps);
    };
    const [d, m] = [rows * groups, inputs * taps];
    this.#layers.push({ name, weight: `${name}.weight`, d, m, groups, place });
    return this.random(`${name}.weight`, dims, Math.sqrt(2 / m));
  }

  random(name: string, dims: readonly number[], deviation = 0.3): ValueId {
    return this.constant(
      name,
      dims,
      Array.from({ length: product(dims) }, () => deviation * this.#normal()),
    );
  }

  constant(name: string, dims: readonly number[], values: ArrayLike<number>): ValueId {
    this.#constants.set(name, Tensor.float32(dims, values));
    return name;
  }

  /** An int64 vector: a shape, axes, pads. */
  integers(...values: number[]): ValueId {
    const name = `integers_${this.#constants.size}`;
    this.#constants.set(name, Tensor.int64(values));
    return name;
  }

  /** The network that ends here, with `n` random samples. */
  done(output: ValueId, n: number, x?: ArrayLike<number>): Sketched {
    const size = n * product(this.#dims);
    const data = Float64Array.from(x ?? Array.from({ length: size }, () => this.#normal()), Math.fround);
    const graph: Graph = {
      name: "sketch",
      opset: 18,
      domains: new Map(),
      inputs: [{ name: "x", type: "float32", dims: ["N", ...this.#dims] }],
      outputs: [{ name: output, type: "float32", dims: undefined }],
      nodes: this.#nodes,
      constants: this.#constants,
      declared: new Map(),
    };
    return { graph, layers: this.#layers, x: { dims: [n, ...this.#dims], data } };
  }
}
