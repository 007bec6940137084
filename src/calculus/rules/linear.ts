import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { float, int } from "../../graph/graph.ts";
import { matMul, reshape, scale, swap } from "../../graph/operators.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import { broadcastJet, productJet, sumOfJets, type Jet } from "../jets.ts";
import type { Rule } from "./rule.ts";
import { bilinear, cotangent, each, linearInEach, pushed, unbroadcast } from "./rule.ts";

const matMulRule: Rule = {
  linearity: linearInEach,
  vjp: (at) => {
    const { b, lead, node } = at;
    const [x = "", y = ""] = node.inputs;
    const outer = b.dims(cotangent(at)).slice(0, lead);
    // A vector is a row on the left and a column on the right; the product lacks its axis.
    const left = b.rank(x) > 1 ? x : reshape(b, x, [1, ...b.dims(x)]);
    const right = b.rank(y) > 1 ? y : reshape(b, y, [...b.dims(y), 1]);
    const dims = [...b.dims(node.outputs[0] as ValueId)];
    if (right !== y) dims.push(1);
    if (left !== x) dims.splice(-1, 0, 1);
    const given = reshape(b, cotangent(at), [...outer, ...dims]);
    const fitted = (value: ValueId, matrix: ValueId, operand: ValueId) =>
      reshape(b, unbroadcast(b, value, lead, b.dims(matrix)), [...outer, ...b.dims(operand)]);
    return each(
      at,
      () => fitted(matMul(b, given, swap(b, right)), left, x),
      () =>
        isShared(b, left, right)
          ? reshape(b, summedOver(b, left, given, outer), [...outer, ...b.dims(y)])
          : fitted(transposedTimes(b, left, given), right, y),
    );
  },
  taylor: (at) => {
    const { b, node } = at;
    const [x = "", y = "", output = ""] = [...node.inputs, ...node.outputs];
    const times = (u: ValueId, v: ValueId) => matMul(b, u, v);
    return [{ root: productJet(b, times, b.rank(output), [x, at.jet(0)], [y, at.jet(1)]) }];
  },
};

/** Xᵀ G of many matrices, the smaller operand transposed: the runtime copies it. */
function transposedTimes(b: Builder, x: ValueId, given: ValueId): ValueId {
  const isLarger = (b.dims(x).at(-1) as number) > (b.dims(given).at(-1) as number);
  return isLarger && b.rank(x) > 2 ? swap(b, matMul(b, swap(b, given), x)) : matMul(b, swap(b, x), given);
}

/** Whether one matrix meets the rows of many. */
function isShared(b: Builder, left: ValueId, right: ValueId): boolean {
  return b.rank(left) > 2 && b.rank(right) === 2;
}

/** The cotangent of a matrix that all rows of x share, as one product over all rows: [outer…, width of x, width of the cotangent]. */
function summedOver(b: Builder, x: ValueId, given: ValueId, outer: Dims): ValueId {
  const width = b.dims(x).at(-1) as number;
  const rows = count(b.dims(x).slice(0, -1));
  const flat = reshape(b, given, [...outer, rows, b.dims(given).at(-1) as number]);
  return matMul(b, swap(b, reshape(b, x, [rows, width])), flat);
}

const gemm: Rule = {
  linearity: bilinear,
  vjp: (at) => {
    const { b, lead, node } = at;
    const [x = "", y = "", c = ""] = node.inputs;
    const [transA, transB] = [int(node, "transA", 0) === 1, int(node, "transB", 0) === 1];
    const alpha = float(node, "alpha", 1);
    const given = cotangent(at);
    const [left, right] = [transA ? swap(b, x) : x, transB ? swap(b, y) : y];
    // What belongs to a transposed operand is multiplied the other way round, which leaves nothing to be transposed.
    const times = (u: ValueId, v: ValueId, turned: boolean) =>
      scale(b, turned ? matMul(b, swap(b, v), swap(b, u)) : matMul(b, u, v), alpha);
    return each(
      at,
      () => times(given, swap(b, right), transA),
      () => times(swap(b, left), given, transB),
      () => scale(b, unbroadcast(b, given, lead, b.dims(c)), float(node, "beta", 1)),
    );
  },
  taylor: (at) => {
    const { b, node } = at;
    const [x = "", y = "", c = ""] = node.inputs;
    const turn = (value: ValueId, turned: number) => (turned === 1 ? swap(b, value) : value);
    const [transA, transB] = [int(node, "transA", 0), int(node, "transB", 0)];
    const times = (u: ValueId, v: ValueId) =>
      scale(b, matMul(b, turn(u, transA), turn(v, transB)), float(node, "alpha", 1));
    const jets: Jet[] = [];
    if (at.varies(0) || at.varies(1)) jets.push(productJet(b, times, 2, [x, at.jet(0)], [y, at.jet(1)]));
    const bias = c === "" ? undefined : at.jet(2);
    const beta = float(node, "beta", 1);
    const output = b.dims(node.outputs[0] as ValueId);
    if (bias)
      jets.push(
        broadcastJet(
          b,
          pushed(bias, (value) => scale(b, value, beta)),
          output,
        ),
      );
    return [{ root: jets.reduce((left, right) => sumOfJets(b, left, right)) }];
  },
};

export const linearRules: Readonly<Record<string, Rule>> = {
  MatMul: matMulRule,
  Gemm: gemm,
};
