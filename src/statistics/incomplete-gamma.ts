/** Coefficients of Lanczos' approximation with g = 7 (relative error below 1e-15). */
const lanczos = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];
/** Terms that no longer change a sum. */
const SMALL = 1e-17;

/** ln Γ(a) for a > 0. */
export function logGamma(a: number): number {
  if (a < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * a)) - logGamma(1 - a);
  let sum = lanczos[0] as number;
  for (let k = 1; k < lanczos.length; k++) sum += (lanczos[k] as number) / (a - 1 + k);
  const t = a + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (a - 0.5) * Math.log(t) - t + Math.log(sum);
}

/** ln γ(a, x), γ(a, x) = ∫_0^x t^(a−1) e^(−t) dt: finite where the integral itself is too small for a double. */
export function logLowerGamma(a: number, x: number): number {
  if (x <= 0) return -Infinity;
  const front = a * Math.log(x) - x;
  if (x < a + 1) return front + Math.log(series(a, x));
  // γ = Γ − Γ(a, x), the latter by its continued fraction (modified Lentz).
  const complete = logGamma(a);
  return complete + Math.log1p(-Math.exp(front + Math.log(fraction(a, x)) - complete));
}

/** γ(a + 1, x) / γ(a, x): the mean of t under t^(a−1) e^(−t) on [0, x]. */
export function lowerGammaRatio(a: number, x: number): number {
  if (x < a + 1) return (x * series(a + 1, x)) / series(a, x);
  return a - Math.exp(a * Math.log(x) - x - logLowerGamma(a, x));
}

/** γ(a, x) x^(−a) e^x = Σ_k x^k / (a (a + 1) ⋯ (a + k)). */
function series(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let k = 1; term > SMALL * sum; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return sum;
}

/** Γ(a, x) x^(−a) e^x. */
function fraction(a: number, x: number): number {
  const tiny = 1e-300;
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let result = d;
  for (let k = 1; k < 10_000; k++) {
    const factor = -k * (k - a);
    b += 2;
    d = 1 / (factor * d + b || tiny);
    c = b + factor / c || tiny;
    const change = d * c;
    result *= change;
    if (Math.abs(change - 1) < 1e-15) break;
  }
  return result;
}
