import { logGamma, logLowerGamma, lowerGammaRatio } from "../statistics/incomplete-gamma.ts";
import type { RandomStream } from "../statistics/random.ts";

/** Halvings of [0, 1] that leave nothing of a double. */
const HALVINGS = 52;
/** Up to this 1/2σ² one in eight proposals of the density m s^(m−1) is accepted, which is faster than halving. */
const REJECTABLE = 2;

/**
 * The kernel of the paper's eq. 6 with bandwidth 1: a normal law of variance σ² in m dimensions, truncated to the unit ball. Its
 * radius s has the density ∝ s^(m−1) exp(−s²/2σ²) on [0, 1) (Proposition 2), its direction is uniform.
 */
export class RadialKernel {
  readonly m: number;
  readonly sigma: number;
  readonly #a: number;
  readonly #x: number;

  constructor(m: number, sigma: number) {
    this.m = m;
    this.sigma = sigma;
    this.#a = m / 2;
    this.#x = 1 / (2 * sigma * sigma);
  }

  /** A radius s: by rejection where the kernel is wide, else by inversion of its distribution function. */
  radius(stream: RandomStream): number {
    while (this.#x <= REJECTABLE) {
      const proposed = stream.uniform() ** (1 / this.m);
      if (stream.uniform() < Math.exp(-this.#x * proposed * proposed)) return proposed;
    }
    const wanted = Math.log(stream.uniform()) + logLowerGamma(this.#a, this.#x);
    let [low, high] = [0, 1];
    for (let step = 0; step < HALVINGS; step++) {
      const middle = (low + high) / 2;
      if (logLowerGamma(this.#a, this.#x * middle * middle) < wanted) low = middle;
      else high = middle;
    }
    return (low + high) / 2;
  }

  /** A point of the unit ball. */
  point(stream: RandomStream): Float64Array {
    const direction = Float64Array.from({ length: this.m }, () => stream.normal());
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    const radius = this.radius(stream);
    return direction.map((value) => (radius * value) / length);
  }

  /** E[s²] = 2σ² γ(m/2 + 1, 1/2σ²) / γ(m/2, 1/2σ²). */
  get secondMoment(): number {
    return lowerGammaRatio(this.#a, this.#x) / this.#x;
  }

  /** ln R(k), R(k) = ∫ k(v)² dv over the unit ball. */
  get logRoughness(): number {
    // k = exp(−v²/2σ²) / N, N = S ∫ s^(m−1) exp(−s²/2σ²) ds, and ∫ exp(−v²/σ²) dv is N of the variance σ²/2.
    return this.#logMass(this.sigma / Math.SQRT2) - 2 * this.#logMass(this.sigma);
  }

  /** ln of ∫ exp(−v²/2σ²) dv over the unit ball. */
  #logMass(sigma: number): number {
    const variance = sigma * sigma;
    return logSphere(this.m) - Math.LN2 + this.#a * Math.log(2 * variance) + logLowerGamma(this.#a, 1 / (2 * variance));
  }
}

/** ln of the surface of the unit sphere in m dimensions, 2π^(m/2) / Γ(m/2). */
export function logSphere(m: number): number {
  return Math.LN2 + (m / 2) * Math.log(Math.PI) - logGamma(m / 2);
}
