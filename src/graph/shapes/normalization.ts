import type { ShapeRule } from "./shape-rule.ts";
import { input, same } from "./shape-rule.ts";

/** Further outputs (means, deviations) are of training; nobody reads them at inference. */
const first: ShapeRule = (query) => query.node.outputs.map(() => input(query, 0));

export const normalizationShapes: Readonly<Record<string, ShapeRule>> = {
  BatchNormalization: first,
  LayerNormalization: first,
  InstanceNormalization: same,
  GroupNormalization: same,
  LpNormalization: same,
  LRN: same,
  Softmax: same,
  LogSoftmax: same,
  Hardmax: same,
};
