import type { Builder } from "./builder.ts";
import type { Node, ValueId } from "./graph.ts";
import { float, int } from "./graph.ts";
import { add, reshape, scale, swap, transpose } from "./operators.ts";
import { SamplePlaces, type SamplePlace } from "./sample-places.ts";
import { shapeRules } from "./shapes/table.ts";
import type { Dims } from "./tensor.ts";
import { count } from "./tensor.ts";
import { weightOf } from "./weights.ts";

/**
 * Adds the nodes of a model to a builder, and where a weight meets rows of all samples at once, tokens first or everything in one
 * axis, puts the samples first: [T · B, m] becomes [B, T, m] before the product and goes back behind it; so do samples in columns.
 * Values are the same; each sample's positions are now told apart from other samples.
 */
export class SamplesFirst {
  readonly #b: Builder;
  readonly #batch: number;
  readonly places: SamplePlaces;
  readonly #known: SamplePlaces;
  /** Products whose rows are in the order of the model's own: what the model reshapes is reshaped from these. */
  readonly #unfolded = new Map<ValueId, ValueId>();

  /** @param known the places of the samples, where they are known from a larger batch */
  constructor(b: Builder, batch: number, known?: SamplePlaces) {
    this.#b = b;
    this.#batch = batch;
    this.places = new SamplePlaces(b, batch);
    this.#known = known ?? this.places;
  }

  input(name: ValueId): void {
    this.places.input(name);
  }

  placeOf(value: ValueId): SamplePlace | undefined {
    return this.#known.of(value);
  }

  add(node: Node): void {
    if (!this.#rearranged(node)) this.#b.node(this.#shortened(node));
    this.places.follow(node);
  }

  /** Whether the node was added in another form. */
  #rearranged(node: Node): boolean {
    const [left = "", right = ""] = node.inputs;
    if (node.domain !== "") return false;
    if (node.op === "Gather") return int(node, "axis", 0) === 0 && this.#dense(node, right, left, 0);
    if (node.op === "MatMul" || (node.op === "Gemm" && int(node, "transA", 0) === 0)) {
      if (this.#dense(node, left, right, 1)) return true;
    }
    return (node.op === "MatMul" || node.op === "Gemm") && this.#inColumns(node, left, right);
  }

  /** A product with samples in columns, W x of x [m, B], or xᵀ W: as that of its transpose. */
  #inColumns(node: Node, left: ValueId, right: ValueId): boolean {
    const b = this.#b;
    const [ofLeft, ofRight] = [this.placeOf(left), this.placeOf(right)];
    const [turnedLeft, turnedRight] = [int(node, "transA", 0) === 1, int(node, "transB", 0) === 1];
    const [x, weight, place] = ofLeft ? [left, right, ofLeft] : [right, left, ofRight];
    const root = weightOf(b, { get: (value) => b.producerOf(value) }, weight);
    if (!place || root?.dims.length !== 2 || b.rank(x) !== 2 || place.outer * place.inner !== 1) return false;
    // Samples in rows that stay rows are as they should be; those that are summed over are none.
    if (ofLeft ? !turnedLeft || place.axis !== 1 : place.axis !== (turnedRight ? 0 : 1)) return false;
    const rows = place.axis === 0 ? x : swap(b, x);
    const matrix = (ofLeft ? turnedRight : !turnedLeft) ? swap(b, weight) : weight;
    const output = node.outputs[0] as ValueId;
    const product = unused(b, output);
    b.node({ ...node, op: "MatMul", inputs: [rows, matrix], outputs: [product], attributes: {}, source: undefined });
    const scaled = scale(b, ofLeft ? product : swap(b, product), node.op === "Gemm" ? float(node, "alpha", 1) : 1);
    const added = node.op === "Gemm" && node.inputs[2] ? scale(b, node.inputs[2], float(node, "beta", 1)) : undefined;
    this.#end(scaled, added, output);
    return true;
  }

