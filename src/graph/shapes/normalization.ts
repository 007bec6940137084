import { int } from "../graph.ts";
import type { ShapeRule } from "./shape-rule.ts";
import { axisOf, input, same } from "./shape-rule.ts";

/** Further outputs are of training: the mean and variance of each channel. */
const batchNormalization: ShapeRule = (query) =>
  query.node.outputs.map((_, index) => input(query, index === 0 ? 0 : 3));

/** The mean and the inverse deviation have one element for each that was normalized. */
const layerNormalization: ShapeRule = (query) => {
  const x = input(query, 0);
  const begin = axisOf(query, int(query.node, "axis", -1), x.dims.length);
  const statistics = { type: "float32" as const, dims: x.dims.map((size, axis) => (axis < begin ? size : 1)) };
  return query.node.outputs.map((_, index) => (index === 0 ? x : statistics));
};

export const normalizationShapes: Readonly<Record<string, ShapeRule>> = {
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  InstanceNormalization: same,
  GroupNormalization: same,
  LpNormalization: same,
  LRN: same,
  Softmax: same,
  LogSoftmax: same,
  Hardmax: same,
};
