import { int, ints, string } from "../graph.ts";
import { padWidths, sliceRanges, splitSizes } from "../shapes/movement.ts";
import { axisOf, input } from "../shapes/shape-rule.ts";
import type { Flow, HomogeneityRule } from "./homogeneity-rule.ts";
import { collapsed, concatenated, ofRank, permuted, reshaped, taken, uniform } from "./scale-map.ts";
import { ANY } from "./scale-classes.ts";

// Operators that move elements: each takes its scale along. Exact, so that the columns of a layer behind a Flatten
// know their channels.

const reshape: HomogeneityRule = (flow) => [reshaped(flow.scale(0), input(flow.query, 0).dims, flow.output(0))];

const transpose: HomogeneityRule = (flow) => {
  const map = flow.scale(0);
  return [permuted(map, ints(flow.node, "perm") ?? map.dims.map((_, axis) => map.dims.length - 1 - axis))];
};

const expand: HomogeneityRule = (flow) => [ofRank(flow.scale(0), flow.output(0).length)];

const slice: HomogeneityRule = (flow) => {
  const ranges = sliceRanges(flow.query);
  return [
    ranges.reduce(
      (map, { begin, step, length }, axis) =>
        taken(
          map,
          axis,
          numbers(length, (index) => begin + index * step),
        ),
      flow.scale(0),
    ),
  ];
};

const split: HomogeneityRule = (flow) => {
  const axis = axisGiven(flow);
  let start = 0;
  return splitSizes(flow.query).map((length) => {
    const begin = start;
    start += length;
    return taken(
      flow.scale(0),
      axis,
      numbers(length, (index) => begin + index),
    );
  });
};

const concat: HomogeneityRule = (flow) => {
  const axis = axisGiven(flow);
  const maps = flow.node.inputs.map((_, index) => flow.scale(index));
  const lengths = maps.map((_, index) => input(flow.query, index).dims[axis] as number);
  return [concatenated(maps, lengths, axis)];
};

/** Entries at constant places, or at computed ones, which may be any. */
const gather: HomogeneityRule = (flow) => {
  const axis = axisGiven(flow);
  const map = flow.scale(0);
  const size = input(flow.query, 0).dims[axis] as number;
  const indices = flow.query.constant(1);
  flow.hold(1);
  const chosen = indices && Array.from(indices.numbers(), (index) => (index < 0 ? index + size : index));
  const moved = chosen ? taken(map, axis, chosen) : collapsed(map, [axis], flow.classes, flow.who);
  const places = indices && moved.dims[axis] !== 1 ? indices.dims : input(flow.query, 1).dims.map(() => 1);
  return [{ dims: moved.dims.toSpliced(axis, 1, ...places), scales: moved.scales }];
};

/** Zeros have no scale; what is reflected is mixed in along its axis. */
const pad: HomogeneityRule = (flow) => {
  const widths = padWidths(flow.query);
  const map = flow.scale(0);
  const filling = flow.node.inputs[2] ? flow.query.constant(2)?.numbers()[0] : 0;
  const axes = widths.flatMap(({ begin, end }, axis) => (begin === 0 && end === 0 ? [] : [axis]));
  if (string(flow.node, "mode", "constant") !== "constant") return [collapsed(map, axes, flow.classes, flow.who)];
  if (filling !== 0) return undefined;
  return [
    axes.reduce((padded, axis) => {
      const { begin, end } = widths[axis] as { begin: number; end: number };
      const size = map.dims[axis] as number;
      const at = (index: number) => (index < begin || index >= begin + size ? ANY : index - begin);
      return taken(padded, axis, numbers(begin + size + end, at));
    }, map),
  ];
};

function axisGiven(flow: Flow): number {
  return axisOf(flow.query, int(flow.node, "axis", 0), input(flow.query, 0).dims.length);
}

function numbers(length: number, value: (index: number) => number): number[] {
  return Array.from({ length }, (_, index) => value(index));
}

/** Zeros, whatever asks for them. */
const zeros: HomogeneityRule = (flow) => {
  const value = flow.node.attributes["value"];
  const filling = value?.kind === "tensor" ? value.value.numbers()[0] : 0;
  return filling === 0 ? [uniform(flow.output(0).length, ANY)] : undefined;
};

export const movementHomogeneity: Readonly<Record<string, HomogeneityRule>> = {
  Reshape: reshape,
  Flatten: reshape,
  Squeeze: reshape,
  Unsqueeze: reshape,
  Transpose: transpose,
  Expand: expand,
  Slice: slice,
  Split: split,
  Concat: concat,
  Gather: gather,
  Pad: pad,
  ConstantOfShape: zeros,
};
