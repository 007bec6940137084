import type * as MlMatrix from "ml-matrix";

/** A symmetric operator on vectors of one size. */
export type SymmetricOperator = (vector: Float64Array) => Promise<Float64Array>;

/** Ritz values of a symmetric operator, ascending, and the weight that the start vector has on each. */
export interface Ritz {
  readonly values: readonly number[];
  readonly weights: readonly number[];
  /** Bound of the error of the largest: |β last component|. */
  readonly residual: number;
  readonly steps: number;
}

/** A direction smaller than this share of the largest is rounding: the Krylov space is exhausted. */
const BREAKDOWN = 1e-10;

/**
 * Lanczos with full reorthogonalization: each step costs one product and the memory of one vector.
 *
 * @param start any vector but zero
 * @param steps at most so many products
 * @param done asked after each step with the Ritz values so far
 */
export async function lanczos(
  apply: SymmetricOperator,
  start: Float64Array,
  steps: number,
  done: (ritz: Ritz) => boolean = () => false,
): Promise<Ritz> {
  // Loaded when it is needed: most measurements ask for no eigenvalue.
  const algebra = await import("ml-matrix");
  const basis: Float64Array[] = [scaled(start, 1 / norm(start))];
  const diagonal: number[] = [];
  const off: number[] = [];
  let largest = 0;
  for (;;) {
    const last = basis.at(-1) as Float64Array;
    const product = await apply(last);
    diagonal.push(dot(product, last));
    const rest = Float64Array.from(product);
    // Twice is enough.
    for (let pass = 0; pass < 2; pass++) {
      for (const known of basis) subtract(rest, known, dot(rest, known));
    }
    const size = norm(rest);
    largest = Math.max(largest, size, Math.abs(diagonal.at(-1) as number));
    const ritz = ritzOf(algebra, diagonal, off, size);
    if (size <= BREAKDOWN * largest || diagonal.length >= Math.min(steps, start.length) || done(ritz)) return ritz;
    off.push(size);
    basis.push(scaled(rest, 1 / size));
  }
}

/** Eigenvalues of the tridiagonal matrix, and the squared first components of its eigenvectors. */
function ritzOf(
  { EigenvalueDecomposition, Matrix }: typeof MlMatrix,
  diagonal: readonly number[],
  off: readonly number[],
  next: number,
): Ritz {
  const size = diagonal.length;
  const matrix = Matrix.zeros(size, size);
  for (let index = 0; index < size; index++) {
    matrix.set(index, index, diagonal[index] as number);
    if (index + 1 < size) {
      matrix.set(index, index + 1, off[index] as number);
      matrix.set(index + 1, index, off[index] as number);
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const order = realEigenvalues
    .map((_, index) => index)
    .sort((a, c) => (realEigenvalues[a] as number) - (realEigenvalues[c] as number));
  const top = order.at(-1) as number;
  return {
    values: order.map((index) => realEigenvalues[index] as number),
    weights: order.map((index) => eigenvectorMatrix.get(0, index) ** 2),
    residual: Math.abs(next * eigenvectorMatrix.get(size - 1, top)),
    steps: size,
  };
}

export function dot(left: Float64Array, right: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < left.length; index++) sum += (left[index] as number) * (right[index] as number);
  return sum;
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector));
}

function scaled(vector: Float64Array, factor: number): Float64Array {
  return vector.map((value) => factor * value);
}

function subtract(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let index = 0; index < target.length; index++)
    target[index] = (target[index] as number) - factor * (vector[index] as number);
}
