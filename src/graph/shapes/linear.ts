import { ModelError } from "../../errors.ts";
import { describe, int, ints, string } from "../graph.ts";
import type { Dims } from "../tensor.ts";
import type { ShapeQuery, ShapeRule } from "./shape-rule.ts";
import { broadcast, input, typed } from "./shape-rule.ts";

const matMul: ShapeRule = (query) => {
  const [a, b] = [input(query, 0), input(query, 1)];
  const left = a.dims.length === 1 ? [1, ...a.dims] : a.dims;
  const right = b.dims.length === 1 ? [...b.dims, 1] : b.dims;
  if (left.at(-1) !== right.at(-2)) throw misfit(query, a.dims, b.dims);
  const dims = broadcast(query, left.slice(0, -2), right.slice(0, -2));
  if (a.dims.length > 1) dims.push(left.at(-2) as number);
  if (b.dims.length > 1) dims.push(right.at(-1) as number);
  return typed(a.type, dims);
};

const gemm: ShapeRule = (query) => {
  const [a, b] = [input(query, 0), input(query, 1)];
  const left = int(query.node, "transA", 0) ? a.dims.toReversed() : a.dims;
  const right = int(query.node, "transB", 0) ? b.dims.toReversed() : b.dims;
  if (left.length !== 2 || right.length !== 2 || left[1] !== right[0]) throw misfit(query, a.dims, b.dims);
  return typed(a.type, [left[0] as number, right[1] as number]);
};

const conv: ShapeRule = (query) => {
  const [x, w] = [input(query, 0), input(query, 1)];
  const window = convolutionWindow(query, w.dims.slice(2));
  if (x.dims.length !== w.dims.length || x.dims[1] !== (w.dims[1] as number) * int(query.node, "group", 1)) {
    throw misfit(query, x.dims, w.dims);
  }
  const spatial = x.dims.slice(2).map((size, axis) => slidingOutput(window, axis, size, false));
  return typed(x.type, [x.dims[0] as number, w.dims[0] as number, ...spatial]);
};

const convTranspose: ShapeRule = (query) => {
  const [x, w] = [input(query, 0), input(query, 1)];
  const { kernel, strides, dilations, pads } = convolutionWindow(query, w.dims.slice(2));
  const extra = ints(query.node, "output_padding") ?? kernel.map(() => 0);
  const given = ints(query.node, "output_shape");
  const rank = kernel.length;
  const same = string(query.node, "auto_pad", "NOTSET").startsWith("SAME");
  const spatial = x.dims.slice(2).map((size, axis) => {
    const at = (list: Dims, index: number) => list[index] as number;
    if (given) return at(given, axis + given.length - rank);
    const reach = (at(kernel, axis) - 1) * at(dilations, axis) + 1;
    const full = at(strides, axis) * (size - 1) + at(extra, axis) + reach;
    if (same) return Math.min(size * at(strides, axis), full);
    return full - at(pads, axis) - at(pads, axis + rank);
  });
  return typed(x.type, [x.dims[0] as number, (w.dims[1] as number) * int(query.node, "group", 1), ...spatial]);
};

const einsum: ShapeRule = (query) => {
  const equation = string(query.node, "equation", "").replaceAll(" ", "");
  const [terms = "", result] = equation.split("->");
  const sizes = new Map<string, number>();
  if (result === undefined || equation.includes("...")) {
    throw new ModelError(
      `node ${describe(query.node)}: equation ${equation} is not supported; write every index and ->`,
    );
  }
  terms.split(",").forEach((term, index) => {
    const { dims } = input(query, index);
    if (term.length !== dims.length) throw misfit(query, dims, [term.length]);
    [...term].forEach((letter, axis) => sizes.set(letter, Math.max(sizes.get(letter) ?? 1, dims[axis] as number)));
  });
  return typed(
    input(query, 0).type,
    [...result].map((letter) => sizes.get(letter) as number),
  );
};

/** Kernel, strides, dilations and pads (begins, then ends) of a sliding window, every default written out. */
export interface Window {
  readonly kernel: Dims;
  readonly strides: Dims;
  readonly dilations: Dims;
  readonly pads: Dims;
}

export function convolutionWindow(query: ShapeQuery, kernel: Dims): Window {
  const { node } = query;
  const ones = kernel.map(() => 1);
  const strides = ints(node, "strides") ?? ones;
  const dilations = ints(node, "dilations") ?? ones;
  const mode = string(node, "auto_pad", "NOTSET");
  if (mode === "NOTSET") return { kernel, strides, dilations, pads: ints(node, "pads") ?? [...ones, ...ones].fill(0) };
  if (mode === "VALID") return { kernel, strides, dilations, pads: [...ones, ...ones].fill(0) };
  const spatial = input(query, 0).dims.slice(2);
  const totals = kernel.map((size, axis) => {
    const [stride, length] = [strides[axis] as number, spatial[axis] as number];
    const reach = (size - 1) * (dilations[axis] as number) + 1;
    return Math.max(0, (Math.ceil(length / stride) - 1) * stride + reach - length);
  });
  const small = totals.map((total) => Math.floor(total / 2));
  const large = totals.map((total) => Math.ceil(total / 2));
  return { kernel, strides, dilations, pads: mode === "SAME_LOWER" ? [...large, ...small] : [...small, ...large] };
}

/** Output length of a sliding window along one axis. */
export function slidingOutput(window: Window, axis: number, size: number, ceil: boolean): number {
  const { kernel, strides, dilations, pads } = window;
  const stride = strides[axis] as number;
  const begin = pads[axis] as number;
  const padded = size + begin + (pads[axis + kernel.length] as number);
  const reach = ((kernel[axis] as number) - 1) * (dilations[axis] as number) + 1;
  if (!ceil) return Math.floor((padded - reach) / stride) + 1;
  const length = Math.ceil((padded - reach) / stride) + 1;
  // A window that begins in the padding at the end is left out.
  return (length - 1) * stride >= size + begin ? length - 1 : length;
}

function misfit(query: ShapeQuery, a: Dims, b: Dims): ModelError {
  return new ModelError(
    `node ${describe(query.node)}: shapes [${a.join(", ")}] and [${b.join(", ")}] do not fit together`,
  );
}

export const linearShapes: Readonly<Record<string, ShapeRule>> = {
  MatMul: matMul,
  Gemm: gemm,
  Conv: conv,
  ConvTranspose: convTranspose,
  Einsum: einsum,
};
