import type { Node } from "../src/graph/graph.ts";
import { int, ints, string } from "../src/graph/graph.ts";
import { product, stridesOf, walk, type Array64 } from "./float64-array.ts";

/** Not an element of the input: padding that counts as zero, and what lies beyond even that. */
const PADDING = -1;
const BEYOND = -2;

/** For every output position of a sliding window, the flat input position under each tap. */
interface Windows {
  readonly output: readonly number[];
  readonly taps: number;
  /** [output positions × taps]. */
  readonly places: Int32Array;
}

function windowsOf(node: Node, spatial: readonly number[], kernel: readonly number[]): Windows {
  const ones = kernel.map(() => 1);
  const strides = ints(node, "strides") ?? ones;
  const dilations = ints(node, "dilations") ?? ones;
  const reach = kernel.map((size, axis) => (size - 1) * dilations[axis]! + 1);
  const pads = padsOf(node, spatial, strides, reach);
  const ceil = int(node, "ceil_mode", 0) === 1;
  const output = spatial.map((size, axis) => {
    const steps = (size + pads[axis]! + pads[axis + kernel.length]! - reach[axis]!) / strides[axis]!;
    const length = (ceil ? Math.ceil(steps) : Math.floor(steps)) + 1;
    // A window that begins in the padding behind the input is left out.
    return ceil && (length - 1) * strides[axis]! >= size + pads[axis]! ? length - 1 : length;
  });
  const inputStrides = stridesOf(spatial);
  const places: number[] = [];
  for (const position of indices(output)) {
    for (const tap of indices(kernel)) {
      let place = 0;
      for (let axis = 0; axis < kernel.length; axis++) {
        const at = position[axis]! * strides[axis]! - pads[axis]! + tap[axis]! * dilations[axis]!;
        if (at >= 0 && at < spatial[axis]!) place = place < 0 ? place : place + at * inputStrides[axis]!;
        else if (at >= spatial[axis]! + pads[axis + kernel.length]!) place = BEYOND;
        else if (place !== BEYOND) place = PADDING;
      }
      places.push(place);
    }
  }
  return { output, taps: product(kernel), places: Int32Array.from(places) };
}

function padsOf(node: Node, spatial: readonly number[], strides: readonly number[], reach: readonly number[]) {
  const mode = string(node, "auto_pad", "NOTSET");
  const none = [...spatial, ...spatial].fill(0);
  if (!mode.startsWith("SAME")) return ints(node, "pads") ?? none;
  const totals = spatial.map((size, axis) =>
    Math.max(0, (Math.ceil(size / strides[axis]!) - 1) * strides[axis]! + reach[axis]! - size),
  );
  const less = totals.map((total) => Math.floor(total / 2));
  const more = totals.map((total, axis) => total - less[axis]!);
  return mode === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
}

function indices(dims: readonly number[]): number[][] {
  return dims.reduce<number[][]>(
    (list, size) => list.flatMap((index) => Array.from({ length: size }, (_, next) => [...index, next])),
    [[]],
  );
}

/** Sliding windows are the same for every perturbation of a weight: computed once a node. */
const known = new WeakMap<Node, Map<string, Windows>>();

function windows(node: Node, spatial: readonly number[], kernel: readonly number[]): Windows {
  const ofNode = known.get(node) ?? new Map<string, Windows>();
  known.set(node, ofNode);
  const key = `${spatial} ${kernel}`;
  const found = ofNode.get(key) ?? windowsOf(node, spatial, kernel);
  ofNode.set(key, found);
  return found;
}

/** y[n, o, t] = Σ_{c, tap} x[n, c, t under tap] w[o, c, tap] + bias[o], in groups of channels. */
export function convolution(node: Node, x: Array64, w: Array64, bias?: Array64): Array64 {
  const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
  const [outputs, perGroup, ...kernel] = w.dims as [number, number, ...number[]];
  const groups = int(node, "group", 1);
  const { output, taps, places } = windows(node, spatial, kernel);
  const [size, positions] = [product(spatial), product(output)];
  const data = new Float64Array(batch * outputs * positions);
  for (let n = 0; n < batch; n++) {
    for (let o = 0; o < outputs; o++) {
      const first = Math.floor(o / (outputs / groups)) * perGroup;
      for (let t = 0; t < positions; t++) {
        let sum = bias?.data[o] ?? 0;
        for (let c = 0; c < perGroup; c++) {
          const map = (n * channels + first + c) * size;
          for (let tap = 0; tap < taps; tap++) {
            const place = places[t * taps + tap]!;
            if (place >= 0) sum += x.data[map + place]! * w.data[(o * perGroup + c) * taps + tap]!;
          }
        }
        data[(n * outputs + o) * positions + t] = sum;
      }
    }
  }
  return { dims: [batch, outputs, ...output], data };
}

