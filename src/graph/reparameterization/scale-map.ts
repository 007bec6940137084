import type { Dims } from "../tensor.ts";
import { count } from "../tensor.ts";
import { transposed } from "../weights.ts";
import { ANY, ONE, type ScaleClasses } from "./scale-classes.ts";

/**
 * The scale of every element of a value, spread over its axes as NumPy would: an axis has the value's own size, or 1
 * where the scale is the same all along it.
 */
export interface ScaleMap {
  readonly dims: Dims;
  readonly scales: Int32Array;
}

/** One scale for all elements. */
export function uniform(rank: number, scale: number): ScaleMap {
  return { dims: Array.from({ length: rank }, () => 1), scales: Int32Array.of(scale) };
}

/** Scales along one axis. */
export function along(rank: number, axis: number, scales: Int32Array): ScaleMap {
  return { dims: uniform(rank, ONE).dims.with(axis, scales.length), scales };
}

/** The same with axes of size 1 in front. */
export function ofRank(map: ScaleMap, rank: number): ScaleMap {
  const missing = rank - map.dims.length;
  return missing <= 0 ? map : { ...map, dims: [...uniform(missing, ONE).dims, ...map.dims] };
}

/** Axes along which the scale does not change made 1. */
export function compressed(map: ScaleMap): ScaleMap {
  let { dims, scales } = map;
  for (let axis = 0; axis < dims.length; axis++) {
    const size = dims[axis] as number;
    if (size === 1) continue;
    const inner = count(dims.slice(axis + 1));
    const first = scales.filter((_, index) => Math.floor(index / inner) % size === 0);
    const target = dims.with(axis, 1);
    const same = places(target, dims).every((place, index) => first[place] === scales[index]);
    if (same) [dims, scales] = [target, first];
  }
  return { dims, scales };
}

/** The same with every axis as long as asked, or as it is where asked for 1. */
export function spread(map: ScaleMap, dims: Dims): ScaleMap {
  const target = dims.map((size, axis) => Math.max(size, map.dims[axis] as number));
  if (target.join() === map.dims.join()) return map;
  return { dims: target, scales: places(map.dims, target).map((place) => map.scales[place] as number) };
}

/** The scale of what is added element by element: of all operands the same. */
export function merged(maps: readonly ScaleMap[], classes: ScaleClasses, who: string): ScaleMap {
  const rank = Math.max(...maps.map(({ dims }) => dims.length));
  const whole = maps.map((map) => ofRank(map, rank));
  const dims = uniform(rank, ONE).dims.map((_, axis) => Math.max(...whole.map((map) => map.dims[axis] as number)));
  const scales = new Int32Array(count(dims)).fill(ANY);
  for (const map of whole) {
    places(map.dims, dims).forEach((place, index) => {
      const [one, other] = [scales[index] as number, map.scales[place] as number];
      classes.join(one, other, who);
      scales[index] = one === ANY ? other : one;
    });
  }
  return compressed({ dims, scales });
}

/** The scale of what mixes the elements along some axes: the same all along them, which become 1. */
export function collapsed(map: ScaleMap, axes: readonly number[], classes: ScaleClasses, who: string): ScaleMap {
  const dims = map.dims.map((size, axis) => (axes.includes(axis) ? 1 : size));
  if (dims.join() === map.dims.join()) return map;
  const scales = new Int32Array(count(dims)).fill(ANY);
  places(dims, map.dims).forEach((place, index) => {
    const [one, other] = [scales[place] as number, map.scales[index] as number];
    classes.join(one, other, who);
    scales[place] = one === ANY ? other : one;
  });
  return { dims, scales };
}

/** The scales of the same elements in other dimensions. @param from @param to the value's own, before and after */
export function reshaped(map: ScaleMap, from: Dims, to: Dims): ScaleMap {
  if (count(from) === 0) return uniform(to.length, ANY);
  const before: number[] = [];
  const after: number[] = [];
  let [i, j] = [0, 0];
  while (i < from.length || j < to.length) {
    const [start, begin] = [i, j];
    let [left, right] = [from[i++] ?? 1, to[j++] ?? 1];
    while (left !== right) {
      if (left < right) left *= from[i++] as number;
      else right *= to[j++] as number;
    }
    // Axes that hold the same elements before and after: they are written out only where the scale changes along them.
    const varies = map.dims.slice(start, i).some((size) => size > 1);
    before.push(...from.slice(start, i).map((size) => (varies ? size : 1)));
    after.push(...to.slice(begin, j).map((size) => (varies ? size : 1)));
  }
  return compressed({ dims: after, scales: spread(map, before).scales });
}

export function permuted(map: ScaleMap, order: readonly number[]): ScaleMap {
  return { dims: order.map((axis) => map.dims[axis] as number), scales: transposed(map.scales, map.dims, order) };
}

/** The scales at some places along an axis; a place of −1 has a zero. */
export function taken(map: ScaleMap, axis: number, chosen: readonly number[]): ScaleMap {
  const size = map.dims[axis] as number;
  if (size === 1) return map;
  if (chosen.length === 0) return uniform(map.dims.length, ANY);
  const inner = count(map.dims.slice(axis + 1));
  const dims = map.dims.with(axis, chosen.length);
  const scales = new Int32Array(count(dims)).map((_, index) => {
    const place = chosen[Math.floor(index / inner) % chosen.length] as number;
    const outer = Math.floor(index / (inner * chosen.length));
    return place < 0 ? ANY : (map.scales[(outer * size + place) * inner + (index % inner)] as number);
  });
  return compressed({ dims, scales });
}

/** The scales of values put one after another. @param lengths their sizes along the axis */
export function concatenated(maps: readonly ScaleMap[], lengths: readonly number[], axis: number): ScaleMap {
  const others = uniform(maps[0]?.dims.length ?? 0, ONE).dims.map((_, at) =>
    Math.max(...maps.map(({ dims }) => dims[at] as number)),
  );
  const parts = maps.map((map, index) => spread(map, others.with(axis, lengths[index] as number)).scales);
  const outer = count(others.slice(0, axis));
  const scales = Array.from({ length: outer }, (_, row) =>
    parts.flatMap((part) => Array.from(part.subarray((row * part.length) / outer, ((row + 1) * part.length) / outer))),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0);
  return compressed({ dims: others.with(axis, total), scales: Int32Array.from(scales.flat()) });
}

/** For every element of an array of dims `to`, its place in one of dims `from` that is spread over it. */
export function places(from: Dims, to: Dims): Int32Array {
  const strides = from.map((size, axis) => (size === 1 ? 0 : count(from.slice(axis + 1))));
  const result = new Int32Array(count(to));
  const at = to.map(() => 0);
  let place = 0;
  for (let index = 0; index < result.length; index++) {
    result[index] = place;
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] as number;
      place += stride;
      at[axis] = (at[axis] as number) + 1;
      if ((at[axis] as number) < (to[axis] as number)) break;
      place -= stride * (to[axis] as number);
      at[axis] = 0;
    }
  }
  return result;
}
