import type { Builder } from "./builder.ts";
import type { Node, ValueId } from "./graph.ts";
import { int, ints, reads } from "./graph.ts";
import { elementwiseShapes } from "./shapes/elementwise.ts";
import type { Dims } from "./tensor.ts";
import { count } from "./tensor.ts";

/**
 * Where a value has the samples: along one axis, of size outer · B · inner, sample n at (o · B + n) · inner + i. Samples first is axis 0
 * with outer = inner = 1; [T · B, m] of a network that has tokens first is axis 0 with outer = T.
 */
export interface SamplePlace {
  readonly axis: number;
  readonly outer: number;
  readonly inner: number;
}

/** An operand that has samples. */
interface Operand extends SamplePlace {
  readonly index: number;
  readonly dims: Dims;
}

/**
 * Follows the axis of the samples through a graph as it is built. What does not depend on the inputs has none; where an operator may
 * mix samples, or is not known, nothing is said of what it makes.
 */
export class SamplePlaces {
  readonly #b: Builder;
  readonly #batch: number;
  readonly #places = new Map<ValueId, SamplePlace | undefined>();

  constructor(b: Builder, batch: number) {
    this.#b = b;
    this.#batch = batch;
  }

  /** An input, whose first axis the samples are. */
  input(name: ValueId): void {
    this.#places.set(name, { axis: 0, outer: 1, inner: 1 });
  }

  of(value: ValueId): SamplePlace | undefined {
    return this.#places.get(value);
  }

