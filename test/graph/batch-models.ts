import type { Graph, Node } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { w } from "./running.ts";
import { graphOf, node } from "./small-graph.ts";

/** A model as an exporter writes it for batches of `exported`, or for any batch, and the shape of a sample. */
export interface BatchModel {
  readonly name: string;
  readonly sample: readonly number[];
  /** Operators of the nodes that must be rewritten, in order. */
  readonly rewritten: readonly string[];
  build(exported: number): Graph;
}

const shape = (...sizes: number[]) => Tensor.int64(sizes);

/** Self-attention of 2 heads over 3 tokens of 4 features, its reshapes given. */
function attention(
  reshapes: Readonly<Record<"split" | "fold" | "unfold" | "join", Tensor>>,
): [Node[], Record<string, Tensor>] {
  const nodes = [
    node("Reshape", ["x", "split"], "s"),
    node("Transpose", ["s"], "h", { perm: [0, 2, 1, 3] }),
    node("Reshape", ["h", "fold"], "q"),
    node("Transpose", ["q"], "k", { perm: [0, 2, 1] }),
    node("MatMul", ["q", "k"], "scores"),
    node("Softmax", ["scores"], "a"),
    node("MatMul", ["a", "q"], "v"),
    node("Reshape", ["v", "unfold"], "u"),
    node("Transpose", ["u"], "t", { perm: [0, 2, 1, 3] }),
    node("Reshape", ["t", "join"], "j"),
    node("MatMul", ["j", "w"], "y"),
  ];
  return [nodes, { ...reshapes, w: w(4, 3) }];
}

export const staticModels: readonly BatchModel[] = [
  {
    name: "a Reshape to [batch, -1]",
    sample: [2, 3],
    rewritten: ["Reshape"],
    build: (n) =>
      graphOf({ x: [n, 2, 3] }, [node("Reshape", ["x", "s"], "r"), node("MatMul", ["r", "w"], "y")], {
        s: shape(n, -1),
        w: w(6, 2),
      }),
  },
  {
    name: "a Reshape to [batch, channels, height, width]",
    sample: [12],
    rewritten: ["Reshape"],
    build: (n) =>
      graphOf({ x: [n, 12] }, [node("Reshape", ["x", "s"], "r"), node("Conv", ["r", "w"], "y")], {
        s: shape(n, 3, 2, 2),
        w: w(2, 3, 2, 1),
      }),
  },
  {
    name: "a Reshape to [batch, features] of a map of one pixel",
    sample: [4, 3, 3],
    rewritten: ["Reshape"],
    build: (n) =>
      graphOf({ x: [n, 4, 3, 3] }, [node("GlobalMaxPool", ["x"], "p"), node("Reshape", ["p", "s"], "y")], {
        s: shape(n, 4),
      }),
  },
  {
    name: "attention with every size written",
    sample: [3, 4],
    rewritten: ["Reshape", "Reshape", "Reshape", "Reshape"],
    build: (n) => {
      const sizes = {
        split: shape(n, 3, 2, 2),
        fold: shape(n * 2, 3, 2),
        unfold: shape(n, 2, 3, 2),
        join: shape(n, 3, 4),
      };
      return graphOf({ x: [n, 3, 4] }, ...attention(sizes));
    },
  },
  {
    name: "attention with the tokens left open",
    sample: [3, 4],
    rewritten: ["Reshape", "Reshape", "Reshape", "Reshape"],
    build: (n) => {
      const sizes = {
        split: shape(n, -1, 2, 2),
        fold: shape(n * 2, -1, 2),
        unfold: shape(n, 2, -1, 2),
        join: shape(n, -1, 4),
      };
      return graphOf({ x: [n, 3, 4] }, ...attention(sizes));
    },
  },
  {
    name: "attention that copies sizes, which needs no change but one",
    sample: [3, 4],
    rewritten: ["Reshape"],
    build: (n) => {
      const sizes = {
        split: shape(0, 0, 2, 2),
        fold: shape(-1, 3, 2),
        unfold: shape(n, -1, 3, 2),
        join: shape(0, 0, -1),
      };
      return graphOf({ x: [n, 3, 4] }, ...attention(sizes));
    },
  },
  {
    name: "attention with tokens first",
    sample: [3, 4],
    rewritten: ["Reshape", "Reshape"],
    build: (n) =>
      graphOf(
        { x: [n, 3, 4] },
        [
          node("Transpose", ["x"], "first", { perm: [1, 0, 2] }),
          node("Reshape", ["first", "fold"], "s"),
          node("Transpose", ["s"], "q", { perm: [1, 0, 2] }),
          node("Transpose", ["s"], "k", { perm: [1, 2, 0] }),
          node("MatMul", ["q", "k"], "scores"),
          node("MatMul", ["scores", "q"], "v"),
          node("Transpose", ["v"], "t", { perm: [1, 0, 2] }),
          node("Reshape", ["t", "join"], "j"),
          node("Transpose", ["j"], "y", { perm: [1, 0, 2] }),
        ],
        { fold: shape(3, n * 2, 2), join: shape(3, n, 4) },
      ),
  },
  {
    name: "attention with tokens first, whose heads come together with all rows in one axis",
    sample: [3, 4],
    rewritten: ["Reshape", "Reshape", "Reshape"],
    build: (n) =>
      graphOf(
        { x: [n, 3, 4] },
        [
          node("Transpose", ["x"], "first", { perm: [1, 0, 2] }),
          node("Reshape", ["first", "fold"], "s"),
          node("Transpose", ["s"], "q", { perm: [1, 0, 2] }),
          node("Transpose", ["s"], "k", { perm: [1, 2, 0] }),
          node("MatMul", ["q", "k"], "scores"),
          node("MatMul", ["scores", "q"], "v"),
          node("Transpose", ["v"], "t", { perm: [1, 0, 2] }),
          node("Reshape", ["t", "join"], "j"),
          node("Softmax", ["j"], "p"),
          node("Reshape", ["p", "apart"], "o"),
          node("Transpose", ["o"], "y", { perm: [1, 0, 2] }),
        ],
        { fold: shape(3, n * 2, 2), join: shape(3 * n, 4), apart: shape(3, n, 4) },
      ),
  },
  {
    name: "a class token stored for the batch",
    sample: [3, 4],
    rewritten: ["Concat", "Reshape"],
    build: (n) =>
      graphOf(
        { x: [n, 3, 4] },
        [
          node("Concat", ["token", "x"], "c", { axis: 1 }),
          node("Softmax", ["c"], "a", { axis: 1 }),
          node("Reshape", ["a", "s"], "y"),
        ],
        { token: Tensor.float32([n, 1, 4], Array.from({ length: n }, () => [1, -2, 0.5, 3]).flat()), s: shape(n, 16) },
      ),
  },
  {
    name: "a class token behind the patches, its axis counted from the end",
    sample: [3, 4],
    rewritten: ["Concat"],
    build: (n) =>
      graphOf(
        { x: [n, 3, 4] },
        [node("Concat", ["x", "token"], "c", { axis: -2 }), node("Softmax", ["c"], "y", { axis: 1 })],
        {
          token: Tensor.float32([n, 1, 4], Array.from({ length: n }, () => [1, -2, 0.5, 3]).flat()),
        },
      ),
  },
  {
    name: "a Reshape of weights that looks like one of the batch",
    sample: [4],
    rewritten: [],
    build: (n) =>
      graphOf(
        { x: [n, 4] },
        [
          node("Abs", ["w"], "positive"),
          node("Reshape", ["positive", "s"], "rows"),
          node("ReduceSum", ["rows"], "sum", { keepdims: 0 }),
          node("Mul", ["x", "sum"], "y"),
        ],
        // The first size of w is our batch, that of the target the exporter's.
        { w: w(5, 4), s: shape(n, -1) },
      ),
  },
];

