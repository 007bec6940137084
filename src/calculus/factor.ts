import type { Layer } from "../graph/layers.ts";

/** A matrix F, rows × columns, row-major float64. */
export interface Factor {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/** A pivot below this share of the largest is rounding: the rank is reached. */
const RANK_TOLERANCE = 1e-14;

/**
 * F with F Fᵀ = W Wᵀ and as few columns as the rank of W: W itself where it has no more columns than rows, else a pivoted
 * Cholesky factor. Rows of different groups do not meet: each group has columns of its own.
 */
export function weightFactor(layer: Layer): Factor {
  const { d, m, groups } = layer;
  const matrix = layer.matrix();
  const rows = d / groups;
  const blocks = Array.from({ length: groups }, (_, group) => {
    const block = matrix.subarray(group * rows * m, (group + 1) * rows * m);
    if (m <= rows) return { columns: m, values: Float64Array.from(block) };
    return pivotedCholesky(gramOf(block, rows, m), rows);
  });
  const columns = Math.max(...blocks.map((block) => block.columns));
  const values = new Float64Array(d * columns);
  for (const [group, block] of blocks.entries()) {
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < block.columns; column++) {
        values[(group * rows + row) * columns + column] = block.values[row * block.columns + column] as number;
      }
    }
  }
  return { rows: d, columns, values };
}

/** The identity for each group: what the trace is a form of. */
export function unitFactor({ d, groups }: Layer): Factor {
  const columns = d / groups;
  const values = new Float64Array(d * columns);
  for (let row = 0; row < d; row++) values[row * columns + (row % columns)] = 1;
  return { rows: d, columns, values };
}

/** W Wᵀ of a block of rows. */
export function gramOf(block: ArrayLike<number>, rows: number, m: number): Float64Array {
  const gram = new Float64Array(rows * rows);
  for (let row = 0; row < rows; row++) {
    for (let other = 0; other <= row; other++) {
      let sum = 0;
      for (let column = 0; column < m; column++) {
        sum += (block[row * m + column] as number) * (block[other * m + column] as number);
      }
      gram[row * rows + other] = gram[other * rows + row] = sum;
    }
  }
  return gram;
}

/**
 * L with L Lᵀ = G for a positive semidefinite G, size × rank; the largest remaining diagonal is the next pivot.
 *
 * @param tolerance share of the largest pivot below which one is rounding: of G made in float64, unless said otherwise
 */
export function pivotedCholesky(
  gram: Float64Array,
  size: number,
  tolerance = RANK_TOLERANCE,
): { columns: number; values: Float64Array } {
  const diagonal = Float64Array.from({ length: size }, (_, index) => gram[index * size + index] as number);
  const largest = Math.max(0, ...diagonal);
  const factor: Float64Array[] = [];
  while (factor.length < size) {
    let pivot = 0;
    for (let index = 1; index < size; index++) {
      if ((diagonal[index] as number) > (diagonal[pivot] as number)) pivot = index;
    }
    const value = diagonal[pivot] as number;
    if (!(value > tolerance * largest)) break;
    const root = Math.sqrt(value);
    const column = new Float64Array(size);
    for (let row = 0; row < size; row++) {
      let rest = gram[row * size + pivot] as number;
      for (const known of factor) rest -= (known[row] as number) * (known[pivot] as number);
      column[row] = rest / root;
      diagonal[row] = Math.max(0, (diagonal[row] as number) - (column[row] as number) ** 2);
    }
    diagonal[pivot] = 0;
    factor.push(column);
  }
  const columns = Math.max(1, factor.length);
  const values = new Float64Array(size * columns);
  for (const [index, column] of factor.entries()) {
    for (let row = 0; row < size; row++) values[row * columns + index] = column[row] as number;
  }
  return { columns, values };
}
