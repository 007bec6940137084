import { shuffled } from "../statistics/random.ts";
import type { Estimate } from "./decomposition.ts";

/** Random splits, and samples in a half at most: the cost grows with the square of the latter. */
export const SPLITS = 10;
const MOST = 500;
/** A standard deviation that is this share of the root mean square is float32's rounding: the feature does not vary. */
const STILL = 1e-5;

/**
 * The paper's practical approximation of representativeness, the error of a density estimate on random splits: over random halves A and B
 * of the samples, p̂_A a Gaussian kernel density estimate of A,
 *
 *   mean over A of ln p̂_A − mean over B of ln p̂_A,
 *
 * by how much less likely unseen features are under the estimate than those that it was made of. 0 where the samples stand for their
 * distribution at the kernels' width; in nats, unchanged when features are scaled, each by a factor of its own. It sees neither labels
 * nor the loss, nor more than training data, and is no part of the generalization gap.
 *
 * Kernels have each feature's standard deviation times Scott's n^(−1/(m+4)); features that do not vary are left out. The error is that of
 * the mean over splits of these samples. Costs splits × (n/2)² × m, with at most 500 samples in a half.
 *
 * @param features [n, m]
 * @returns undefined for fewer than four samples, or where no feature varies
 */
export function kdeRepresentativeness(
  features: ArrayLike<number>,
  m: number,
  seed: number,
  splits = SPLITS,
): Estimate | undefined {
  const scaled = standardized(features, m);
  const n = features.length / m;
  if (n < 4 || scaled.m === 0) return undefined;
  const half = Math.min(MOST, Math.floor(n / 2));
  const order = Int32Array.from({ length: n }, (_, index) => index);
  const errors = Array.from({ length: splits }, (_, split) => {
    const mixed = shuffled(order, seed, `density split ${split}`);
    const [own, other] = [mixed.subarray(0, half), mixed.subarray(half, 2 * half)];
    return meanLogKernels(scaled, own, own) - meanLogKernels(scaled, own, other);
  });
  const value = errors.reduce((sum, each) => sum + each, 0) / splits;
  const squares = errors.reduce((sum, each) => sum + (each - value) ** 2, 0);
  return { value, error: Math.sqrt(squares / (splits - 1) / splits) };
}

interface Rows {
  readonly m: number;
  readonly values: Float64Array;
}

/** The features that vary, each divided by its standard deviation. */
function standardized(features: ArrayLike<number>, m: number): Rows {
  const n = features.length / m;
  const means = new Float64Array(m);
  const variances = new Float64Array(m);
  for (let index = 0; index < features.length; index++) means[index % m]! += features[index]! / n;
  for (let index = 0; index < features.length; index++)
    variances[index % m]! += (features[index]! - means[index % m]!) ** 2 / n;
  const kept = Array.from({ length: m }, (_, j) => j).filter(
    (j) => variances[j]! > STILL ** 2 * (variances[j]! + means[j]! ** 2),
  );
  const values = new Float64Array(n * kept.length);
  for (let row = 0; row < n; row++)
    kept.forEach((j, place) => (values[row * kept.length + place] = features[row * m + j]! / Math.sqrt(variances[j]!)));
  return { m: kept.length, values };
}

/** Mean over `at` of ln Σ_{i of centres} exp(−‖z − z_i‖²/2h²): ln p̂ up to a constant that the difference is free of. */
function meanLogKernels({ m, values }: Rows, centres: Int32Array, at: Int32Array): number {
  const precision = centres.length ** (2 / (m + 4));
  const exponents = new Float64Array(centres.length);
  let total = 0;
  for (const place of at) {
    let largest = -Infinity;
    for (let index = 0; index < centres.length; index++) {
      const centre = centres[index]!;
      let squared = 0;
      for (let j = 0; j < m; j++) squared += (values[place * m + j]! - values[centre * m + j]!) ** 2;
      const exponent = (-precision * squared) / 2;
      exponents[index] = exponent;
      if (exponent > largest) largest = exponent;
    }
    let sum = 0;
    for (let index = 0; index < exponents.length; index++) sum += Math.exp(exponents[index]! - largest);
    total += largest + Math.log(sum);
  }
  return total / at.length;
}
