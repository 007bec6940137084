import type { Builder } from "../../graph/builder.ts";
import type { Node, ValueId } from "../../graph/graph.ts";
import { int, ints } from "../../graph/graph.ts";
import { expand, foldLead, matMul, mul, pad, reshape, scale, slice, sub } from "../../graph/operators.ts";
import { convolutionWindow, type Window } from "../../graph/shapes/linear.ts";
import { count, Tensor, type Dims } from "../../graph/tensor.ts";
import type { Jet } from "../jets.ts";
import type { Differentiated, Pullback, Rule } from "./rule.ts";
import { cotangent, linear, pushed } from "./rule.ts";

function poolWindow(b: Builder, node: Node): Window {
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
    const dims = b.dims(node.inputs[0] as string);
    const mean = scale(b, cotangent(at), 1 / count(dims.slice(2)));
    return expand(b, mean, [...b.dims(cotangent(at)).slice(0, lead), ...dims]);
  },
);

const average = linear(
  ({ b, node }, value, lead) => {
    const folded = lead > 0 ? foldLead(b, value) : value;
    const output = b.add("AveragePool", [folded], node.attributes);
    return reshape(b, output, [...b.dims(value).slice(0, lead), ...b.dims(node.outputs[0] as string)]);
  },
  (at) => {
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
      const reach =
        (length - 1) * (window.strides[axis] as number) +
        ((window.kernel[axis] as number) - 1) * (window.dilations[axis] as number) +
        1;
      return (
        (dims[axis + 2] as number) - (reach - (window.pads[axis] as number) - (window.pads[axis + rank] as number))
      );
    });
    // A last window that ceil_mode lets hang over the end needs the overhang cut, which negative padding does.
    const pads = window.pads.map((width, index) =>
      index >= rank ? width - Math.min(0, extra[index - rank] as number) : width,
    );
    const pulled = b.add("ConvTranspose", [maps, ones], {
      kernel_shape: window.kernel,
      strides: window.strides,
      dilations: window.dilations,
      pads,
      output_padding: extra.map((width) => Math.max(0, width)),
    });
    return reshape(b, pulled, [...outer, ...dims]);
  },
);

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
    const inside = perAxis.map(
      (list, axis) => list[Math.floor(flat / (strides[axis] as number)) % list.length] as number,
    );
    return 1 / count(inside);
  });
}

/** Where in its own map [H·W…] each maximum was: the first of equal ones, as the runtime's Indices output says. */
function maximumPositions(b: Builder, node: Node): ValueId {
  const dims = b.dims(node.inputs[0] as string);
  const indices = b.widen(node);
  // The runtime counts over the whole batch: take off each map's beginning.
  const maps = count(dims.slice(0, 2));
  const offsets = BigInt64Array.from({ length: maps }, (_, map) => BigInt(map * count(dims.slice(2))));
  const start = b.constant(Tensor.of("int64", [...dims.slice(0, 2), ...dims.slice(2).map(() => 1)], offsets));
  return sub(b, indices, start);
}

const max: Rule = {
  linearity: "piecewise-linear",
  vjp: (at) => {
    const { b, node } = at;
    const window = poolWindow(b, node);
    const besideEachOther = tiles(window, b.dims(node.inputs[0] as string));
    return [besideEachOther ? spreadMaxima(at, window) : scatterMaxima(at)];
  },
  taylor: (at) => [{ root: pushed(at.jet(0) as Jet, (value, lead) => takeMaxima(at, value, lead)) }],
};

/** The elements of a value [lead…, N, C, …in] at the places of the maxima. */
function takeMaxima({ b, node }: Differentiated, value: ValueId, lead: number): ValueId {
  const dims = b.dims(node.inputs[0] as string);
  const pooled = b.dims(node.outputs[0] as string);
  const outer = b.dims(value).slice(0, lead);
  const [maps, inputs, outputs] = [count(dims.slice(0, 2)), count(dims.slice(2)), count(pooled.slice(2))];
  const positions = expand(b, reshape(b, maximumPositions(b, node), [maps, outputs]), [...outer, maps, outputs]);
  const taken = b.add("GatherElements", [reshape(b, value, [...outer, maps, inputs]), positions], { axis: lead + 1 });
  return reshape(b, taken, [...outer, ...pooled]);
}

