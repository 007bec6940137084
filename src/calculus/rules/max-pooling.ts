import type { Builder } from "../../graph/builder.ts";
import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { cast, expand, mul, pad, reshape, slice, sub } from "../../graph/operators.ts";
import type { Window } from "../../graph/shapes/linear.ts";
import { count, Tensor, type Dims } from "../../graph/tensor.ts";
import type { Jet } from "../jets.ts";
import { poolWindow } from "./pooling.ts";
import { cotangent, pushed, type Differentiated, type Linearity, type Pullback, type Rule } from "./rule.ts";
import { zeros } from "./slicing.ts";

// Maxima of windows and of whole maps. The first of equal ones takes all, as in the runtime's Indices output.

const max: Rule = {
  linearity: "piecewise-linear",
  vjp: (at) => {
    const window = poolWindow(at.b, at.node);
    return [tiles(at, window) ? spreadMaxima(at, window) : scattered(at, poolPositions(at))];
  },
  taylor: (at) => [{ root: pushed(at.jet(0) as Jet, (value, lead) => taken(at, poolPositions(at), value, lead)) }],
};

const globalMax: Rule = {
  linearity: "piecewise-linear",
  vjp: (at) => [scattered(at, globalPositions(at))],
  taylor: (at) => [{ root: pushed(at.jet(0) as Jet, (value, lead) => taken(at, globalPositions(at), value, lead)) }],
};

function inputDims({ b, node }: Differentiated): Dims {
  return b.dims(node.inputs[0] as ValueId);
}

function outputDims({ b, node }: Differentiated): Dims {
  return b.dims(node.outputs[0] as ValueId);
}

/** The runtime's places of the maxima in the whole batch, row by row. */
function indicesOf({ b, node }: Differentiated): ValueId {
  if (int(node, "storage_order", 0) === 0) return b.widen(node);
  // The model's own places are counted column by column.
  const attributes = { ...node.attributes, storage_order: 0 };
  return b.addMany("MaxPool", node.inputs, attributes, 2)[1] as ValueId;
}

/** Where in its own map each maximum of a window was: [maps, outputs]. */
function poolPositions(at: Differentiated): ValueId {
  const [maps, size, outputs] = planes(at);
  const offsets = BigInt64Array.from({ length: maps }, (_, map) => BigInt(map * size));
  const start = at.b.constant(Tensor.of("int64", [maps, 1], offsets));
  return sub(at.b, reshape(at.b, indicesOf(at), [maps, outputs]), start);
}

/** Where each map has its maximum: [maps, 1]. */
function globalPositions(at: Differentiated): ValueId {
  const [maps, size] = planes(at);
  const flat = reshape(at.b, at.node.inputs[0] as ValueId, [maps, size]);
  return at.b.add("ArgMax", [flat], { axis: 1, keepdims: 1 });
}

/** Number of maps, and the sizes of one before and after pooling. */
function planes(at: Differentiated): [maps: number, inputs: number, outputs: number] {
  const dims = inputDims(at);
  return [count(dims.slice(0, 2)), count(dims.slice(2)), count(outputDims(at).slice(2))];
}

/** The elements of a value [lead…, N, C, …in] at the places of the maxima. */
function taken(at: Differentiated, positions: ValueId, value: ValueId, lead: number): ValueId {
  const { b } = at;
  const outer = b.dims(value).slice(0, lead);
  const [maps, inputs, outputs] = planes(at);
  const places = expand(b, positions, [...outer, maps, outputs]);
  const found = b.add("GatherElements", [reshape(b, value, [...outer, maps, inputs]), places], { axis: lead + 1 });
  return reshape(b, found, [...outer, ...outputDims(at)]);
}

/** The cotangent added up at the places of the maxima: windows may overlap. */
function scattered(at: Pullback, positions: ValueId): ValueId {
  const { b, lead } = at;
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const [maps, inputs, outputs] = planes(at);
  const places = expand(b, positions, [...outer, maps, outputs]);
  const values = reshape(b, cotangent(at), [...outer, maps, outputs]);
  const attributes = { axis: lead + 1, reduction: "add" };
  const sums = b.add("ScatterElements", [zeros(b, [...outer, maps, inputs]), places, values], attributes);
  return reshape(b, sums, [...outer, ...inputDims(at)]);
}

/** Whether the windows lie side by side inside the map, so that each input position belongs to one window at most. */
function tiles(at: Differentiated, { kernel, strides, dilations, pads }: Window): boolean {
  const spatial = inputDims(at).slice(2);
  const outputs = outputDims(at).slice(2);
  const beside = kernel.every((size, axis) => {
    const inside = (outputs[axis] as number) * size <= (spatial[axis] as number);
    return inside && size === strides[axis] && (dilations[axis] === 1 || size === 1);
  });
  return beside && kernel.length === 2 && pads.every((width) => width === 0);
}

