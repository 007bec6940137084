import { attributes, type Builder } from "../graph/builder.ts";
import type { Attributes, Graph, ValueId } from "../graph/graph.ts";
import { replaceWeights } from "../graph/replace-weights.ts";
import { reshape } from "../graph/operators.ts";
import type { Dims } from "../graph/tensor.ts";
import { count, Tensor } from "../graph/tensor.ts";

/** A constant of a model that is trained. */
export interface Trainable {
  readonly name: ValueId;
  readonly dims: Dims;
  /** Scale and shift are those of a normalization. */
  readonly kind: "weight" | "bias" | "scale" | "shift" | "embedding";
  /** Inputs and outputs of one unit, receptive field included: what initializations go by. */
  readonly fanIn: number;
  readonly fanOut: number;
}

/** Tensors side by side in one vector, each in C order at its offset: the optimizer is one chain of elementwise operators. */
export interface Layout {
  readonly entries: readonly { readonly name: ValueId; readonly dims: Dims; readonly offset: number }[];
  readonly size: number;
}

export function layoutOf(tensors: readonly { readonly name: ValueId; readonly dims: Dims }[]): Layout {
  let size = 0;
  const entries = tensors.map(({ name, dims }) => {
    const offset = size;
    size += count(dims);
    return { name, dims, offset };
  });
  return { entries, size };
}

/** The constants of a graph as the vector. */
export function flatten({ entries, size }: Layout, constants: Graph["constants"]): Float32Array {
  const vector = new Float32Array(size);
  for (const { name, offset } of entries) vector.set((constants.get(name) as Tensor).numbers(), offset);
  return vector;
}

/** Views of the vector. */
export function unflatten({ entries }: Layout, vector: Float32Array): Map<ValueId, Tensor> {
  return new Map(
    entries.map(({ name, dims, offset }) => [
      name,
      Tensor.float32(dims, vector.subarray(offset, offset + count(dims))),
    ]),
  );
}

/** The graph with constants taken from copies of vectors. */
export function withVectors(graph: Graph, vectors: readonly (readonly [Layout, Float32Array])[]): Graph {
  return replaceWeights(graph, new Map(vectors.flatMap(([layout, vector]) => [...unflatten(layout, vector.slice())])));
}

/** Makes the constants' names values of a graph: pieces of the vector. */
export function splitVector(b: Builder, vector: ValueId, { entries }: Layout): void {
  if (entries.length === 0) return;
  // A piece of one dimension is the value itself, unless it is the whole vector.
  const isPiece = ({ dims }: Layout["entries"][number]) => dims.length === 1 && entries.length > 1;
  const pieces = entries.map((entry) => (isPiece(entry) ? entry.name : `${entry.name}/elements`));
  if (entries.length > 1) {
    const sizes = b.integers(entries.map(({ dims }) => count(dims)));
    emit(b, "Split", [vector, sizes], pieces, attributes({ axis: 0 }));
  }
  for (const [index, entry] of entries.entries()) {
    if (isPiece(entry)) continue;
    const piece = entries.length > 1 ? (pieces[index] as ValueId) : vector;
    emit(b, "Reshape", [piece, b.integers(entry.dims)], [entry.name]);
  }
}

function emit(b: Builder, op: string, inputs: ValueId[], outputs: ValueId[], given: Attributes = {}): void {
  b.node({ op, domain: "", name: outputs[0] as ValueId, inputs, outputs, attributes: given });
}

/** The vector of values of these tensors, zeros where there is none. */
export function joinVector(b: Builder, { entries }: Layout, values: ReadonlyMap<ValueId, ValueId>): ValueId {
  const pieces = entries.map(({ name, dims }) => {
    const value = values.get(name);
    const size = count(dims);
    return value === undefined ? b.add("Expand", [b.scalar(0), b.integers([size])]) : reshape(b, value, [size]);
  });
  return pieces.length === 1 ? (pieces[0] as ValueId) : b.add("Concat", pieces, { axis: 0 });
}
