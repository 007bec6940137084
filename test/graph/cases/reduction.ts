import { Tensor } from "../../../src/graph/tensor.ts";
import type { Case } from "../one-node.ts";
import { fixed, list } from "../one-node.ts";
import { tensor, w, x } from "../running.ts";

const positive = Tensor.float32([2, 3, 4], x(2, 3, 4).numbers()).numbers();
const inputs = fixed(Tensor.float32([2, 3, 4], Array.from(positive, Math.abs)));
const data = inputs.fixed;

const kinds = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"];

const reductions = kinds.flatMap((kind): Case[] => [
  [`Reduce${kind}`, [data]],
  [`Reduce${kind}`, [data], { keepdims: 0 }],
  [`Reduce${kind}`, [data, list(1)]],
  [`Reduce${kind}`, [data, list(-1, 0)], { keepdims: 0 }],
  [`Reduce${kind}`, [data, list()], { noop_with_empty_axes: 1 }],
]);

const arguments_ = ["ArgMax", "ArgMin"].flatMap((op): Case[] => [
  [op, [data]],
  [op, [data], { axis: -2, keepdims: 0 }],
]);

/** Reductions, and what orders or sums along an axis. */
export const reductionCases: readonly Case[] = [
  ...reductions,
  ["ReduceSum", [tensor("int64", [2, 2], [1, 2, 3, 4]), list(0)]],
  ["ReduceMax", [x(3), list()], { keepdims: 0 }],
  ...arguments_,
  ["TopK", [x(3, 5), list(2)], {}, { outputs: 2 }],
  ["TopK", [x(3, 5), list(1)], { axis: 0, largest: 0 }, { outputs: 2 }],
  ["CumSum", [x(2, 3), fixed(tensor("int64", [], [1]))], { reverse: 1 }],
];

const channels = [w(3), x(3), x(3), Tensor.float32([3], [0.5, 1, 2])];

/** Normalizations: the shape stays. */
export const normalizationCases: readonly Case[] = [
  ["BatchNormalization", [x(2, 3, 4), ...channels]],
  ["LayerNormalization", [x(2, 3, 4), w(4), x(4)]],
  ["LayerNormalization", [x(2, 3, 4), w(3, 4)], { axis: 1 }, { outputs: 3 }],
  ["LayerNormalization", [x(2, 3, 4), w(4)], { axis: -1 }, { outputs: 2 }],
  ["InstanceNormalization", [x(2, 3, 4), w(3), x(3)]],
  ["GroupNormalization", [x(2, 4, 3), w(2), x(2)], { num_groups: 2 }],
  ["LpNormalization", [x(2, 3)], { axis: 1, p: 1 }],
  ["LRN", [x(1, 4, 2, 2)], { size: 3 }],
  ["Softmax", [x(2, 3, 4)], { axis: 1 }],
  ["LogSoftmax", [x(2, 3)]],
  ["Hardmax", [x(2, 3)]],
];
