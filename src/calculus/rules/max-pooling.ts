import type { ValueId } from "../../graph/graph.ts";
import { int } from "../../graph/graph.ts";
import { expand, mul, pad, reshape, slice, sub } from "../../graph/operators.ts";
import type { Window } from "../../graph/shapes/linear.ts";
import { count, Tensor, type Dims } from "../../graph/tensor.ts";
import type { Jet } from "../jets.ts";
import { axisMap, throughAxes } from "./axis-maps.ts";
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

/** Maps of at most this many outputs are repeated along both axes at once. */
const SMALL_PLANE = 64;

/**
 * Windows side by side: the cotangent is repeated over its window, and a mask of the maxima, made once for all columns, keeps it
 * where it belongs. Large maps are repeated by a product along the width and a broadcast along the height.
 */
function spreadMaxima(at: Pullback, { kernel }: Window): ValueId {
  const { b, lead } = at;
  const [batch, channels, height, width] = inputDims(at) as [number, number, number, number];
  const [rows, columns] = outputDims(at).slice(2) as [number, number];
  const [tall, wide] = kernel as [number, number];
  const outer = b.dims(cotangent(at)).slice(0, lead);
  const mask = maximaMask(at, kernel);
  if (rows * columns <= SMALL_PLANE) {
    const repeats = [repeated(rows, tall, height), repeated(columns, wide, width)];
    return mul(b, throughAxes(b, cotangent(at), lead + 2, repeats), mask);
  }
  const widened = throughAxes(b, cotangent(at), lead + 3, [repeated(columns, wide, width)]);
  const covered = rows * tall === height ? mask : slice(b, mask, [2], [0], [rows * tall]);
  const masks = reshape(b, covered, [batch, channels, rows, tall, width]);
  const spread = mul(b, reshape(b, widened, [...outer, batch, channels, rows, 1, width]), masks);
  const folded = reshape(b, spread, [...outer, batch, channels, rows * tall, width]);
  const none = [...outer.map(() => 0), 0, 0, 0, 0];
  return pad(b, folded, [...none, ...none.with(-2, height - rows * tall)]);
}

/** Each of the outputs `times` over, and zeros up to `size`. */
function repeated(outputs: number, times: number, size: number) {
  const sources = Array.from({ length: size }, (_, place) => Math.floor(place / times));
  return axisMap(
    outputs,
    sources.map((source) => (source < outputs ? [[source, 1] as const] : [])),
  );
}

/** 1 at each window's maximum, 0 elsewhere, of the input's dims. */
function maximaMask(at: Differentiated, kernel: Dims): ValueId {
  const { b } = at;
  const pooled = outputDims(at);
  const ones = b.constant(Tensor.float32(pooled, new Float32Array(count(pooled)).fill(1)));
  const inputs = [ones, indicesOf(at), b.integers(inputDims(at))];
  return b.add("MaxUnpool", inputs, { kernel_shape: kernel, strides: kernel });
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