  /** A node that was added to the builder. */
  follow(node: Node): void {
    const read = reads(node).filter((value) => this.#places.has(value));
    if (read.length === 0) return;
    for (const output of node.outputs) {
      if (output !== "" && !this.#b.constantOf(output)) this.#places.set(output, this.#after(node, read, output));
    }
  }

  #after(node: Node, read: readonly ValueId[], output: ValueId): SamplePlace | undefined {
    const to = this.#b.typeIfKnown(output)?.dims;
    const known = read.every((value) => this.#places.get(value) && this.#b.typeIfKnown(value));
    if (!known || !to || node.domain !== "" || node.captures) return undefined;
    const operands = node.inputs.flatMap((input, index): Operand[] => {
      const place = this.#places.get(input);
      return place ? [{ ...place, index, dims: this.#b.dims(input) }] : [];
    });
    const found = this.#rule(node, operands, to);
    // An axis that is not as long as it was has not only samples come through it.
    return found && to[found.axis] === found.outer * this.#batch * found.inner ? found : undefined;
  }

  #rule(node: Node, operands: readonly Operand[], to: Dims): SamplePlace | undefined {
    const [first] = operands as [Operand];
    const rank = first.dims.length;
    const { axis, outer, inner } = first;
    const at = (place: number): SamplePlace => ({ axis: place, outer, inner });
    /** Samples stay where they are, if the operator works along other axes. */
    const isBeside = (own: number) => (own < 0 ? own + rank : own) !== axis;
    const beside = (...axes: readonly number[]) => (isAlone(operands) && axes.every(isBeside) ? at(axis) : undefined);
    const constant = (index: number) => {
      const tensor = this.#b.constantOf(node.inputs[index] ?? "");
      return tensor && Array.from(tensor.numbers());
    };
    if (node.op in elementwiseShapes || node.op === "Expand") return this.#aligned(operands, to);
    if (node.op.startsWith("Reduce")) {
      const axes = constant(1);
      if (!axes || axes.length === 0 || !beside(...axes)) return undefined;
      if (int(node, "keepdims", 1) === 1) return at(axis);
      return at(axis - axes.filter((own) => (own < 0 ? own + rank : own) < axis).length);
    }
    switch (node.op) {
      case "Reshape":
      case "Flatten":
      case "Squeeze":
      case "Unsqueeze":
        return isAlone(operands) ? this.#reshaped(first, to) : undefined;
      case "Transpose":
        return at((ints(node, "perm") ?? first.dims.map((_, index) => rank - 1 - index)).indexOf(axis));
      case "MatMul":
        return this.#product(operands, to);
      case "Gemm":
        return this.#gemm(node, operands, to);
      case "Gather":
        return gathered(node, operands, this.#b.typeIfKnown(node.inputs[1] ?? "")?.dims.length ?? 0);
      case "Concat":
        return areAlike(operands) && isBeside(int(node, "axis", 0)) ? at(axis) : undefined;
      case "Split":
        return beside(int(node, "axis", 0));
      case "Slice": {
        const axes = node.inputs[3] ? constant(3) : first.dims.map((_, index) => index);
        return axes && beside(...axes);
      }
      case "Pad": {
        const [pads, axes] = [constant(1), node.inputs[3] ? constant(3) : first.dims.map((_, index) => index)];
        const moving = axes?.filter((_, index) => pads?.[index] !== 0 || pads[index + axes.length] !== 0);
        return moving && beside(...moving);
      }
      case "Softmax":
      case "LogSoftmax":
      case "Hardmax":
      case "LpNormalization":
        return beside(int(node, "axis", -1));
      case "LayerNormalization": {
        const begin = int(node, "axis", -1);
        return isAlone(operands) && axis < (begin < 0 ? begin + rank : begin) ? at(axis) : undefined;
      }
      default:
        return samplesApart.has(node.op) && isAlone(operands) && axis === 0 ? at(0) : undefined;
    }
  }

  /** Operands whose axes fit together from the last one on. */
  #aligned(operands: readonly Operand[], to: Dims): SamplePlace | undefined {
    const [{ axis, outer, inner, dims }] = operands as [Operand];
    const behind = dims.length - axis;
    if (operands.some((other) => other.dims.length - other.axis !== behind || !isSplitAs(other, operands[0])))
      return undefined;
    return { axis: to.length - behind, outer, inner };
  }

  #product(operands: readonly Operand[], to: Dims): SamplePlace | undefined {
    if (operands.some(({ dims }) => dims.length < 2)) return undefined;
    const mixed = operands.some(({ index, dims, axis }) => axis === dims.length - (index === 0 ? 1 : 2));
    // Rows of the left and columns of the right are each operand's own.
    const own = operands.some(({ index, dims, axis }) => axis === dims.length - (index === 0 ? 2 : 1));
    return mixed || (own && operands.length > 1) ? undefined : this.#aligned(operands, to);
  }

  /** Rows of the left operand are rows, columns of the right are columns; what is added must have samples where the product has. */
  #gemm(node: Node, operands: readonly Operand[], to: Dims): SamplePlace | undefined {
    const placed = operands.map((operand): Operand => {
      const { index, axis } = operand;
      if (index > 1) return operand;
      const row = index === 0 ? int(node, "transA", 0) : 1 - int(node, "transB", 0);
      return { ...operand, axis: axis === row ? index : Number.NaN, dims: to };
    });
    if (placed.some(({ axis }) => Number.isNaN(axis))) return undefined;
    return this.#aligned(placed, to);
  }

  /** The elements stay in order: so many stand before the samples and behind each. */
  #reshaped({ axis, outer, inner, dims }: Operand, to: Dims): SamplePlace | undefined {
    const before = count(dims.slice(0, axis)) * outer;
    const behind = count(dims.slice(axis + 1)) * inner;
    for (const [place, size] of to.entries()) {
      const [first, rest] = [before / count(to.slice(0, place)), behind / count(to.slice(place + 1))];
      if (Number.isInteger(first) && Number.isInteger(rest) && first * this.#batch * rest === size) {
        return { axis: place, outer: first, inner: rest };
      }
    }
    return undefined;
  }
}

/** Operators that treat each element of the first axis apart. */
const samplesApart = new Set(
  `Conv ConvTranspose MaxPool AveragePool LpPool GlobalAveragePool GlobalMaxPool GlobalLpPool BatchNormalization
  InstanceNormalization GroupNormalization LRN DepthToSpace SpaceToDepth Resize`.split(/\s+/),
);

/** One operand with samples, the first. */
function isAlone([first, ...others]: readonly Operand[]): boolean {
  return first?.index === 0 && others.length === 0;
}

function isSplitAs(place: SamplePlace, other: SamplePlace | undefined): boolean {
  return place.outer === other?.outer && place.inner === other.inner;
}

function areAlike(operands: readonly Operand[]): boolean {
  return operands.every((other) => other.axis === operands[0]?.axis && isSplitAs(other, operands[0]));
}

/** Samples in the indices take the place of the axis that is gathered along. */
function gathered(node: Node, operands: readonly Operand[], indexRank: number): SamplePlace | undefined {
  const [{ index, axis, outer, inner, dims }] = operands as [Operand];
  const along = int(node, "axis", 0);
  if (operands.length > 1) return undefined;
  if (index === 1) return along < 0 ? undefined : { axis: along + axis, outer, inner };
  const positive = along < 0 ? along + dims.length : along;
  if (positive === axis) return undefined;
  return { axis: axis > positive ? axis + indexRank - 1 : axis, outer, inner };
}
