import type * as MlMatrix from "ml-matrix";
import { DataError } from "../errors.ts";
import { RandomStream } from "../statistics/random.ts";

/** A density on feature space with its derivatives: what the bound's constants are integrals of. */
export interface Density {
  readonly m: number;
  /** How it is known: a known distribution, or an estimate. */
  readonly kind: "known" | "estimated";
  /** Independent points [n, m]. */
  sample(n: number, seed: number): Float64Array;
  /** p, ∇p and Δp at a point. */
  derivatives(z: ArrayLike<number>): {
    readonly density: number;
    readonly gradient: ArrayLike<number>;
    readonly laplacian: number;
  };
}

/** Kernels that an estimate is made of at most. */
const MOST_CENTRES = 1000;
/** A covariance of which a pivot is below this share of the largest variance has a direction without spread. */
const SINGULAR = 1e-10;

/**
 * A Gaussian kernel density estimate of features, its kernels of the features' own covariance at Scott's bandwidth n^(−1/(m+4)).
 *
 * @param features [n, m]; of many, every k-th is a kernel
 * @throws DataError where a feature, or a combination of features, does not vary: there is no density then
 */
export async function kernelDensity(features: ArrayLike<number>, m: number): Promise<Density> {
  const { CholeskyDecomposition, Matrix, inverse } = await import("ml-matrix");
  const n = features.length / m;
  const mean = new Float64Array(m);
  for (let index = 0; index < features.length; index++) mean[index % m]! += features[index]! / n;
  const covariance = covarianceOf(Matrix, features, mean);
  const factor = new CholeskyDecomposition(covariance).lowerTriangularMatrix;
  const largest = Math.max(...covariance.diagonal());
  const least = Math.min(...factor.diagonal().map((value) => value * value));
  if (!(largest > 0) || !(least > SINGULAR * largest)) {
    throw new DataError(
      `features: no density in ${m} dimensions: a feature, or a combination of features, does not vary in the data.`,
    );
  }
  const stride = Math.ceil(n / MOST_CENTRES);
  const centres = Math.floor(n / stride);
  const width = centres ** (-1 / (m + 4));
  const whitening = inverse(factor.clone().mul(width));
  const white = (z: ArrayLike<number>) => whiten(whitening, z);
  const whiteCentres = Array.from({ length: centres }, (_, index) =>
    white(Array.from({ length: m }, (__, j) => features[index * stride * m + j]!)),
  );
  const determinant = factor.diagonal().reduce((sum, value) => sum + Math.log(width * value), 0);
  const logScale = -Math.log(centres) - determinant - (m / 2) * Math.log(2 * Math.PI);
  const precisionTrace = whitening.norm("frobenius") ** 2;
  return {
    m,
    kind: "estimated",
    sample(count, seed) {
      const stream = new RandomStream(seed, "kernel density");
      const points = new Float64Array(count * m);
      for (let index = 0; index < count; index++) {
        const centre = stream.below(centres) * stride * m;
        const noise = Array.from({ length: m }, () => stream.normal());
        for (let row = 0; row < m; row++) {
          let moved = features[centre + row]!;
          for (let column = 0; column <= row; column++) moved += width * factor.get(row, column) * noise[column]!;
          points[index * m + row] = moved;
        }
      }
      return points;
    },
    derivatives(z) {
      const place = white(z);
      const gradient = new Float64Array(m);
      let density = 0;
      let laplacian = 0;
      for (const centre of whiteCentres) {
        const away = place.map((value, index) => value - centre[index]!);
        const part = Math.exp(logScale - away.reduce((sum, value) => sum + value * value, 0) / 2);
        if (part === 0) continue;
        // q = Σ⁻¹(z − c): ∇p = −p q, Δp = p (‖q‖² − Tr Σ⁻¹).
        let squared = 0;
        for (let column = 0; column < m; column++) {
          let pull = 0;
          for (let row = column; row < m; row++) pull += whitening.get(row, column) * away[row]!;
          gradient[column]! -= part * pull;
          squared += pull * pull;
        }
        density += part;
        laplacian += part * (squared - precisionTrace);
      }
      return { density, gradient, laplacian };
    },
  };
}

/** The covariance of rows of features about their mean. */
export function covarianceOf(
  Matrix: typeof MlMatrix.Matrix,
  features: ArrayLike<number>,
  mean: Float64Array,
): MlMatrix.Matrix {
  const m = mean.length;
  const n = features.length / m;
  const covariance = Matrix.zeros(m, m);
  for (let start = 0; start < features.length; start += m) {
    for (let row = 0; row < m; row++) {
      const one = (features[start + row]! - mean[row]!) / n;
      for (let column = 0; column <= row; column++) {
        const value = covariance.get(row, column) + one * (features[start + column]! - mean[column]!);
        covariance.set(row, column, value);
        covariance.set(column, row, value);
      }
    }
  }
  return covariance;
}

/** L⁻¹ z for a lower triangular L⁻¹. */
function whiten(whitening: MlMatrix.Matrix, z: ArrayLike<number>): Float64Array {
  const m = whitening.rows;
  const result = new Float64Array(m);
  for (let row = 0; row < m; row++) {
    for (let column = 0; column <= row; column++) result[row]! += whitening.get(row, column) * z[column]!;
  }
  return result;
}