/**
 * Windows side by side: the cotangent is repeated over its window, and a mask of the maxima, made once for all columns, keeps it
 * where it belongs. Comparing costs a third of asking the runtime for its Indices, which it finds an element at a time.
 */
function spreadMaxima(at: Pullback, { kernel }: Window): ValueId {
  const { b, lead } = at;
  const inputs = inputDims(at);
  const outputs = outputDims(at);
  const covered = outputs.map((size, axis) => size * (kernel[axis - 2] ?? 1));
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const [batch, ...map] = covered as [number, ...number[]];
  const folded = repeated(b, reshape(b, cotangent(at), [count(outer) * batch, ...outputs.slice(1)]), map.slice(1));
  const spread = mul(b, reshape(b, folded, [...outer, ...covered]), maximaMask(at, kernel, covered));
  const rest = inputs.map((size, axis) => size - (covered[axis] as number));
  return pad(b, spread, [...outer.map(() => 0), ...inputs.map(() => 0), ...outer.map(() => 0), ...rest]);
}

/** Each element of maps [N, C, H, W] over a window of its own, in maps of the given height and width. */
function repeated(b: Builder, value: ValueId, size: Dims): ValueId {
  const attributes = { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" };
  return b.add("Resize", [value, "", "", b.integers([...b.dims(value).slice(0, 2), ...size])], attributes);
}

/** 1 at the first maximum of each window, 0 elsewhere: of the input's dims, without what no window covers. */
function maximaMask(at: Differentiated, kernel: Dims, covered: Dims): ValueId {
  const { b, node } = at;
  const size = covered.slice(2);
  const all = node.inputs[0] as ValueId;
  const input = count(covered) === count(inputDims(at)) ? all : slice(b, all, [2, 3], [0, 0], size);
  const isTop = (value: ValueId, tops: ValueId) => cast(b, b.add("Equal", [value, repeated(b, tops, size)]), "float32");
  // Of equal ones the one that has most places of its window behind it.
  const ranked = mul(b, isTop(input, node.outputs[0] as ValueId), b.constant(placesLeft(size, kernel)));
  return isTop(ranked, b.add("MaxPool", [ranked], { kernel_shape: kernel, strides: kernel }));
}

/** How many places of its window, row by row, each position of a map has from itself on. */
function placesLeft(size: Dims, kernel: Dims): Tensor {
  const [tall, wide] = kernel as [number, number];
  const [, width] = size as [number, number];
  const left = (place: number) => {
    const [row, column] = [Math.floor(place / width) % tall, (place % width) % wide];
    return tall * wide - row * wide - column;
  };
  return Tensor.float32(
    size,
    Float32Array.from({ length: count(size) }, (_, place) => left(place)),
  );
}

/** Values put to places of the whole batch, which no two windows share. */
const unpool: Rule = {
  linearity: ({ varies }): Linearity => (varies(0) ? (varies(1) ? "piecewise-linear" : "linear") : "constant"),
  vjp: (at) => {
    if (!at.varies(0)) return [];
    const { b, lead } = at;
    const outer = b.dims(cotangent(at)).slice(0, lead);
    const flat = reshape(b, cotangent(at), [...outer, count(outputDims(at))]);
    const found = b.add("GatherElements", [flat, unpoolPlaces(at, outer)], { axis: lead });
    return [reshape(b, found, [...outer, ...inputDims(at)])];
  },
  taylor: (at) => {
    const { b } = at;
    const jet = at.jet(0);
    if (!jet) return [];
    const put = (value: ValueId, lead: number) => {
      const outer = b.dims(value).slice(0, lead);
      const empty = zeros(b, [...outer, count(outputDims(at))]);
      const values = reshape(b, value, [...outer, count(inputDims(at))]);
      const filled = b.add("ScatterElements", [empty, unpoolPlaces(at, outer), values], { axis: lead });
      return reshape(b, filled, [...outer, ...outputDims(at)]);
    };
    return [{ root: pushed(jet, put) }];
  },
};

function unpoolPlaces({ b, node }: Differentiated, outer: Dims): ValueId {
  const places = count(b.dims(node.inputs[1] as ValueId));
  return expand(b, reshape(b, node.inputs[1] as ValueId, [places]), [...outer, places]);
}

export const maxPoolingRules: Readonly<Record<string, Rule>> = {
  MaxPool: max,
  GlobalMaxPool: globalMax,
  MaxUnpool: unpool,
};
