/** Φ(z) of the standard normal distribution, to 1e-15 absolute: a series near 0, a continued fraction in the tails. */
export function normalCdf(z: number): number {
  if (Number.isNaN(z)) return Number.NaN;
  const size = Math.abs(z);
  if (size > 38) return z < 0 ? 0 : 1;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (size < 3) {
    // Φ(z) = ½ + φ(z)(z + z³/3 + z⁵/(3·5) + …)
    let term = z;
    let sum = z;
    for (let k = 3; Math.abs(term / sum) > 1e-17; k += 2) {
      term *= (z * z) / k;
      sum += term;
    }
    return 0.5 + density * sum;
  }
  // 1 − Φ(z) = φ(z)/(z + 1/(z + 2/(z + 3/(z + …))))
  let fraction = size;
  for (let k = 100; k > 0; k--) fraction = size + k / fraction;
  const tail = density / fraction;
  return z < 0 ? tail : 1 - tail;
}

/** Φ⁻¹(p): a starting value of Abramowitz and Stegun (26.2.23), then Newton's steps of third order (Halley's). */
export function normalQuantile(p: number): number {
  if (!(p > 0 && p < 1)) return p === 0 ? -Infinity : p === 1 ? Infinity : Number.NaN;
  const t = Math.sqrt(-2 * Math.log(Math.min(p, 1 - p)));
  const start = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  let z = p < 0.5 ? -start : start;
  for (let step = 0; step < 3; step++) {
    const error = (normalCdf(z) - p) * Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2);
    z -= error / (1 + (z * error) / 2);
  }
  return z;
}
