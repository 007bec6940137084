import { ModelError } from "../../errors.ts";
import { describe, int, ints, string } from "../graph.ts";
import { count, type Dims } from "../tensor.ts";
import type { ShapeQuery, ShapeRule } from "./shape-rule.ts";
import { axisOf, broadcast, input, integers, same, typed } from "./shape-rule.ts";

const reshape: ShapeRule = (query) => {
  const x = input(query, 0);
  const target = integers(query, 1);
  const copyZero = int(query.node, "allowzero", 0) === 0;
  const dims = target.map((size, axis) => (size === 0 && copyZero ? (x.dims[axis] as number) : size));
  const known = count(dims.filter((size) => size !== -1));
  const total = count(x.dims);
  const hole = dims.indexOf(-1);
  if (hole >= 0) dims[hole] = known === 0 ? 0 : total / known;
  if (count(dims) !== total || !dims.every(Number.isInteger)) {
    throw new ModelError(
      `node ${describe(query.node)}: ${total} elements of shape [${x.dims.join(", ")}] cannot be reshaped to [${target.join(", ")}]`,
    );
  }
  return typed(x.type, dims);
};

const flatten: ShapeRule = (query) => {
  const x = input(query, 0);
  // Unlike other axes it may be the rank: everything is flattened into the first.
  const axis = int(query.node, "axis", 1);
  return typed(x.type, [count(x.dims.slice(0, axis)), count(x.dims.slice(axis))]);
};

const transpose: ShapeRule = (query) => {
  const x = input(query, 0);
  const order = ints(query.node, "perm") ?? x.dims.map((_, axis) => x.dims.length - 1 - axis);
  return typed(
    x.type,
    order.map((axis) => x.dims[axis] as number),
  );
};

const squeeze: ShapeRule = (query) => {
  const x = input(query, 0);
  const rank = x.dims.length;
  const axes = query.inputs[1] ? integers(query, 1).map((axis) => axisOf(query, axis, rank)) : undefined;
  return typed(
    x.type,
    x.dims.filter((size, axis) => (axes ? !axes.includes(axis) : size !== 1)),
  );
};

const unsqueeze: ShapeRule = (query) => {
  const x = input(query, 0);
  const axes = integers(query, 1);
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((axis) => axisOf(query, axis, rank)));
  const rest = [...x.dims];
  return typed(
    x.type,
    Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : (rest.shift() as number))),
  );
};

const concat: ShapeRule = (query) => {
  const operands = query.inputs.map((_, index) => input(query, index));
  const x = input(query, 0);
  const axis = axisOf(query, int(query.node, "axis", 0), x.dims.length);
  const total = operands.reduce((sum, operand) => sum + (operand.dims[axis] as number), 0);
  return typed(x.type, x.dims.with(axis, total));
};

/** The lengths that a Split cuts its axis into. */
export function splitSizes(query: ShapeQuery): number[] {
  if (query.inputs[1]) return integers(query, 1);
  const { dims } = input(query, 0);
  const size = dims[axisOf(query, int(query.node, "axis", 0), dims.length)] as number;
  const parts = query.node.outputs.length;
  const chunk = Math.ceil(size / parts);
  return Array.from({ length: parts }, (_, part) => Math.min(chunk, size - part * chunk));
}

const split: ShapeRule = (query) => {
  const x = input(query, 0);
  const axis = axisOf(query, int(query.node, "axis", 0), x.dims.length);
  return splitSizes(query).map((length) => ({ type: x.type, dims: x.dims.with(axis, length) }));
};

/** Begin, step and length of a Slice along every axis of its input. */
export function sliceRanges(query: ShapeQuery): { begin: number; step: number; length: number }[] {
  const { dims } = input(query, 0);
  const ranges = dims.map((size) => ({ begin: 0, step: 1, length: size }));
  const [starts, ends] = [integers(query, 1), integers(query, 2)];
  const axes = query.inputs[3] ? integers(query, 3) : starts.map((_, index) => index);
  const steps = query.inputs[4] ? integers(query, 4) : starts.map(() => 1);
  axes.forEach((given, index) => {
    const axis = axisOf(query, given, dims.length);
    const [size, step] = [dims[axis] as number, steps[index] as number];
    const clamp = (value: number, low: number, high: number) =>
      Math.min(Math.max(value < 0 ? value + size : value, low), high);
    const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
    const begin = clamp(starts[index] as number, 0, high);
    const end = clamp(ends[index] as number, low, high);
    ranges[axis] = { begin, step, length: Math.max(0, Math.ceil((end - begin) / step)) };
  });
  return ranges;
}

const slice: ShapeRule = (query) =>
  typed(
    input(query, 0).type,
    sliceRanges(query).map(({ length }) => length),
  );

const gather: ShapeRule = (query) => {
  const [x, indices] = [input(query, 0), input(query, 1)];
  const axis = axisOf(query, int(query.node, "axis", 0), x.dims.length);
  return typed(x.type, x.dims.toSpliced(axis, 1, ...indices.dims));
};

