import { count, type Dims, type TypedArray } from "./tensor.ts";

/**
 * The elements of a strided view in row-major (C) order: a copy.
 *
 * @param strides elements of `source` from one index of an axis to the next
 */
export function inRowMajor<T extends TypedArray>(source: T, dims: Dims, strides: readonly number[]): T {
  const from = source as Float64Array;
  const target = new (source.constructor as Float64ArrayConstructor)(count(dims));
  const at = dims.map(() => 0);
  let place = 0;
  for (let index = 0; index < target.length; index++) {
    target[index] = from[place]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      place += strides[axis]!;
      if (++at[axis]! < dims[axis]!) break;
      place -= strides[axis]! * dims[axis]!;
      at[axis] = 0;
    }
  }
  return target as TypedArray as T;
}
