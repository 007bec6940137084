/** A dense array of float64 in C order. */
export interface Array64 {
  readonly dims: readonly number[];
  readonly data: Float64Array;
}

export function array64(dims: readonly number[], data: ArrayLike<number>): Array64 {
  return { dims, data: Float64Array.from(data) };
}

export function product(dims: readonly number[]): number {
  return dims.reduce((size, dim) => size * dim, 1);
}

/** C-order strides. */
export function stridesOf(dims: readonly number[]): number[] {
  return dims.map((_, axis) => product(dims.slice(axis + 1)));
}

/** Where each element of a box lies in a flat array that is walked with these strides, the last axis fastest. */
export function walk(dims: readonly number[], strides: readonly number[], start = 0): Int32Array {
  const places = new Int32Array(product(dims));
  const at = dims.map(() => 0);
  let place = start;
  for (let index = 0; index < places.length; index++) {
    places[index] = place;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      at[axis]! += 1;
      if (at[axis]! < dims[axis]!) break;
      place -= strides[axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
  return places;
}

/** Strides that repeat an array along the axes where it has length 1 or none. */
export function broadcastStrides(dims: readonly number[], target: readonly number[]): number[] {
  const strides = stridesOf(dims);
  const missing = target.length - dims.length;
  return target.map((_, axis) => (axis < missing || dims[axis - missing] === 1 ? 0 : strides[axis - missing]!));
}

export function broadcastDims(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((dims) => dims[axis - (rank - dims.length)] ?? 1)),
  );
}

/** z = fn(x, y), element by element. */
export function zip(x: Array64, y: Array64, fn: (x: number, y: number) => number): Array64 {
  const dims = broadcastDims(x.dims, y.dims);
  const left = walk(dims, broadcastStrides(x.dims, dims));
  const right = walk(dims, broadcastStrides(y.dims, dims));
  return { dims, data: Float64Array.from(left, (place, index) => fn(x.data[place]!, y.data[right[index]!]!)) };
}

export function map(x: Array64, fn: (x: number, index: number) => number): Array64 {
  return { dims: x.dims, data: x.data.map(fn) };
}

/** The elements at the places of a walk. */
export function taken(x: Array64, dims: readonly number[], places: Int32Array): Array64 {
  return { dims, data: Float64Array.from(places, (place) => x.data[place]!) };
}

export function dot(x: ArrayLike<number>, y: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < x.length; index++) sum += x[index]! * y[index]!;
  return sum;
}

/** √Σ x². */
export function norm(x: ArrayLike<number>): number {
  return Math.sqrt(dot(x, x));
}

/** The largest |x − y| over the largest |y|. */
export function maximumError(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length) throw new RangeError(`${x.length} values against ${y.length}`);
  let [difference, scale] = [0, 0];
  for (let index = 0; index < y.length; index++) {
    difference = Math.max(difference, Math.abs(x[index]! - y[index]!));
    if (Number.isNaN(x[index]!)) return Number.NaN;
    scale = Math.max(scale, Math.abs(y[index]!));
  }
  return difference / (scale || 1);
}
