import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { float, int } from "../../graph/graph.ts";
import { foldLead, matMul, reshape, scale, swap } from "../../graph/operators.ts";
import { convolutionWindow, type Window } from "../../graph/shapes/linear.ts";
import type { Pullback, Rule } from "./rule.ts";
import { cotangent, each, linearInEach, unbroadcast } from "./rule.ts";

const matMulRule: Rule = {
  linearity: linearInEach,
  vjp: (at) => {
    const { b, lead } = at;
    const [x = "", y = ""] = at.node.inputs;
    return each(
      at,
      () => unbroadcast(b, matMul(b, cotangent(at), swap(b, y)), lead, b.dims(x)),
      () => unbroadcast(b, matMul(b, swap(b, x), cotangent(at)), lead, b.dims(y)),
    );
  },
};

const gemm: Rule = {
  linearity: (at) => linearInEach({ ...at, node: { ...at.node, inputs: at.node.inputs.slice(0, 2) } }),
  vjp: (at) => {
    const { b, lead, node } = at;
    const [x = "", y = "", c = ""] = node.inputs;
    const [transA, transB] = [int(node, "transA", 0) === 1, int(node, "transB", 0) === 1];
    const alpha = float(node, "alpha", 1);
    const given = cotangent(at);
    return each(
      at,
      () => {
        const pulled = scale(b, matMul(b, given, transB ? y : swap(b, y)), alpha);
        return transA ? swap(b, pulled) : pulled;
      },
      () => {
        const pulled = scale(b, matMul(b, transA ? x : swap(b, x), given), alpha);
        return transB ? swap(b, pulled) : pulled;
      },
      () => scale(b, unbroadcast(b, given, lead, b.dims(c)), float(node, "beta", 1)),
    );
  },
};

/** Sliding-window attributes of a convolution with every default written out. */
export function windowOf(b: Builder, node: Node): Window {
  const types = node.inputs.map((input) => b.typeIfKnown(input));
  const kernel = b.dims(node.inputs[1] as ValueId).slice(2);
  return convolutionWindow({ node, inputs: types, constant: () => undefined }, kernel);
}

const conv: Rule = {
  linearity: (at) => linearInEach({ ...at, node: { ...at.node, inputs: at.node.inputs.slice(0, 2) } }),
  vjp: (at) => {
    const { b, node } = at;
    return each(
      at,
      () => pullThroughConv(at),
      () => {
        throw new TypeError(`gradient of the kernel of ${node.name}`);
      },
      () => {
        const rank = b.rank(cotangent(at));
        const axes = Array.from({ length: rank }, (_, axis) => axis).slice(at.lead);
        return b.add("ReduceSum", [cotangent(at), b.integers(axes.toSpliced(1, 1))], { keepdims: 0 });
      },
    );
  },
};

/** The cotangent of a convolution's input: the transposed convolution, all columns in one batch. */
function pullThroughConv(at: Pullback): ValueId {
  const { b, node, lead } = at;
  const [x = "", w = ""] = node.inputs;
  const { kernel, strides, dilations, pads } = windowOf(b, node);
  const size = b.dims(x);
  const given = lead > 0 ? foldLead(b, cotangent(at)) : cotangent(at);
  const spatial = b.dims(given).slice(2);
  const rank = kernel.length;
  const extra = spatial.map((length, axis) => {
    const at0 = (list: readonly number[], index: number) => list[index] as number;
    const reach = at0(strides, axis) * (length - 1) + (at0(kernel, axis) - 1) * at0(dilations, axis) + 1;
    return at0(size, axis + 2) - (reach - at0(pads, axis) - at0(pads, axis + rank));
  });
  const pulled = b.add("ConvTranspose", [given, w], {
    kernel_shape: kernel,
    strides,
    dilations,
    pads,
    group: int(node, "group", 1),
    output_padding: extra,
  });
  return reshape(b, pulled, [...b.dims(cotangent(at)).slice(0, lead), ...size]);
}

export const linearRules: Readonly<Record<string, Rule>> = {
  MatMul: matMulRule,
  Gemm: gemm,
  Conv: conv,
};
