import { int, ints } from "../../graph/graph.ts";
import { reshape, slice, transpose } from "../../graph/operators.ts";
import { padWidths, sliceRanges } from "../../graph/shapes/movement.ts";
import { ModelError } from "../../errors.ts";
import { describe, string } from "../../graph/graph.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent } from "./rule.ts";

function query(at: Differentiated) {
  const { b, node } = at;
  const inputs = node.inputs.map((input) => b.typeIfKnown(input));
  return { node, inputs, constant: (index: number) => b.constantOf(node.inputs[index] ?? "") };
}

/** The leading axes of a cotangent. */
function leading(at: Pullback): readonly number[] {
  return at.b.dims(cotangent(at)).slice(0, at.lead);
}

/** The same elements in the input's dimensions. */
const reshaped: Rule = {
  linearity: "linear",
  vjp: (at) => [reshape(at.b, cotangent(at), [...leading(at), ...at.b.dims(at.node.inputs[0] as string)])],
};

const transposed: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const rank = at.b.rank(at.node.inputs[0] as string);
    const order = ints(at.node, "perm") ?? Array.from({ length: rank }, (_, axis) => rank - 1 - axis);
    const back = order.map((_, axis) => at.lead + order.indexOf(axis));
    return [transpose(at.b, cotangent(at), [...leading(at).keys(), ...back])];
  },
};

const concat: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const rank = b.rank(node.outputs[0] as string);
    const axis = (int(node, "axis", 0) + rank) % rank;
    let begin = 0;
    return node.inputs.map((input, index) => {
      const start = begin;
      begin += b.dims(input)[axis] as number;
      return at.varies(index) ? slice(b, cotangent(at), [lead + axis], [start], [begin]) : undefined;
    });
  },
};

const padded: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const mode = string(node, "mode", "constant");
    if (mode !== "constant") {
      throw new ModelError(`node ${describe(node)}: padding by ${mode} has no derivative rule; constant padding has`);
    }
    const widths = padWidths(query(at));
    const axes = widths.flatMap(({ begin, end }, axis) => (begin !== 0 || end !== 0 ? [axis] : []));
    if (axes.length === 0) return [cotangent(at)];
    const dims = b.dims(node.inputs[0] as string);
    const starts = axes.map((axis) => widths[axis]?.begin as number);
    const ends = axes.map((axis, index) => (starts[index] as number) + (dims[axis] as number));
    return [
      slice(
        b,
        cotangent(at),
        axes.map((axis) => lead + axis),
        starts,
        ends,
      ),
    ];
  },
};

const sliced: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const ranges = sliceRanges(query(at));
    const dims = b.dims(node.inputs[0] as string);
    if (ranges.some(({ step }) => step !== 1)) {
      throw new ModelError(`node ${describe(node)}: a Slice with steps has no derivative rule`);
    }
    const none = leading(at).map(() => 0);
    const ends = ranges.map(({ begin, length }, axis) => (dims[axis] as number) - begin - length);
    const pads = [...none, ...ranges.map(({ begin }) => begin), ...none, ...ends];
    return [lead >= 0 ? b.add("Pad", [cotangent(at), b.integers(pads)]) : undefined];
  },
};

export const movementRules: Readonly<Record<string, Rule>> = {
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Transpose: transposed,
  Concat: concat,
  Pad: padded,
  Slice: sliced,
};
