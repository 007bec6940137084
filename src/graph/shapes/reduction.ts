import { int } from "../graph.ts";
import type { ShapeRule } from "./shape-rule.ts";
import { axisOf, input, integers, same, typed } from "./shape-rule.ts";

const reduce: ShapeRule = (query) => {
  const x = input(query, 0);
  const rank = x.dims.length;
  const given = query.inputs[1] ? integers(query, 1) : [];
  if (given.length === 0 && int(query.node, "noop_with_empty_axes", 0) === 1) return [x];
  const axes = new Set(
    (given.length > 0 ? given : x.dims.map((_, axis) => axis)).map((axis) => axisOf(query, axis, rank)),
  );
  const keep = int(query.node, "keepdims", 1) === 1;
  return typed(
    x.type,
    x.dims.flatMap((size, axis) => (axes.has(axis) ? (keep ? [1] : []) : [size])),
  );
};

const argument: ShapeRule = (query) => {
  const x = input(query, 0);
  const axis = axisOf(query, int(query.node, "axis", 0), x.dims.length);
  const keep = int(query.node, "keepdims", 1) === 1;
  return typed("int64", keep ? x.dims.with(axis, 1) : x.dims.toSpliced(axis, 1));
};

const topK: ShapeRule = (query) => {
  const x = input(query, 0);
  const axis = axisOf(query, int(query.node, "axis", -1), x.dims.length);
  const dims = x.dims.with(axis, integers(query, 1)[0] as number);
  return [
    { type: x.type, dims },
    { type: "int64", dims },
  ];
};

const reductions = ["Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"];

export const reductionShapes: Readonly<Record<string, ShapeRule>> = {
  ...Object.fromEntries(reductions.map((name) => [`Reduce${name}`, reduce])),
  ArgMax: argument,
  ArgMin: argument,
  TopK: topK,
  CumSum: same,
};
