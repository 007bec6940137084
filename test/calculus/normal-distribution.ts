/** Φ(x) in float64, precise in the tail: a series about 0, a continued fraction beyond. */
export function normalDistribution(x: number): number {
  if (x > 0) return 1 - normalDistribution(-x);
  const z = -x;
  const density = Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
  if (z > 2) {
    let fraction = z;
    for (let k = 400; k > 0; k--) fraction = z + k / fraction;
    return density / fraction;
  }
  // Φ(z) = ½ + φ(z)(z + z³/3 + z⁵/(3·5) + …).
  let [term, sum] = [z, z];
  for (let k = 3; k < 200; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return 0.5 - density * sum;
}
