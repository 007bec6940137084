import type { Node } from "../../src/graph/graph.ts";
import type { SamplePlace } from "../../src/graph/sample-places.ts";
import { Tensor, type Dims } from "../../src/graph/tensor.ts";
import { w } from "./running.ts";
import { node } from "./small-graph.ts";

/** Samples of every case. */
export const B = 2;

/** A network and where it puts the samples. */
export interface Case {
  readonly what: string;
  /** Dims of one sample of x. */
  readonly sample: Dims;
  /** They end in y. */
  readonly nodes: readonly Node[];
  readonly constants?: Readonly<Record<string, Tensor>>;
  /** Where y has the samples; undefined where nobody can say. */
  readonly place: SamplePlace | undefined;
}

export const place = (axis: number, outer = 1, inner = 1): SamplePlace => ({ axis, outer, inner });
const shape = (...sizes: number[]) => Tensor.int64(sizes);
const turn = (...perm: number[]) => node("Transpose", ["x"], "t", { perm });
/** x [B, 3, 4] with its tokens first: t [3, B, 4]. */
const tokensFirst = turn(1, 0, 2);

export const cases: readonly Case[] = [
  { what: "elementwise", sample: [3], nodes: [node("Relu", ["x"], "y")], place: place(0) },
  { what: "Transpose", sample: [3, 4], nodes: [node("Transpose", ["x"], "y", { perm: [2, 0, 1] })], place: place(1) },
  {
    what: "Reshape that joins tokens behind samples",
    sample: [3, 4],
    nodes: [node("Reshape", ["x", "s"], "y")],
    constants: { s: shape(-1, 4) },
    place: place(0, 1, 3),
  },
  {
    what: "Reshape that joins tokens before samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Reshape", ["t", "s"], "y")],
    constants: { s: shape(-1, 4) },
    place: place(0, 3, 1),
  },
  {
    what: "Reshape that joins them on both sides",
    sample: [3, 4],
    nodes: [tokensFirst, node("Reshape", ["t", "s"], "y")],
    constants: { s: shape(-1) },
    place: place(0, 3, 4),
  },
  {
    what: "Reshape that takes them apart again",
    sample: [3, 4],
    nodes: [tokensFirst, node("Reshape", ["t", "s"], "r"), node("Reshape", ["r", "u"], "y")],
    constants: { s: shape(-1, 4), u: shape(3, -1, 2, 2) },
    place: place(1),
  },
  {
    what: "heads joined to the samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Reshape", ["t", "s"], "y")],
    constants: { s: shape(3, -1, 2) },
    place: place(1, 1, 2),
  },
  {
    what: "Reshape that cuts a sample's row in two among other axes",
    sample: [3, 2],
    nodes: [turn(1, 2, 0), node("Reshape", ["t", "s"], "y")],
    constants: { s: shape(3, 4) },
    place: place(1, 2, 1),
  },
  {
    what: "Flatten, Squeeze and Unsqueeze",
    sample: [1, 4],
    nodes: [node("Squeeze", ["x", "one"], "q"), node("Unsqueeze", ["q", "zero"], "u"), node("Flatten", ["u"], "y")],
    constants: { one: shape(1), zero: shape(0) },
    place: place(1, 1, 4),
  },
  {
    what: "what has samples and what has none, from the last axis on",
    sample: [3, 4],
    nodes: [tokensFirst, node("Add", ["t", "w"], "y")],
    constants: { w: w(5, 3, 1, 4) },
    place: place(2),
  },
  {
    what: "two that have them at the same place",
    sample: [3, 4],
    nodes: [tokensFirst, node("Exp", ["t"], "e"), node("Mul", ["t", "e"], "y")],
    place: place(1),
  },
  {
    what: "two that have them at different places",
    sample: [2, 4],
    nodes: [turn(1, 0, 2), node("Add", ["t", "x"], "y")],
    place: undefined,
  },
  {
    what: "MatMul, rows of tokens first",
    sample: [3, 4],
    nodes: [tokensFirst, node("MatMul", ["t", "w"], "y")],
    constants: { w: w(4, 5) },
    place: place(1),
  },
  {
    what: "MatMul with the weight on the left, samples in columns",
    sample: [4],
    nodes: [turn(1, 0), node("MatMul", ["w", "t"], "y")],
    constants: { w: w(3, 4) },
    place: place(1),
  },
  {
    what: "MatMul that sums over samples",
    sample: [4],
    nodes: [node("MatMul", ["w", "x"], "y")],
    constants: { w: w(3, B) },
    place: undefined,
  },
  {
    what: "attention of each sample",
    sample: [3, 4],
    nodes: [node("Transpose", ["x"], "k", { perm: [0, 2, 1] }), node("MatMul", ["x", "k"], "y")],
    place: place(0),
  },
  {
    what: "attention between samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Transpose", ["t"], "k", { perm: [0, 2, 1] }), node("MatMul", ["t", "k"], "y")],
    place: undefined,
  },
  {
    what: "MatMul with a vector",
    sample: [4],
    nodes: [node("MatMul", ["x", "w"], "y")],
    constants: { w: w(4) },
    place: undefined,
  },
  {
    what: "Gemm",
    sample: [3, 4],
    nodes: [node("Reshape", ["x", "s"], "r"), node("Gemm", ["r", "w", "r"], "y", { transB: 1 })],
    constants: { s: shape(-1, 4), w: w(4, 4) },
    place: place(0, 1, 3),
  },
  {
    what: "Gemm that sums over samples",
    sample: [4],
    nodes: [node("Gemm", ["x", "w"], "y", { transA: 1 })],
    constants: { w: w(B, 3) },
    place: undefined,
  },
  {
    what: "Gemm of samples in columns, turned",
    sample: [4],
    nodes: [turn(1, 0), node("Gemm", ["t", "w"], "y", { transA: 1 })],
    constants: { w: w(4, 3) },
    place: place(0),
  },
  {
    what: "Gemm with the weight on the left, samples in columns",
    sample: [4],
    nodes: [turn(1, 0), node("Gemm", ["w", "t"], "y")],
    constants: { w: w(3, 4) },
    place: place(1),
  },
  {
    what: "Gemm with the weight on the left, samples in rows",
    sample: [4],
    nodes: [node("Gemm", ["w", "x"], "y", { transB: 1 })],
    constants: { w: w(3, 4) },
    place: place(1),
  },
  {
    what: "Gemm that adds samples where there are others",
    sample: [B],
    nodes: [turn(1, 0), node("Gemm", ["w", "t", "x"], "y")],
    constants: { w: w(B, B) },
    place: undefined,
  },
  {
    what: "Gemm of samples with samples",
    sample: [3],
    nodes: [node("Gemm", ["x", "x"], "y", { transB: 1 })],
    place: undefined,
  },
  {
    what: "Conv of maps of all samples in one axis",
    sample: [3, 2, 4],
    nodes: [node("Reshape", ["x", "s"], "r"), node("Conv", ["r", "w"], "y")],
    constants: { s: shape(-1, 2, 4), w: w(5, 2, 3) },
    place: place(0, 1, 3),
  },
  {
    what: "Conv along samples",
    sample: [2, 3],
    nodes: [turn(2, 1, 0), node("Conv", ["t", "w"], "y")],
    constants: { w: w(5, 2, 1) },
    place: undefined,
  },
  {
    what: "Softmax of each sample",
    sample: [3, 4],
    nodes: [tokensFirst, node("Softmax", ["t"], "y", { axis: -1 })],
    place: place(1),
  },
  {
    what: "Softmax over samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Softmax", ["t"], "y", { axis: 1 })],
    place: undefined,
  },
  {
    what: "LayerNormalization of the last axis",
    sample: [3, 4],
    nodes: [tokensFirst, node("LayerNormalization", ["t", "w"], "y")],
    constants: { w: w(4) },
    place: place(1),
  },
  {
    what: "LayerNormalization over samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("LayerNormalization", ["t", "w"], "y", { axis: 1 })],
    constants: { w: w(B, 4) },
    place: undefined,
  },
  {
    what: "a mean that takes an axis before them away",
    sample: [3, 4],
    nodes: [tokensFirst, node("ReduceMean", ["t", "a"], "y", { keepdims: 0 })],
    constants: { a: shape(-3) },
    place: place(0),
  },
  {
    what: "a mean that keeps its axis",
    sample: [3, 4],
    nodes: [tokensFirst, node("ReduceMean", ["t", "a"], "y")],
    constants: { a: shape(0) },
    place: place(1),
  },
  {
    what: "a mean over samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("ReduceMean", ["t", "a"], "y")],
    constants: { a: shape(1) },
    place: undefined,
  },
  { what: "a sum over everything", sample: [3], nodes: [node("ReduceSum", ["x"], "y")], place: undefined },
  {
    what: "Concat along another axis, with something that has no samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Concat", ["t", "w"], "y", { axis: 0 })],
    constants: { w: w(1, B, 4) },
    place: place(1),
  },
  {
    what: "Concat behind something that has no samples, as a class token stands before the patches",
    sample: [3, 4],
    nodes: [node("Concat", ["w", "x"], "c", { axis: 1 }), node("Transpose", ["c"], "y", { perm: [1, 0, 2] })],
    constants: { w: w(B, 1, 4) },
    place: place(1),
  },
  {
    what: "Concat of two that have them at the same place",
    sample: [3, 4],
    nodes: [tokensFirst, node("Exp", ["t"], "e"), node("Concat", ["t", "e"], "y", { axis: -1 })],
    place: place(1),
  },
  {
    what: "Concat of two that have them at different places",
    sample: [B, 4],
    nodes: [turn(1, 0, 2), node("Concat", ["t", "x"], "y", { axis: 2 })],
    place: undefined,
  },
  {
    what: "Concat along samples",
    sample: [3, 4],
    nodes: [tokensFirst, node("Concat", ["t", "t"], "y", { axis: 1 })],
    place: undefined,
  },
  {
    what: "Split, Slice and Pad along other axes",
    sample: [3, 4],
    nodes: [
      tokensFirst,
      node("Split", ["t"], ["p", "q"], { axis: 2, num_outputs: 2 }),
      node("Slice", ["q", "zero", "two", "zero"], "s"),
      node("Pad", ["s", "pads"], "y"),
    ],
    constants: { zero: shape(0), two: shape(2), pads: shape(1, 0, 0, 0, 0, 2) },
    place: place(1),
  },
  {
    what: "Slice that turns samples round",
    sample: [3],
    nodes: [node("Slice", ["x", "last", "end", "axis", "back"], "y")],
    constants: { last: shape(-1), end: shape(-9), axis: shape(0), back: shape(-1) },
    place: undefined,
  },
  {
    what: "Pad that moves samples",
    sample: [3],
    nodes: [node("Pad", ["x", "pads"], "y")],
    constants: { pads: shape(1, 0, -1, 0) },
    place: undefined,
  },
  {
    what: "Gather along an axis before",
    sample: [3, 4],
    nodes: [tokensFirst, node("Gather", ["t", "i"], "y")],
    constants: { i: Tensor.int64(1) },
    place: place(0),
  },
  {
    what: "Gather along an axis before, by a matrix",
    sample: [3, 4],
    nodes: [tokensFirst, node("Gather", ["t", "i"], "y", { axis: 0 })],
    constants: { i: Tensor.of("int64", [2, 2], BigInt64Array.of(2n, 0n, 1n, 1n)) },
    place: place(2),
  },
  {
    what: "Gather along an axis behind",
    sample: [3, 4],
    nodes: [tokensFirst, node("Gather", ["t", "i"], "y", { axis: -1 })],
    constants: { i: shape(3, 1) },
    place: place(1),
  },
  {
    what: "Gather that swaps samples",
    sample: [3],
    nodes: [node("Gather", ["x", "i"], "y", { axis: 0 })],
    constants: { i: shape(1, 0) },
    place: undefined,
  },
  {
    what: "Gather of a table's rows",
    sample: [3],
    nodes: [turn(1, 0), node("Cast", ["t"], "i", { to: 7 }), node("Gather", ["w", "i"], "y", { axis: 1 })],
    constants: { w: w(2, 5, 3) },
    place: place(2),
  },
  {
    what: "Expand",
    sample: [1, 4],
    nodes: [node("Expand", ["x", "s"], "y")],
    constants: { s: shape(5, 1, 3, 1) },
    place: place(1),
  },
  {
    what: "an operator that nobody knows",
    sample: [3],
    nodes: [node("Einsum", ["x"], "y", { equation: "bi->ib" })],
    place: undefined,
  },
  {
    what: "one of another domain",
    sample: [3],
    nodes: [node("Relu", ["x"], "y", {}, { domain: "com.example" })],
    place: undefined,
  },
];