const gatherNd: ShapeRule = (query) => {
  const [x, indices] = [input(query, 0), input(query, 1)];
  const batch = int(query.node, "batch_dims", 0);
  const depth = indices.dims.at(-1) as number;
  return typed(x.type, [...indices.dims.slice(0, -1), ...x.dims.slice(batch + depth)]);
};

const expand: ShapeRule = (query) => {
  const x = input(query, 0);
  return typed(x.type, broadcast(query, x.dims, integers(query, 1)));
};

const tile: ShapeRule = (query) => {
  const x = input(query, 0);
  const repeats = integers(query, 1);
  return typed(
    x.type,
    x.dims.map((size, axis) => size * (repeats[axis] as number)),
  );
};

/** Begin and end pads of every axis. */
export function padWidths(query: ShapeQuery): { begin: number; end: number }[] {
  const { dims } = input(query, 0);
  const pads = integers(query, 1);
  const axes = (query.inputs[3] ? integers(query, 3) : dims.map((_, axis) => axis)).map((axis) =>
    axisOf(query, axis, dims.length),
  );
  const widths = dims.map(() => ({ begin: 0, end: 0 }));
  axes.forEach((axis, index) => {
    widths[axis] = { begin: pads[index] as number, end: pads[index + axes.length] as number };
  });
  return widths;
}

const pad: ShapeRule = (query) => {
  const x = input(query, 0);
  const widths = padWidths(query);
  return typed(
    x.type,
    x.dims.map((size, axis) => size + (widths[axis]?.begin ?? 0) + (widths[axis]?.end ?? 0)),
  );
};

const resize: ShapeRule = (query) => {
  const x = input(query, 0);
  const rank = x.dims.length;
  const axes = (ints(query.node, "axes") ?? x.dims.map((_, axis) => axis)).map((axis) => axisOf(query, axis, rank));
  const dims = [...x.dims];
  const bySizes = query.inputs[3] !== undefined;
  const numbers = bySizes ? integers(query, 3) : Array.from(query.constant(2)?.numbers() ?? []);
  if (string(query.node, "keep_aspect_ratio_policy", "stretch") !== "stretch" || numbers.length !== axes.length) {
    throw new ModelError(
      `node ${describe(query.node)}: expected constant sizes or scales of ${axes.length} axes, stretched`,
    );
  }
  axes.forEach((axis, index) => {
    const number = numbers[index] as number;
    // The runtime multiplies in float32: 10 · 2.3 is 23 there.
    dims[axis] = bySizes ? number : Math.floor(Math.fround((x.dims[axis] as number) * number));
  });
  return typed(x.type, dims);
};

const depthToSpace: ShapeRule = (query) => {
  const x = input(query, 0);
  const block = int(query.node, "blocksize", 1);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  return typed(x.type, [n, c / block ** 2, h * block, w * block]);
};

const spaceToDepth: ShapeRule = (query) => {
  const x = input(query, 0);
  const block = int(query.node, "blocksize", 1);
  const [n, c, h, w] = x.dims as [number, number, number, number];
  return typed(x.type, [n, c * block ** 2, h / block, w / block]);
};

const shape: ShapeRule = (query) => {
  const rank = input(query, 0).dims.length;
  return typed("int64", [shapeSlice(rank, query).length]);
};

/** The axes that Shape with `start` and `end` reports. */
export function shapeSlice(rank: number, { node }: Pick<ShapeQuery, "node">): Dims {
  const axes = Array.from({ length: rank }, (_, axis) => axis);
  return axes.slice(int(node, "start", 0), int(node, "end", rank));
}

const constantOfShape: ShapeRule = (query) => {
  const value = query.node.attributes["value"];
  return typed(value?.kind === "tensor" ? value.value.type : "float32", integers(query, 0));
};

const range: ShapeRule = (query) => {
  const [start, limit, delta] = [0, 1, 2].map((index) => query.constant(index)?.numbers()[0]);
  if (start === undefined || limit === undefined || delta === undefined) {
    throw new ModelError(`node ${describe(query.node)}: a Range that depends on the data has no static shape`);
  }
  return typed(input(query, 0).type, [Math.max(0, Math.ceil((limit - start) / delta))]);
};

const oneHot: ShapeRule = (query) => {
  const indices = input(query, 0);
  const axis = axisOf(query, int(query.node, "axis", -1), indices.dims.length + 1);
  return typed(input(query, 2).type, indices.dims.toSpliced(axis, 0, integers(query, 1)[0] as number));
};

export const movementShapes: Readonly<Record<string, ShapeRule>> = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Slice: slice,
  Gather: gather,
  GatherElements: (query) => typed(input(query, 0).type, input(query, 1).dims),
  GatherND: gatherNd,
  ScatterElements: same,
  ScatterND: same,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Resize: resize,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Shape: shape,
  Size: () => typed("int64", []),
  ConstantOfShape: constantOfShape,
  Range: range,
  OneHot: oneHot,
  Trilu: same,
};
