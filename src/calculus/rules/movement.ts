import type { ValueId } from "../../graph/graph.ts";
import { int, ints, string } from "../../graph/graph.ts";
import { concat, pad, reshape, slice, transpose } from "../../graph/operators.ts";
import { padWidths, sliceRanges } from "../../graph/shapes/movement.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, linear } from "./rule.ts";

function query(at: Differentiated) {
  const { b, node } = at;
  const inputs = node.inputs.map((input) => b.typeIfKnown(input));
  return { node, inputs, constant: (index: number) => b.constantOf(node.inputs[index] ?? "") };
}

/** The leading axes of a cotangent. */
function leading(at: Pullback): readonly number[] {
  return at.b.dims(cotangent(at)).slice(0, at.lead);
}

/** The same elements in other dimensions. */
const reshaped = linear(
  ({ b, node }, value, lead) =>
    reshape(b, value, [...b.dims(value).slice(0, lead), ...b.dims(node.outputs[0] as ValueId)]),
  (at) => reshape(at.b, cotangent(at), [...leading(at), ...at.b.dims(at.node.inputs[0] as ValueId)]),
);

function orderOf({ b, node }: Differentiated): readonly number[] {
  const rank = b.rank(node.inputs[0] as ValueId);
  return ints(node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
}

/** An order of axes behind `lead` that stay. */
function behind(lead: number, order: readonly number[]): number[] {
  return [...Array.from({ length: lead }, (_, axis) => axis), ...order.map((axis) => lead + axis)];
}

const transposed = linear(
  (at, value, lead) => transpose(at.b, value, behind(lead, orderOf(at))),
  (at) => {
    const order = orderOf(at);
    return transpose(
      at.b,
      cotangent(at),
      behind(
        at.lead,
        order.map((_, axis) => order.indexOf(axis)),
      ),
    );
  },
);

/** The axis of a Concat, from the front. */
function concatAxis({ b, node }: Differentiated): number {
  const rank = b.rank(node.outputs[0] as ValueId);
  return (int(node, "axis", 0) + rank) % rank;
}

const concatenated: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const axis = concatAxis(at);
    let begin = 0;
    return node.inputs.map((input, index) => {
      const start = begin;
      begin += b.dims(input)[axis] as number;
      return at.varies(index) ? slice(b, cotangent(at), [lead + axis], [start], [begin]) : undefined;
    });
  },
  taylor: (at) => {
    const { b, node } = at;
    const axis = concatAxis(at);
    const jets = node.inputs.map((_, index) => at.jet(index));
    const directions = b.dims(jets.find((jet) => jet !== undefined)?.first as ValueId)[0] as number;
    const zeros = (dims: readonly number[]) => b.add("ConstantOfShape", [b.integers(dims)]);
    const first = node.inputs.map((input, index) => jets[index]?.first ?? zeros([directions, ...b.dims(input)]));
    const second = node.inputs.map((input, index) => jets[index]?.second ?? zeros(b.dims(input)));
    const bent = jets.some((jet) => jet?.second !== undefined);
    return [{ root: { first: concat(b, first, axis + 1), second: bent ? concat(b, second, axis) : undefined } }];
  },
};

/** Padding, and taking it off again; where it was negative, what was cut off is zero. */
const padded: Rule = {
  ...linear(
    (at, value, lead) => padBy(at, value, lead, 1),
    (at) => padBy(at, cotangent(at), at.lead, -1),
  ),
  linearity: ({ node }) => (string(node, "mode", "constant") === "constant" ? "linear" : "unsupported"),
};

function padBy(at: Differentiated, value: ValueId, lead: number, sign: number): ValueId {
  const widths = padWidths(query(at));
  const none = Array.from({ length: lead }, () => 0);
  const begins = widths.map(({ begin }) => sign * begin);
  return pad(at.b, value, [...none, ...begins, ...none, ...widths.map(({ end }) => sign * end)]);
}

const sliced: Rule = {
  ...linear(
    (at, value, lead) => {
      const ranges = sliceRanges(query(at));
      const axes = ranges.map((_, axis) => lead + axis);
      const starts = ranges.map(({ begin }) => begin);
      return slice(
        at.b,
        value,
        axes,
        starts,
        ranges.map(({ begin, length }) => begin + length),
      );
    },
    (at) => {
      const { b, node } = at;
      const ranges = sliceRanges(query(at));
      const dims = b.dims(node.inputs[0] as ValueId);
      const none = leading(at).map(() => 0);
      const ends = ranges.map(({ begin, length }, axis) => (dims[axis] as number) - begin - length);
      return pad(b, cotangent(at), [...none, ...ranges.map(({ begin }) => begin), ...none, ...ends]);
    },
  ),
  linearity: (at) => (sliceRanges(query(at)).every(({ step }) => step === 1) ? "linear" : "unsupported"),
};

export const movementRules: Readonly<Record<string, Rule>> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transposed,
  Concat: concatenated,
  Pad: padded,
  Slice: sliced,
};