  /** Gives a value the name that the model has for it, with something added to it if there is something. */
  #end(value: ValueId, added: ValueId | undefined, output: ValueId): void {
    const [op, inputs] = added === undefined ? ["Identity", [value]] : ["Add", [value, added]];
    this.#b.node({
      op: op as string,
      domain: "",
      name: "",
      inputs: inputs as ValueId[],
      outputs: [output],
      attributes: {},
    });
  }

  /** @param width axes of x that are not positions: 1 for features, 0 for tokens */
  #dense(node: Node, x: ValueId, weight: ValueId, width: 0 | 1): boolean {
    const b = this.#b;
    const place = this.placeOf(x);
    const dims = b.typeIfKnown(x)?.dims;
    if (!place || !dims || isFirst(place) || place.axis >= dims.length - width) return false;
    const root = weightOf(b, { get: (value) => b.producerOf(value) }, weight);
    if (root?.dims.length !== 2) return false;
    const rows = new Rows(b, dims.slice(0, dims.length - width), place, this.#batch);
    const features = rows.bySample(x);
    const output = node.outputs[0] as ValueId;
    let value = unused(b, output);
    if (node.op === "Gather") b.node({ ...node, inputs: [weight, features], outputs: [value], source: undefined });
    else {
      const matrix = int(node, "transB", 0) === 1 ? swap(b, weight) : weight;
      b.node({
        ...node,
        op: "MatMul",
        inputs: [features, matrix],
        outputs: [value],
        attributes: {},
        source: undefined,
      });
    }
    let rest: ValueId | undefined;
    if (node.op === "Gemm") {
      value = scale(b, value, float(node, "alpha", 1));
      const bias = node.inputs[2] ? scale(b, node.inputs[2], float(node, "beta", 1)) : undefined;
      // One that is the same for all rows is added where it is a bias to the eye.
      if (bias !== undefined && count(b.dims(bias).slice(0, -1)) === 1) value = add(b, value, bias);
      else rest = bias;
    }
    const back = rows.asBefore(value);
    this.#end(back, rest, output);
    if (rest === undefined && rows.inOrder) this.#unfolded.set(output, value);
    return true;
  }

  /** A reshape of rows that were folded into one axis, from before they were: [B, T, d] and not by way of [B · T, d]. */
  #shortened(node: Node): Node {
    const b = this.#b;
    const from = this.#unfolded.get(node.inputs[0] ?? "");
    if (from === undefined || !["Reshape", "Unsqueeze", "Squeeze"].includes(node.op)) return node;
    const inputs = node.inputs.map((input) => b.typeIfKnown(input));
    const [type] =
      shapeRules[node.op]?.({ node, inputs, constant: (index) => b.constantOf(node.inputs[index] ?? "") }) ?? [];
    if (!type) return node;
    const plain = { ...node, attributes: {}, source: undefined };
    if (type.dims.join() === b.dims(from).join()) return { ...plain, op: "Identity", inputs: [from] };
    return { ...plain, op: "Reshape", inputs: [from, b.integers(type.dims)] };
  }
}

function isFirst({ axis, outer, inner }: SamplePlace): boolean {
  return axis === 0 && outer === 1 && inner === 1;
}

/** Rows of all samples in the model's order, and sample by sample. */
class Rows {
  readonly #b: Builder;
  readonly #dims: Dims;
  readonly #batch: number;
  /** The axis of the samples apart from all others, and that axis before the others. */
  readonly #split: Dims;
  readonly #order: readonly number[];

  constructor(b: Builder, dims: Dims, { axis, outer, inner }: SamplePlace, batch: number) {
    this.#b = b;
    this.#dims = dims;
    this.#batch = batch;
    this.#split = [...dims.slice(0, axis), outer, batch, inner, ...dims.slice(axis + 1)];
    this.#order = [axis + 1, ...[...this.#split.keys()].filter((index) => index !== axis + 1)];
  }

  /** Whether sample by sample is the model's order. */
  get inOrder(): boolean {
    return count(this.#split.slice(0, this.#order[0])) === 1;
  }

  /** [rows…, …] to [B, rows of a sample, …]. */
  bySample(value: ValueId): ValueId {
    const rest = this.#b.dims(value).slice(this.#dims.length);
    const moved = transpose(
      this.#b,
      reshape(this.#b, value, [...this.#split, ...rest]),
      this.#withRest(this.#order, rest),
    );
    return reshape(this.#b, moved, [this.#batch, count(this.#dims) / this.#batch, ...rest]);
  }

  /** [B, rows of a sample, …] to [rows…, …]. */
  asBefore(value: ValueId): ValueId {
    const rest = this.#b.dims(value).slice(2);
    if (this.inOrder) return reshape(this.#b, value, [...this.#dims, ...rest]);
    const moved = this.#order.map((axis) => this.#split[axis] as number);
    const inverse = this.#order.map((_, axis) => this.#order.indexOf(axis));
    const apart = transpose(this.#b, reshape(this.#b, value, [...moved, ...rest]), this.#withRest(inverse, rest));
    return reshape(this.#b, apart, [...this.#dims, ...rest]);
  }

  #withRest(order: readonly number[], rest: Dims): number[] {
    return [...order, ...rest.map((_, index) => order.length + index)];
  }
}

function unused(b: Builder, output: ValueId): ValueId {
  let name = `${output}/samples-first`;
  while (b.typeIfKnown(name)) name += "'";
  return name;
}
