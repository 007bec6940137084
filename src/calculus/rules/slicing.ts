import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { int, string } from "../../graph/graph.ts";
import { concat, pad, slice } from "../../graph/operators.ts";
import { padWidths, sliceRanges, splitSizes } from "../../graph/shapes/movement.ts";
import { count, type Dims } from "../../graph/tensor.ts";
import { cotangent, linear, type Differentiated, type Linearity, type Rule } from "./rule.ts";
import { runsOf, spread, transposedRuns } from "./strides.ts";

// Parts cut out of a value and put together: Slice, Split, Concat, Pad.

function query({ b, node }: Differentiated) {
  const inputs = node.inputs.map((input) => b.typeIfKnown(input));
  return { node, inputs, constant: (index: number) => b.constantOf(node.inputs[index] ?? "") };
}

export function zeros(b: Builder, dims: Dims): ValueId {
  return b.add("ConstantOfShape", [b.integers(dims)]);
}

/** The axis attribute of an operator, from the front. */
export function axisOf({ b, node }: Differentiated): number {
  const rank = b.rank(node.inputs[0] as ValueId);
  return (int(node, "axis", 0) + rank) % rank;
}

const concatenated: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const axis = axisOf(at);
    let begin = 0;
    return node.inputs.map((input, index) => {
      const start = begin;
      begin += b.dims(input)[axis] as number;
      return at.varies(index) ? slice(b, cotangent(at), [lead + axis], [start], [begin]) : undefined;
    });
  },
  taylor: (at) => {
    const { b, node } = at;
    const axis = axisOf(at);
    const jets = node.inputs.map((_, index) => at.jet(index));
    const directions = b.dims(jets.find((jet) => jet !== undefined)?.first as ValueId)[0] as number;
    const first = node.inputs.map((input, index) => jets[index]?.first ?? zeros(b, [directions, ...b.dims(input)]));
    const second = node.inputs.map((input, index) => jets[index]?.second ?? zeros(b, b.dims(input)));
    const bent = jets.some((jet) => jet?.second !== undefined);
    return [{ root: { first: concat(b, first, axis + 1), second: bent ? concat(b, second, axis) : undefined } }];
  },
};

const split: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead, cotangents } = at;
    const axis = axisOf(at);
    const dims = b.dims(node.inputs[0] as ValueId);
    const sizes = splitSizes(query(at));
    const given = sizes.flatMap((_, index) => (cotangents[index] === undefined ? [] : [index]));
    const [only = 0] = given;
    const value = cotangents[only] as ValueId;
    if (given.length === 1) {
      const begin = sizes.slice(0, only).reduce((sum, size) => sum + size, 0);
      const run = { begin, step: 1, length: sizes[only] as number };
      return [spread(b, value, lead + axis, run, dims[axis] as number)];
    }
    const whole = [...b.dims(value).slice(0, lead), ...dims];
    const parts = sizes.map((size, index) => cotangents[index] ?? zeros(b, whole.with(lead + axis, size)));
    return [concat(b, parts, lead + axis)];
  },
  taylor: (at) => {
    const { b } = at;
    const jet = at.jet(0);
    if (!jet) return [];
    const sizes = splitSizes(query(at));
    const cut = (value: ValueId, lead: number) =>
      b.addMany("Split", [value, b.integers(sizes)], { axis: lead + axisOf(at) }, sizes.length);
    const first = cut(jet.first, 1);
    const second = jet.second === undefined ? undefined : cut(jet.second, 0);
    return sizes.map((_, index) => ({ root: { first: first[index] as ValueId, second: second?.[index] } }));
  },
};

