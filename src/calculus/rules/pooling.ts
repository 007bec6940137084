import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { int, ints } from "../../graph/graph.ts";
import { expand, foldLead, reshape, scale } from "../../graph/operators.ts";
import { convolutionWindow, type Window } from "../../graph/shapes/linear.ts";
import { count } from "../../graph/tensor.ts";
import { axisMap, throughAxes, transposed, type AxisMap } from "./axis-maps.ts";
import { cotangent, linear, type Differentiated, type Rule } from "./rule.ts";

// Averages over windows and whole maps.

export function poolWindow(b: Builder, node: Node): Window {
  const inputs = node.inputs.map((input) => b.typeIfKnown(input));
  return convolutionWindow({ node, inputs, constant: () => undefined }, ints(node, "kernel_shape") ?? []);
}

const globalAverage = linear(
  ({ b }, value, lead) => {
    const spatial = Array.from({ length: b.rank(value) - lead - 2 }, (_, axis) => lead + 2 + axis);
    return b.add("ReduceMean", [value, b.integers(spatial)], { keepdims: 1 });
  },
  (at) => {
    const { b, node, lead } = at;
    const dims = b.dims(node.inputs[0] as ValueId);
    const mean = scale(b, cotangent(at), 1 / count(dims.slice(2)));
    return expand(b, mean, [...b.dims(cotangent(at)).slice(0, lead), ...dims]);
  },
);

const average = linear(
  ({ b, node }, value, lead) => {
    const folded = lead > 0 ? foldLead(b, value) : value;
    const output = b.add("AveragePool", [folded], node.attributes);
    return reshape(b, output, [...b.dims(value).slice(0, lead), ...b.dims(node.outputs[0] as ValueId)]);
  },
  (at) => throughAxes(at.b, cotangent(at), at.lead + 2, averages(at).map(transposed)),
);

/** What each position along each axis averages over. That an average is of a box makes it a product of these. */
function averages({ b, node }: Differentiated): AxisMap[] {
  const { kernel, strides, dilations, pads } = poolWindow(b, node);
  const padded = int(node, "count_include_pad", 0) === 1;
  const sizes = b.dims(node.inputs[0] as ValueId).slice(2);
  const lengths = b.dims(node.outputs[0] as ValueId).slice(2);
  return lengths.map((length, axis) => {
    const at = (list: readonly number[], index = axis) => list[index] as number;
    const size = at(sizes);
    const end = size + at(pads, axis + lengths.length);
    const windows = Array.from({ length }, (_, position) => {
      const start = position * at(strides) - at(pads);
      const taps = Array.from({ length: at(kernel) }, (__, tap) => start + tap * at(dilations));
      const inside = taps.filter((place) => place >= 0 && place < size);
      // What ceil_mode lets hang over the padding at the end is not counted in any case.
      const counted = padded ? taps.filter((place) => place < end).length : inside.length;
      return inside.map((place) => [place, 1 / counted] as [number, number]);
    });
    return axisMap(size, windows);
  });
}

export const poolingRules: Readonly<Record<string, Rule>> = {
  GlobalAveragePool: globalAverage,
  AveragePool: average,
};
