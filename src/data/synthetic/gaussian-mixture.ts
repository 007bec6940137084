import { inverse, LuDecomposition, Matrix } from "ml-matrix";

/** One Gaussian of a mixture: z = mean + factor·ε, ε ~ N(0, I), so that its covariance is factor·factorᵀ. */
export interface Gaussian {
  readonly weight: number;
  readonly mean: Float64Array;
  /** m × m, not singular. */
  readonly factor: Matrix;
}

/** p, ∇p and Σ_j ∂²p/∂z_j² at a point. */
export interface DensityDerivatives {
  readonly density: number;
  readonly gradient: Float64Array;
  readonly laplacian: number;
}

/** A Gaussian as its density needs it. */
export interface Component {
  readonly mean: Float64Array;
  /** F⁻¹, whose product with z − mean is white. */
  readonly whitening: Matrix;
  /** log(weight / ((2π)^(m/2) |det F|)). */
  readonly logScale: number;
  /** Tr Σ⁻¹ = ‖F⁻¹‖². */
  readonly precisionTrace: number;
}

/** p(z) = Σ_k w_k N(z; μ_k, F_k F_kᵀ) on ℝ^m, exact. Densities cost O(K m²) each. */
export class GaussianMixture {
  readonly m: number;
  readonly components: readonly Component[];

  constructor(gaussians: readonly Gaussian[]) {
    this.m = (gaussians[0] as Gaussian).mean.length;
    this.components = gaussians.map(({ weight, mean, factor }) => {
      const whitening = inverse(factor);
      const volume = Math.abs(new LuDecomposition(factor).determinant);
      return {
        mean,
        whitening,
        logScale: Math.log(weight / volume) - (this.m / 2) * Math.log(2 * Math.PI),
        precisionTrace: whitening.norm("frobenius") ** 2,
      };
    });
  }

  /** log(w_k N(z; μ_k, Σ_k)) of each component. */
  logParts(z: ArrayLike<number>): Float64Array {
    return Float64Array.from(this.components, (component) => {
      const white = whitened(component, z);
      return component.logScale - dot(white, white) / 2;
    });
  }

  /** log p(z), finite where p itself is too small for a double. */
  logDensity(z: ArrayLike<number>): number {
    return logSum(this.logParts(z));
  }

  density(z: ArrayLike<number>): number {
    return Math.exp(this.logDensity(z));
  }

  /** With q_k = Σ_k⁻¹(z − μ_k): ∇p = −Σ_k p_k q_k, Δp = Σ_k p_k (‖q_k‖² − Tr Σ_k⁻¹). */
  derivatives(z: ArrayLike<number>): DensityDerivatives {
    const gradient = new Float64Array(this.m);
    let density = 0;
    let laplacian = 0;
    for (const component of this.components) {
      const { whitening, logScale, precisionTrace } = component;
      const white = whitened(component, z);
      const part = Math.exp(logScale - dot(white, white) / 2);
      let squared = 0;
      for (let j = 0; j < this.m; j++) {
        let pull = 0;
        for (let i = 0; i < this.m; i++) pull += whitening.get(i, j) * white[i]!;
        gradient[j]! -= part * pull;
        squared += pull * pull;
      }
      density += part;
      laplacian += part * (squared - precisionTrace);
    }
    return { density, gradient, laplacian };
  }
}

/** log Σ exp, from the largest term. */
export function logSum(logs: ArrayLike<number>): number {
  const largest = Math.max(...Array.from(logs));
  let sum = 0;
  for (let index = 0; index < logs.length; index++) sum += Math.exp(logs[index]! - largest);
  return largest + Math.log(sum);
}

function whitened({ mean, whitening }: Component, z: ArrayLike<number>): Float64Array {
  const m = mean.length;
  const white = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < m; j++) white[i]! += whitening.get(i, j) * (z[j]! - mean[j]!);
  }
  return white;
}

function dot(u: Float64Array, v: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < u.length; index++) sum += u[index]! * v[index]!;
  return sum;
}