const sliced = linear(
  (at, value, lead) => {
    const { b, node } = at;
    const dims = b.dims(node.inputs[0] as ValueId);
    const cut = sliceRanges(query(at))
      .map((range, axis) => ({ ...range, axis, size: dims[axis] as number }))
      .filter(({ length, step, size }) => length !== size || step !== 1);
    if (cut.length === 0) return value;
    // An end below 0 would count from the back: −size − 1 is before the first element.
    const ends = cut.map(({ begin, length, step, size }) => {
      const end = begin + length * step;
      return end < 0 ? -size - 1 : end;
    });
    const list = (key: "axis" | "begin" | "step") => cut.map((range) => range[key]);
    const axes = list("axis").map((axis) => lead + axis);
    return slice(b, value, axes, list("begin"), ends, list("step"));
  },
  (at) => {
    const { b, node, lead } = at;
    const dims = b.dims(node.inputs[0] as ValueId);
    const outer = b.dims(cotangent(at)).slice(0, lead);
    if (count(b.dims(node.outputs[0] as ValueId)) === 0) return zeros(b, [...outer, ...dims]);
    const ranges = sliceRanges(query(at));
    // Axes without a stride are padded together.
    const strided = ranges.map(({ length, step }) => length > 1 && step !== 1);
    const apart = ranges.reduce(
      (value, range, axis) => (strided[axis] ? spread(b, value, lead + axis, range, dims[axis] as number) : value),
      cotangent(at),
    );
    const none = outer.map(() => 0);
    const begins = ranges.map(({ begin }, axis) => (strided[axis] ? 0 : begin));
    const ends = ranges.map(({ begin, length }, axis) => (strided[axis] ? 0 : (dims[axis] as number) - begin - length));
    return pad(b, apart, [...none, ...begins, ...none, ...ends]);
  },
);

/** Where a Pad that repeats what it has takes each position of an axis from. */
const mirrors: Readonly<Record<string, (position: number, size: number) => number>> = {
  edge: (position, size) => Math.min(Math.max(position, 0), size - 1),
  reflect: (position, size) => {
    const period = Math.max(2 * (size - 1), 1);
    const within = ((position % period) + period) % period;
    return Math.min(within, period - within) % size;
  },
  wrap: (position, size) => ((position % size) + size) % size,
};

function modeOf({ node }: Differentiated): string {
  return string(node, "mode", "constant");
}

/** Padding by zeros, and taking it off again; where it was negative, what was cut off is zero. */
function padBy(at: Differentiated, value: ValueId, lead: number, sign: number): ValueId {
  return pad(at.b, value, leadingPads(at, lead, sign));
}

function leadingPads(at: Differentiated, lead: number, sign: number): number[] {
  const widths = padWidths(query(at));
  const none = Array.from({ length: lead }, () => 0);
  const begins = widths.map(({ begin }) => sign * begin);
  return [...none, ...begins, ...none, ...widths.map(({ end }) => sign * end)];
}

const padded: Rule = {
  ...linear(
    (at, value, lead) => {
      const mode = modeOf(at);
      if (mode === "constant") return padBy(at, value, lead, 1);
      return at.b.add("Pad", [value, at.b.integers(leadingPads(at, lead, 1))], { mode });
    },
    (at) => {
      const mirror = mirrors[modeOf(at)];
      if (!mirror) return padBy(at, cotangent(at), at.lead, -1);
      const { b, node, lead } = at;
      const dims = b.dims(node.inputs[0] as ValueId);
      return padWidths(query(at)).reduce((value, { begin, end }, axis) => {
        if (begin === 0 && end === 0) return value;
        const size = dims[axis] as number;
        const sources = Array.from({ length: begin + size + end }, (_, position) => mirror(position - begin, size));
        return transposedRuns(b, value, lead + axis, runsOf(sources), size);
      }, cotangent(at));
    },
  ),
  linearity: (at): Linearity => (modeOf(at) === "constant" || modeOf(at) in mirrors ? "linear" : "unsupported"),
};

export const slicingRules: Readonly<Record<string, Rule>> = {
  Concat: concatenated,
  Split: split,
  Slice: sliced,
  Pad: padded,
};
