import type { RandomStream } from "./random.ts";

/**
 * A random orthogonal matrix of the Haar measure, O = H_1 ⋯ H_{m−1} D: the Q of a QR decomposition of a Gaussian matrix with the signs
 * that make R's diagonal positive. Each reflection H_k is drawn as the Gaussian vector that the decomposition would meet there
 * (Stewart 1980), so that O is never written out: m²/2 normal numbers, and 2m² multiplications a row.
 */
export class HaarOrthogonal {
  readonly m: number;
  /** Unit vectors of the reflections; the k-th begins with k zeros, which are left out. */
  readonly #axes: Float64Array[] = [];
  readonly #signs: Float64Array;

  constructor(stream: RandomStream, m: number) {
    this.m = m;
    this.#signs = new Float64Array(m);
    for (let k = 0; k < m; k++) {
      const axis = new Float64Array(m - k);
      for (let index = 0; index < axis.length; index++) axis[index] = stream.normal();
      const first = axis[0] as number;
      if (k === m - 1) {
        this.#signs[k] = Math.sign(first);
        break;
      }
      // H x = −sign(x_1) ‖x‖ e_1, so that this is the sign of R's diagonal.
      this.#signs[k] = -Math.sign(first);
      axis[0] = first + Math.sign(first) * norm(axis);
      const length = norm(axis);
      for (let index = 0; index < axis.length; index++) axis[index]! /= length;
      this.#axes.push(axis);
    }
  }

  /** W O of a matrix of rows of m, row-major. */
  afterRows(rows: ArrayLike<number>): Float64Array {
    const result = Float64Array.from(rows);
    this.#eachRows(result, (start, rows) => {
      this.#axes.forEach((axis, k) => reflect(result, start + k, this.m, rows, axis));
    });
    this.#flip(result);
    return result;
  }

  /** O φ of each row φ of a matrix. */
  ofRows(rows: ArrayLike<number>): Float64Array {
    const result = Float64Array.from(rows);
    this.#flip(result);
    this.#eachRows(result, (start, rows) => {
      for (let k = this.#axes.length - 1; k >= 0; k--)
        reflect(result, start + k, this.m, rows, this.#axes[k] as Float64Array);
    });
    return result;
  }

  #flip(values: Float64Array): void {
    for (let index = 0; index < values.length; index++) values[index]! *= this.#signs[index % this.m]!;
  }

  #eachRows(values: Float64Array, run: (start: number, rows: number) => void): void {
    const size = ROWS * this.m;
    for (let start = 0; start < values.length; start += size)
      run(start, Math.min(size, values.length - start) / this.m);
  }
}

/** Rows that are reflected together: as many sums run side by side, where one alone waits for itself. */
const ROWS = 4;

/** x − 2 ⟨x, v⟩ v in place, x the elements from `start` on and those of the rows below, each a stride further. */
function reflect(values: Float64Array, start: number, stride: number, rows: number, axis: Float64Array): void {
  if (rows < ROWS) {
    for (let row = 0; row < rows; row++) reflectOne(values, start + row * stride, axis);
    return;
  }
  const [b, c, d] = [start + stride, start + 2 * stride, start + 3 * stride];
  let [first, second, third, fourth] = [0, 0, 0, 0];
  for (let index = 0; index < axis.length; index++) {
    const v = axis[index]!;
    first += values[start + index]! * v;
    second += values[b + index]! * v;
    third += values[c + index]! * v;
    fourth += values[d + index]! * v;
  }
  for (let index = 0; index < axis.length; index++) {
    const v = axis[index]!;
    values[start + index]! -= 2 * first * v;
    values[b + index]! -= 2 * second * v;
    values[c + index]! -= 2 * third * v;
    values[d + index]! -= 2 * fourth * v;
  }
}

function reflectOne(values: Float64Array, start: number, axis: Float64Array): void {
  let product = 0;
  for (let index = 0; index < axis.length; index++) product += values[start + index]! * axis[index]!;
  for (let index = 0; index < axis.length; index++) values[start + index]! -= 2 * product * axis[index]!;
}

function norm(values: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]! * values[index]!;
  return Math.sqrt(sum);
}
