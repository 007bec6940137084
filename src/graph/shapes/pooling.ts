import { int, ints } from "../graph.ts";
import { convolutionWindow, slidingOutput } from "./linear.ts";
import type { ShapeRule } from "./shape-rule.ts";
import { input, integers, typed } from "./shape-rule.ts";
import type { Dims } from "../tensor.ts";

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
  return typed(
    x.type,
    x.dims.map((size, axis) => (axis < 2 ? size : 1)),
  );
};

const maxUnpool: ShapeRule = (query) => {
  const x = input(query, 0);
  if (query.inputs[2]) return typed(x.type, integers(query, 2));
  const { kernel, strides, pads } = convolutionWindow(query, ints(query.node, "kernel_shape") ?? []);
  const at = (list: Dims, index: number) => list[index] as number;
  const spatial = kernel.map((size, axis) => {
    const padded = at(pads, axis) + at(pads, axis + kernel.length);
    return (at(x.dims, axis + 2) - 1) * at(strides, axis) + size - padded;
  });
  return typed(x.type, [...x.dims.slice(0, 2), ...spatial]);
};

export const poolingShapes: Readonly<Record<string, ShapeRule>> = {
  MaxPool: pool,
  AveragePool: pool,
  MaxUnpool: maxUnpool,
  LpPool: pool,
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
  GlobalLpPool: globalPool,
};
