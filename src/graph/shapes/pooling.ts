import { int, ints } from "../graph.ts";
import { convolutionWindow, slidingOutput } from "./linear.ts";
import type { ShapeRule } from "./shape-rule.ts";
import { input, typed } from "./shape-rule.ts";

const pool: ShapeRule = (query) => {
  const x = input(query, 0);
  const window = convolutionWindow(query, ints(query.node, "kernel_shape") ?? []);
  const ceil = int(query.node, "ceil_mode", 0) === 1;
  const spatial = x.dims.slice(2).map((size, axis) => slidingOutput(window, axis, size, ceil));
  const dims = [...x.dims.slice(0, 2), ...spatial];
  return [
    { type: x.type, dims },
    { type: "int64", dims },
  ];
};

const globalPool: ShapeRule = (query) => {
  const x = input(query, 0);
  return typed(x.type, x.dims.map((size, axis) => (axis < 2 ? size : 1)));
};

export const poolingShapes: Readonly<Record<string, ShapeRule>> = {
  MaxPool: pool,
  AveragePool: pool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
};
