import { count, type Dims, type TypedArray } from "../graph/tensor.ts";
import type { SampleTarget, SampleWriter } from "./sample-map.ts";

/** For each new element of an axis: the first old one that it is made of, how many, and their weights. */
interface Weights {
  readonly first: Int32Array;
  readonly size: Int32Array;
  /** `most` places for each new element. */
  readonly weights: Float64Array;
  readonly most: number;
}

/** Pillow's fixed point: 8 bits for the values, 2 to spare. */
const fractionBits = 22;

/**
 * Bilinear resizing of the last two axes with antialiasing, in the arithmetic of Pillow's `Image.resize(…, BILINEAR)`,
 * which is torchvision's default for images: rows first, then columns, each a weighted mean under a triangle
 *
 *   w_i ∝ max(0, 1 − |i + ½ − (o + ½)·s| / max(s, 1)),  s = old size / new size,
 *
 * so that every old pixel counts when an image is made smaller, and none beyond its neighbours when it is made larger.
 * Bytes are weighed in fixed point and rounded to bytes after each of the two passes; other values are summed in float64
 * and rounded to float32 after each.
 *
 * Cost: height · new width · (2s + 1) + new height · new width · (2s' + 1) products a plane.
 *
 * @param bytes whether all values are bytes; then so are the results
 */
export function resized(dims: Dims, height: number, width: number, bytes: boolean): SampleWriter {
  const [oldHeight, oldWidth] = dims.slice(-2) as [number, number];
  const planes = count(dims.slice(0, -2));
  const across = oldWidth === width ? undefined : scaled(triangle(oldWidth, width), bytes);
  const down = oldHeight === height ? undefined : scaled(triangle(oldHeight, height), bytes);
  const dot = bytes ? byteDot : realDot;
  const between = across && down && new (bytes ? Uint8Array : Float32Array)(oldHeight * width);
  return (source, start, target, at) => {
    for (let plane = 0; plane < planes; plane++) {
      const from = start + plane * oldHeight * oldWidth;
      const to = at + plane * height * width;
      if (across && down) {
        weighRows(source, from, oldHeight, oldWidth, between!, 0, width, across, dot);
        weighColumns(between!, 0, width, target, to, height, down, dot);
      } else if (across) weighRows(source, from, oldHeight, oldWidth, target, to, width, across, dot);
      else if (down) weighColumns(source, from, width, target, to, height, down, dot);
      else for (let i = 0; i < height * width; i++) target[to + i] = Number(source[from + i]);
    }
  };
}

function triangle(before: number, after: number): Weights {
  const scale = before / after;
  const support = Math.max(scale, 1);
  const most = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(after);
  const size = new Int32Array(after);
  const weights = new Float64Array(after * most);
  for (let to = 0; to < after; to++) {
    const centre = (to + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(before, Math.trunc(centre + support + 0.5));
    let sum = 0;
    for (let from = start; from < end; from++) {
      const weight = Math.max(0, 1 - Math.abs((from - centre + 0.5) * (1 / support)));
      weights[to * most + from - start] = weight;
      sum += weight;
    }
    for (let i = 0; i < end - start; i++) weights[to * most + i]! /= sum;
    first[to] = start;
    size[to] = end - start;
  }
  return { first, size, weights, most };
}

/** For bytes the weights as whole multiples of 2^-22. */
function scaled(axis: Weights, bytes: boolean): Weights {
  if (!bytes) return axis;
  return { ...axis, weights: axis.weights.map((weight) => Math.trunc(0.5 + weight * 2 ** fractionBits)) };
}

/** Σ weights[w + i] · source[from + i·step] over `size` elements, rounded. */
type Dot = (source: TypedArray, from: number, step: number, weights: Float64Array, w: number, size: number) => number;

const byteDot: Dot = (source, from, step, weights, w, size) => {
  const bytes = source as Uint8Array;
  let sum = 2 ** (fractionBits - 1);
  for (let i = 0; i < size; i++) sum += bytes[from + i * step]! * weights[w + i]!;
  return Math.min(255, sum >> fractionBits);
};

const realDot: Dot = (source, from, step, weights, w, size) => {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += Number(source[from + i * step]) * weights[w + i]!;
  return sum;
};

function weighRows(
  source: TypedArray,
  from: number,
  rows: number,
  oldWidth: number,
  target: SampleTarget,
  to: number,
  width: number,
  { first, size, weights, most }: Weights,
  dot: Dot,
): void {
  for (let row = 0; row < rows; row++) {
    const line = from + row * oldWidth;
    for (let x = 0; x < width; x++) {
      target[to + row * width + x] = dot(source, line + first[x]!, 1, weights, x * most, size[x]!);
    }
  }
}

function weighColumns(
  source: TypedArray,
  from: number,
  width: number,
  target: SampleTarget,
  to: number,
  height: number,
  { first, size, weights, most }: Weights,
  dot: Dot,
): void {
  for (let y = 0; y < height; y++) {
    const line = from + first[y]! * width;
    for (let x = 0; x < width; x++) {
      target[to + y * width + x] = dot(source, line + x, width, weights, y * most, size[y]!);
    }
  }
}
