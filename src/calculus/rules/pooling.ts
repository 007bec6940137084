import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { int, ints } from "../../graph/graph.ts";
import { expand, mul, reshape, scale, sub } from "../../graph/operators.ts";
import { convolutionWindow, type Window } from "../../graph/shapes/linear.ts";
import { count, Tensor, type Dims } from "../../graph/tensor.ts";
import type { Pullback, Rule } from "./rule.ts";
import { cotangent } from "./rule.ts";

function poolWindow(b: Builder, node: Node): Window {
  const inputs = node.inputs.map((input) => b.typeIfKnown(input));
  return convolutionWindow({ node, inputs, constant: () => undefined }, ints(node, "kernel_shape") ?? []);
}

/** Cotangent [lead…, N, C, …out] to [lead…, N, C, …in] through a mean over all positions. */
const globalAverage: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const dims = b.dims(node.inputs[0] as string);
    const mean = scale(b, cotangent(at), 1 / count(dims.slice(2)));
    return [expand(b, mean, [...b.dims(cotangent(at)).slice(0, lead), ...dims])];
  },
};

const average: Rule = {
  linearity: "linear",
  vjp: (at) => {
    const { b, node, lead } = at;
    const dims = b.dims(node.inputs[0] as string);
    const outer = b.dims(cotangent(at)).slice(0, lead);
    const window = poolWindow(b, node);
    const output = b.dims(node.outputs[0] as string).slice(2);
    const shares = Tensor.float32(output, windowShares(window, dims.slice(2), output, node));
    const weighted = mul(b, cotangent(at), b.constant(shares));
    const maps = reshape(b, weighted, [count(outer) * count(dims.slice(0, 2)), 1, ...output]);
    const ones = b.constant(Tensor.float32([1, 1, ...window.kernel], new Float32Array(count(window.kernel)).fill(1)));
    const rank = window.kernel.length;
    const extra = output.map((length, axis) => {
      const reach = (length - 1) * (window.strides[axis] as number) + ((window.kernel[axis] as number) - 1) * (window.dilations[axis] as number) + 1;
      return (dims[axis + 2] as number) - (reach - (window.pads[axis] as number) - (window.pads[axis + rank] as number));
    });
    // A last window that ceil_mode lets hang over the end needs the overhang cut, which negative padding does.
    const pads = window.pads.map((width, index) => (index >= rank ? width - Math.min(0, extra[index - rank] as number) : width));
    const pulled = b.add("ConvTranspose", [maps, ones], {
      kernel_shape: window.kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads,
      output_padding: extra.map((width) => Math.max(0, width)),
    });
    return [reshape(b, pulled, [...outer, ...dims])];
  },
};

/** 1 / the number of elements that each output position averages over. */
function windowShares(window: Window, input: Dims, output: Dims, node: Node): Float32Array {
  const rank = input.length;
  const padded = int(node, "count_include_pad", 0) === 1;
  const perAxis = output.map((length, axis) =>
    Array.from({ length }, (_, position) => {
      const at = (list: Dims, index: number) => list[index] as number;
      const start = position * at(window.strides, axis) - at(window.pads, axis);
      const low = padded ? -at(window.pads, axis) : 0;
      const high = at(input, axis) + (padded ? at(window.pads, axis + rank) : 0);
      let inside = 0;
      for (let tap = 0; tap < at(window.kernel, axis); tap++) {
        const place = start + tap * at(window.dilations, axis);
        if (place >= low && place < high) inside++;
      }
      return inside;
    }),
  );
  const strides = output.map((_, axis) => count(output.slice(axis + 1)));
  return Float32Array.from({ length: count(output) }, (_, flat) => {
    const inside = perAxis.map((list, axis) => list[Math.floor(flat / (strides[axis] as number)) % list.length] as number);
    return 1 / count(inside);
  });
}

/** Where in its own map [H·W…] each maximum was: the first of equal ones, as the runtime's Indices output says. */
function maximumPositions(b: Builder, node: Node): ValueId {
  const dims = b.dims(node.inputs[0] as string);
  const attributes = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name !== "storage_order"));
  const indices = b.addMany("MaxPool", [node.inputs[0] as string], attributes, 2)[1] as ValueId;
  // The runtime counts over the whole batch: take off each map's beginning.
  const maps = count(dims.slice(0, 2));
  const offsets = BigInt64Array.from({ length: maps }, (_, map) => BigInt(map * count(dims.slice(2))));
  const start = b.constant(Tensor.of("int64", [...dims.slice(0, 2), ...dims.slice(2).map(() => 1)], offsets));
  return sub(b, indices, start);
}

const max: Rule = {
  linearity: "piecewise-linear",
  vjp: (at) => [scatterMaxima(at, maximumPositions(at.b, at.node))],
};

function scatterMaxima(at: Pullback, positions: ValueId): ValueId {
  const { b, node, lead } = at;
  const dims = b.dims(node.inputs[0] as string);
  const output = b.dims(node.outputs[0] as string);
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const maps = [...outer, count(dims.slice(0, 2))];
  const [from, to] = [count(output.slice(2)), count(dims.slice(2))];
  const repeated = expand(b, reshape(b, positions, [count(dims.slice(0, 2)), from]), [...maps, from]);
  const zeros = b.add("ConstantOfShape", [b.integers([...maps, to])]);
  const values = reshape(b, cotangent(at), [...maps, from]);
  const scattered = b.add("ScatterElements", [zeros, repeated, values], { axis: lead + 1, reduction: "add" });
  return reshape(b, scattered, [...outer, ...dims]);
}

export const poolingRules: Readonly<Record<string, Rule>> = {
  GlobalAveragePool: globalAverage,
  AveragePool: average,
  MaxPool: max,
};