/** Models that take any batch, their sizes computed from the input's. */
export const dynamicModels: readonly Omit<BatchModel, "rewritten">[] = [
  {
    name: "Shape, Gather, Concat, Reshape",
    sample: [2, 3],
    build: () =>
      graphOf(
        { x: ["N", 2, 3] },
        [
          node("Shape", ["x"], "shape"),
          node("Gather", ["shape", "zero"], "n"),
          node("Unsqueeze", ["n", "axis"], "lead"),
          node("Concat", ["lead", "rest"], "target", { axis: 0 }),
          node("Reshape", ["x", "target"], "r"),
          node("MatMul", ["r", "w"], "y"),
        ],
        { zero: Tensor.int64(0), axis: shape(0), rest: shape(-1), w: w(6, 2) },
      ),
  },
  {
    name: "a class token expanded to the batch",
    sample: [3, 4],
    build: () =>
      graphOf(
        { x: ["N", 3, 4] },
        [
          node("Shape", ["x"], "n", { end: 1 }),
          node("Concat", ["n", "rest"], "target", { axis: 0 }),
          node("Expand", ["token", "target"], "tokens"),
          node("Concat", ["tokens", "x"], "c", { axis: 1 }),
          node("Softmax", ["c"], "y", { axis: 1 }),
        ],
        { token: Tensor.float32([1, 1, 4], [1, -2, 0.5, 3]), rest: shape(1, 1) },
      ),
  },
  {
    name: "heads folded into the batch by a product",
    sample: [3, 4],
    build: () =>
      graphOf(
        { x: ["N", 3, 4] },
        [
          node("Shape", ["x"], "n", { end: 1 }),
          node("Mul", ["n", "heads"], "lead"),
          node("Concat", ["lead", "rest"], "target", { axis: 0 }),
          node("Reshape", ["x", "target"], "q"),
          node("Softmax", ["q"], "a", { axis: 1 }),
          node("Concat", ["n", "back"], "shape", { axis: 0 }),
          node("Reshape", ["a", "shape"], "y"),
        ],
        { heads: shape(2), rest: shape(3, 2), back: shape(-1, 4) },
      ),
  },
  {
    name: "a size of one sample written for any batch",
    sample: [6],
    build: () =>
      graphOf({ x: ["N", 6] }, [node("Reshape", ["x", "s"], "r"), node("Softmax", ["r"], "y", { axis: 1 })], {
        s: shape(1, 3, 2),
      }),
  },
];
