import { logGamma, logLowerGamma } from "../statistics/incomplete-gamma.ts";
import { Moments } from "../runtime/moments.ts";
import { RandomStream } from "../statistics/random.ts";
import { covarianceOf, type Density } from "./density.ts";
import { logSphere, RadialKernel } from "./radial-kernel.ts";

/** A constant and the Monte Carlo error of its integral. */
export interface Constant {
  readonly value: number;
  readonly standardError: number;
}

/** The constants of Theorem 6, in the unit of the loss. */
export interface BoundConstants {
  readonly c1: Constant;
  readonly c2: Constant;
}

/** Points of each Monte Carlo integral. */
export const POINTS = 20_000;

/**
 * C1 and C2 of Theorem 6, E_gen ≲ n^(−2/(4+m)) (κ/2m + C1 + C2/√Δ), in our own derivation:
 *
 *   C1 = L · (μ₂/2) · ∫ |Δ(p(z)‖z‖²)| dz      from the bias of the variable-bandwidth density estimate,
 *   C2 = L · √R(k) · ∫ √(p(z)/‖z‖^m) dz        from its variance R(k) p/(n δ^m ‖z‖^m), by Minkowski and Chebyshev,
 *
 * with μ₂ = E[s²]/m and R(k) = ∫k² of the kernel of eq. 6 at bandwidth 1, and L the largest loss. Both stay as they are when features are
 * scaled. (The paper's ∫ p/‖z‖^m follows by Cauchy and Schwarz on a bounded support; it diverges where p(0) > 0.)
 *
 * Monte Carlo integrals: the first over points of p, the second over points of a wide normal law and of one concentrated at 0, under
 * which the integrand is bounded.
 *
 * @param sigma of the kernel
 */
export async function boundConstants(
  density: Density,
  sigma: number,
  largestLoss: number,
  seed: number,
  points = POINTS,
): Promise<BoundConstants> {
  const kernel = new RadialKernel(density.m, sigma);
  const bend = largestLoss * (kernel.secondMoment / density.m / 2);
  const rough = largestLoss * Math.exp(kernel.logRoughness / 2);
  return {
    c1: scaled(bendIntegral(density, seed, points), bend),
    c2: scaled(await spreadIntegral(density, seed, points), rough),
  };
}

/** The same for a normal law of covariance s²I about 0, in closed form, whatever s: a yardstick where the density is not known. */
export function roundNormalConstants(m: number, sigma: number, largestLoss: number): { c1: number; c2: number } {
  const kernel = new RadialKernel(m, sigma);
  // With t = ‖z‖²/s² of the χ² law: Δ(p‖z‖²)/p = t² − (m + 4) t + 2m, negative between its roots.
  const root = Math.sqrt((m + 4) ** 2 - 8 * m);
  const between = (moment: number, factor: number) =>
    factor * (chiSquared(m + 2 * moment, (m + 4 + root) / 2) - chiSquared(m + 2 * moment, (m + 4 - root) / 2));
  const negative = between(2, m * (m + 2)) - between(1, m * (m + 4)) + between(0, 2 * m);
  // The whole integral is 0, so that its absolute value is twice the negative part.
  const bend = -2 * negative;
  const spread = Math.exp(logSphere(m) - Math.LN2 + (m / 4) * Math.log(2 / Math.PI) + logGamma(m / 4));
  return {
    c1: largestLoss * (kernel.secondMoment / m / 2) * bend,
    c2: largestLoss * Math.exp(kernel.logRoughness / 2) * spread,
  };
}

/** P(χ²_ν ≤ t). */
function chiSquared(degrees: number, t: number): number {
  return Math.exp(logLowerGamma(degrees / 2, t / 2) - logGamma(degrees / 2));
}

/** ∫ |Δ(p‖z‖²)| = E_p |‖z‖² Δp/p + 4 z·∇p/p + 2m|. */
function bendIntegral(density: Density, seed: number, points: number): Constant {
  const { m } = density;
  const moments = new Moments();
  const all = density.sample(points, seed);
  for (let start = 0; start < all.length; start += m) {
    const z = all.subarray(start, start + m);
    const { density: p, gradient, laplacian } = density.derivatives(z);
    let squared = 0;
    let slope = 0;
    for (let j = 0; j < m; j++) {
      squared += z[j]! * z[j]!;
      slope += z[j]! * gradient[j]!;
    }
    moments.add(Math.abs((squared * laplacian + 4 * slope) / p + 2 * m));
  }
  return { value: moments.mean, standardError: moments.standardError };
}

/** ∫ √(p(z)/‖z‖^m) dz, half of the points from N(mean, 2 Cov), half from the density ∝ ‖z‖^(−m/2) within the root mean square length. */
async function spreadIntegral(density: Density, seed: number, points: number): Promise<Constant> {
  const { Matrix, CholeskyDecomposition, inverse } = await import("ml-matrix");
  const { m } = density;
  const sample = density.sample(points, seed + 1);
  const mean = new Float64Array(m);
  for (let index = 0; index < sample.length; index++) mean[index % m]! += (m * sample[index]!) / sample.length;
  const reach = Math.sqrt((m * sample.reduce((sum, value) => sum + value * value, 0)) / sample.length);
  const factor = new CholeskyDecomposition(covarianceOf(Matrix, sample, mean).mul(2)).lowerTriangularMatrix;
  const whitening = inverse(factor);
  const logWide = -factor.diagonal().reduce((sum, value) => sum + Math.log(value), 0) - (m / 2) * Math.log(2 * Math.PI);
  const logNear = Math.log(m / 2) - logSphere(m) - (m / 2) * Math.log(reach);
  const stream = new RandomStream(seed, "bound constants");
  const moments = new Moments();
  for (let point = 0; point < points; point++) {
    const noise = Float64Array.from({ length: m }, () => stream.normal());
    const z = new Float64Array(m);
    if (point % 2 === 0) {
      for (let row = 0; row < m; row++) {
        z[row] = mean[row]!;
        for (let column = 0; column <= row; column++) z[row]! += factor.get(row, column) * noise[column]!;
      }
    } else {
      const radius = reach * stream.uniform() ** (2 / m);
      const length = Math.sqrt(noise.reduce((sum, value) => sum + value * value, 0));
      for (let row = 0; row < m; row++) z[row] = (radius * noise[row]!) / length;
    }
    const length = Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));
    let away = 0;
    for (let row = 0; row < m; row++) {
      let white = 0;
      for (let column = 0; column <= row; column++) white += whitening.get(row, column) * (z[column]! - mean[column]!);
      away += white * white;
    }
    const wide = Math.exp(logWide - away / 2);
    const near = length < reach ? Math.exp(logNear - (m / 2) * Math.log(length)) : 0;
    const value = Math.sqrt(density.derivatives(z).density) * length ** (-m / 2);
    moments.add(value / ((wide + near) / 2));
  }
  return { value: moments.mean, standardError: moments.standardError };
}

function scaled({ value, standardError }: Constant, factor: number): Constant {
  return { value: factor * value, standardError: factor * standardError };
}
