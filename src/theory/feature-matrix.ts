import { UsageError } from "../errors.ts";
import type { HaarOrthogonal } from "../statistics/haar-orthogonal.ts";
import { lanczos } from "../statistics/lanczos.ts";

/** A matrix A (m×m) that moves features, φ ↦ φ + αAφ, and by eq. 1 of the paper weights, W ↦ W + αWA. */
export interface FeatureMatrix {
  /** What results call it; empty for a random one. */
  readonly name: string;
  /** W A of rows of m, row-major. */
  afterRows(rows: ArrayLike<number>): Float64Array;
  /** A φ of each row φ of m. */
  ofRows(rows: ArrayLike<number>): Float64Array;
}

/** ‖A‖ ≤ 1 up to the rounding of a float32 file. */
const NORM_TOLERANCE = 1e-5;
/** Products with AᵀA after which its largest eigenvalue is taken as found. */
const STEPS = 100;

/**
 * A given matrix.
 *
 * @param values m×m, row-major
 * @param where what errors call it
 * @throws UsageError when its spectral norm is above 1 (Definition 1 asks for ‖A‖ ≤ 1), or an element is not finite
 */
export async function givenMatrix(
  name: string,
  values: ArrayLike<number>,
  m: number,
  where = `matrix ${name}`,
): Promise<FeatureMatrix> {
  const matrix = Float64Array.from(values);
  const bad = matrix.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new UsageError(
      `${where}: element [${Math.floor(bad / m)}, ${bad % m}] is ${matrix[bad]}; expected a finite number.`,
    );
  }
  const norm = await spectralNorm(matrix, m);
  if (norm > 1 + NORM_TOLERANCE) {
    throw new UsageError(
      `${where}: expected a spectral norm of at most 1, it has ${norm.toPrecision(4)}: divide it by that, and multiply the deltas by it.`,
    );
  }
  const turned = transposed(matrix, m);
  return { name, afterRows: (rows) => product(rows, matrix, m), ofRows: (rows) => product(rows, turned, m) };
}

/** ‖A‖, the largest singular value. */
export async function spectralNorm(matrix: Float64Array, m: number): Promise<number> {
  if (matrix.every((value) => value === 0)) return 0;
  const turned = transposed(matrix, m);
  // (vᵀ A) Aᵀ, the symmetric A Aᵀ applied to v.
  const apply = (vector: Float64Array) => Promise.resolve(product(product(vector, matrix, m), turned, m));
  const start = Float64Array.from({ length: m }, (_, index) => 1 + Math.sin(index + 1) / 2);
  const { values } = await lanczos(apply, start, Math.min(m, STEPS));
  return Math.sqrt(Math.max(0, values.at(-1) as number));
}

/** The projection e_j e_jᵀ onto one neuron. */
export function neuronMatrix(j: number, m: number): FeatureMatrix {
  const apply = (rows: ArrayLike<number>) => Float64Array.from(rows, (value, index) => (index % m === j ? value : 0));
  return { name: `e_${j}`, afterRows: apply, ofRows: apply };
}

/**
 * v vᵀ of a direction in feature space.
 *
 * @throws UsageError when ‖v‖ is above 1, as ‖v vᵀ‖ = ‖v‖² then is
 */
export function directionMatrix(name: string, values: ArrayLike<number>, where = `direction ${name}`): FeatureMatrix {
  const v = Float64Array.from(values);
  const m = v.length;
  const length = Math.sqrt(v.reduce((sum, value) => sum + value * value, 0));
  if (!Number.isFinite(length)) throw new UsageError(`${where}: expected finite numbers.`);
  if (length > 1 + NORM_TOLERANCE) {
    throw new UsageError(
      `${where}: expected a length of at most 1, it has ${length.toPrecision(4)}: divide it by that.`,
    );
  }
  const apply = (rows: ArrayLike<number>) => {
    const result = new Float64Array(rows.length);
    for (let start = 0; start < rows.length; start += m) {
      let along = 0;
      for (let index = 0; index < m; index++) along += rows[start + index]! * v[index]!;
      for (let index = 0; index < m; index++) result[start + index] = along * v[index]!;
    }
    return result;
  };
  return { name, afterRows: apply, ofRows: apply };
}

/** r O. */
export function scaledOrthogonal(orthogonal: HaarOrthogonal, scale = 1): FeatureMatrix {
  const scaled = (rows: Float64Array) => (scale === 1 ? rows : rows.map((value) => scale * value));
  return {
    name: "",
    afterRows: (rows) => scaled(orthogonal.afterRows(rows)),
    ofRows: (rows) => scaled(orthogonal.ofRows(rows)),
  };
}

/** S O: directions spread evenly, then shaped by a symmetric S. */
export function shapedOrthogonal(orthogonal: HaarOrthogonal, shape: Float64Array): FeatureMatrix {
  const { m } = orthogonal;
  return {
    name: "",
    afterRows: (rows) => orthogonal.afterRows(product(rows, shape, m)),
    ofRows: (rows) => product(orthogonal.ofRows(rows), shape, m),
  };
}

/** Rows (of m) times a matrix (m×m). */
function product(rows: ArrayLike<number>, matrix: Float64Array, m: number): Float64Array {
  const result = new Float64Array(rows.length);
  for (let start = 0; start < rows.length; start += m) {
    for (let inner = 0; inner < m; inner++) {
      const factor = rows[start + inner]!;
      if (factor === 0) continue;
      const from = inner * m;
      for (let column = 0; column < m; column++) result[start + column]! += factor * matrix[from + column]!;
    }
  }
  return result;
}

function transposed(matrix: Float64Array, m: number): Float64Array {
  return matrix.map((_, index) => matrix[(index % m) * m + Math.floor(index / m)]!);
}