/** Whether the windows lie side by side, so that each input position belongs to one window at most. */
function tiles({ kernel, strides, dilations, pads }: Window, dims: Dims): boolean {
  const beside = kernel.every((size, axis) => size === strides[axis] && (dilations[axis] === 1 || size === 1));
  return beside && pads.every((width) => width === 0) && kernel.length === 2 && dims.length === 4;
}

/** Windows that overlap: values are scattered to the maxima's places, adding. */
function scatterMaxima(at: Pullback): ValueId {
  const { b, node, lead } = at;
  const dims = b.dims(node.inputs[0] as string);
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const maps = count(dims.slice(0, 2));
  const outputs = count(b.dims(node.outputs[0] as string).slice(2));
  const values = reshape(b, cotangent(at), [...outer, maps, outputs]);
  const zeros = b.add("ConstantOfShape", [b.integers([...outer, maps, count(dims.slice(2))])]);
  const positions = expand(b, reshape(b, maximumPositions(b, node), [maps, outputs]), [...outer, maps, outputs]);
  const scattered = b.add("ScatterElements", [zeros, positions, values], { axis: lead + 1, reduction: "add" });
  return reshape(b, scattered, [...outer, ...dims]);
}

/** Maps of at most this many outputs are repeated by one product with the whole plane. */
const SMALL_PLANE = 64;

/**
 * Windows side by side: the cotangent is repeated over its window and a mask of the maxima, made once for all columns,
 * keeps it where it belongs. Repeating is a product with a matrix of zeros and ones: the whole plane where that is small, else along
 * the width, and a broadcast along the height.
 */
function spreadMaxima(at: Pullback, { kernel }: Window): ValueId {
  const { b, node, lead } = at;
  const dims = b.dims(node.inputs[0] as string) as [number, number, number, number];
  const [batch, channels, height, width] = dims;
  const [rows, columns] = b.dims(node.outputs[0] as string).slice(2) as [number, number];
  const [tall, wide] = kernel as [number, number];
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const mask = maximaMask(b, node, kernel);
  if (rows * columns <= SMALL_PLANE) {
    const repeat = new Float32Array(rows * columns * height * width);
    for (let row = 0; row < rows * tall; row++) {
      for (let column = 0; column < columns * wide; column++) {
        const window = Math.floor(row / tall) * columns + Math.floor(column / wide);
        repeat[window * height * width + row * width + column] = 1;
      }
    }
    const planes = reshape(b, cotangent(at), [...outer, batch, channels, rows * columns]);
    const spread = matMul(b, planes, b.constant(Tensor.float32([rows * columns, height * width], repeat)));
    const masks = reshape(b, mask, [batch, channels, height * width]);
    return reshape(b, mul(b, spread, masks), [...outer, ...dims]);
  }
  const repeat = new Float32Array(columns * width);
  for (let column = 0; column < columns * wide; column++) repeat[Math.floor(column / wide) * width + column] = 1;
  const widened = matMul(b, cotangent(at), b.constant(Tensor.float32([columns, width], repeat)));
  const covered = rows * tall === height ? mask : slice(b, mask, [2], [0], [rows * tall]);
  const masks = reshape(b, covered, [batch, channels, rows, tall, width]);
  const spread = mul(b, reshape(b, widened, [...outer, batch, channels, rows, 1, width]), masks);
  const folded = reshape(b, spread, [...outer, batch, channels, rows * tall, width]);
  const rest = height - rows * tall;
  return rest === 0
    ? folded
    : pad(b, folded, [...outer.map(() => 0), 0, 0, 0, 0, ...outer.map(() => 0), 0, 0, rest, 0]);
}

/** 1 at each window's maximum, 0 elsewhere, of the input's dims. */
function maximaMask(b: Builder, node: Node, kernel: Dims): ValueId {
  const dims = b.dims(node.inputs[0] as string);
  const pooled = b.dims(node.outputs[0] as string);
  const ones = b.constant(Tensor.float32(pooled, new Float32Array(count(pooled)).fill(1)));
  return b.add("MaxUnpool", [ones, b.widen(node), b.integers(dims)], { kernel_shape: kernel, strides: kernel });
}

export const poolingRules: Readonly<Record<string, Rule>> = {
  GlobalAveragePool: globalAverage,
  AveragePool: average,
  MaxPool: max,
};