/** y[n, o, i·stride + k·dilation − pad] += x[n, c, i] w[c, o, k], then the bias: what is pushed beyond the output is lost. */
export function transposedConvolution(node: Node, x: Array64, w: Array64, bias?: Array64): Array64 {
  const [batch, channels, ...spatial] = x.dims as [number, number, ...number[]];
  const [, perGroup, ...kernel] = w.dims as [number, number, ...number[]];
  const groups = int(node, "group", 1);
  const [ones, none] = [kernel.map(() => 1), kernel.map(() => 0)];
  const strides = ints(node, "strides") ?? ones;
  const dilations = ints(node, "dilations") ?? ones;
  const pads = ints(node, "pads") ?? [...none, ...none];
  const extra = ints(node, "output_padding") ?? none;
  const output = spatial.map(
    (size, axis) =>
      strides[axis]! * (size - 1) +
      extra[axis]! +
      (kernel[axis]! - 1) * dilations[axis]! +
      1 -
      pads[axis]! -
      pads[axis + kernel.length]!,
  );
  const outputs = perGroup * groups;
  const [taps, to] = [indices(kernel), stridesOf(output)];
  const size = product(output);
  const data = new Float64Array(batch * outputs * size).map(
    (_, place) => bias?.data[Math.floor(place / size) % outputs] ?? 0,
  );
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const group = Math.floor(c / (channels / groups));
      for (const [i, position] of indices(spatial).entries()) {
        const value = x.data[(n * channels + c) * product(spatial) + i]!;
        for (const [k, tap] of taps.entries()) {
          const at = position.map(
            (start, axis) => start * strides[axis]! + tap[axis]! * dilations[axis]! - pads[axis]!,
          );
          if (at.some((index, axis) => index < 0 || index >= output[axis]!)) continue;
          const place = at.reduce((sum, index, axis) => sum + index * to[axis]!, 0);
          for (let o = 0; o < perGroup; o++) {
            const weight = w.data[(c * perGroup + o) * taps.length + k]!;
            data[(n * outputs + group * perGroup + o) * size + place]! += value * weight;
          }
        }
      }
    }
  }
  return { dims: [batch, outputs, ...output], data };
}

/** The mean over each window, of the elements inside the input, or of those inside the padded input. */
export function averagePool(node: Node, x: Array64): Array64 {
  const counted = int(node, "count_include_pad", 0) === 1 ? PADDING : 0;
  return pooled(node, x, (map, inside) => {
    let [sum, count] = [0, 0];
    for (const place of inside) {
      if (place >= counted) count += 1;
      if (place >= 0) sum += x.data[map + place]!;
    }
    return sum / count;
  });
}

/** Flat position in the whole input of each window's largest element, the first of equal ones. */
export function maxima(node: Node, x: Array64): Int32Array {
  const places: number[] = [];
  pooled(node, x, (map, inside) => {
    let best = -1;
    for (const place of inside)
      if (place >= 0 && (best < 0 || x.data[map + place]! > x.data[best]!)) best = map + place;
    places.push(best);
    return 0;
  });
  return Int32Array.from(places);
}

export function poolDims(node: Node, x: Array64): number[] {
  const { output } = windows(node, x.dims.slice(2), ints(node, "kernel_shape")!);
  return [...x.dims.slice(0, 2), ...output];
}

function pooled(node: Node, x: Array64, value: (map: number, inside: Int32Array) => number): Array64 {
  const spatial = x.dims.slice(2);
  const { output, taps, places } = windows(node, spatial, ints(node, "kernel_shape")!);
  const [size, positions] = [product(spatial), product(output)];
  const dims = [...x.dims.slice(0, 2), ...output];
  const maps = walk([product(x.dims.slice(0, 2)), positions], [1, 0]);
  const data = Float64Array.from(maps, (map, index) => {
    const t = index % positions;
    return value(map * size, places.subarray(t * taps, (t + 1) * taps));
  });
  return { dims, data };
}
