import { describe, expect, test } from "vitest";
import { RandomStream } from "../../src/statistics/random.ts";
import { boundConstants, roundNormalConstants } from "../../src/theory/bound-constants.ts";
import { type Density, kernelDensity } from "../../src/theory/density.ts";
import { logSphere, RadialKernel } from "../../src/theory/radial-kernel.ts";

const STANDARD_ERRORS = 4;
/** Of the midpoint rules below. */
const INTEGRATION = 1e-6;

/** N(0, s²I) as a density that is known. */
function roundNormal(m: number, s: number): Density {
  return {
    m,
    kind: "known",
    sample(n, seed) {
      const stream = new RandomStream(seed, "normal law");
      return Float64Array.from({ length: n * m }, () => s * stream.normal());
    },
    derivatives(z) {
      const squared = Array.from(z).reduce((sum, value) => sum + value * value, 0) / s ** 2;
      const density = Math.exp(-squared / 2) / (2 * Math.PI * s * s) ** (m / 2);
      return {
        density,
        gradient: Float64Array.from(z, (value) => (-value / s ** 2) * density),
        laplacian: (density * (squared - m)) / s ** 2,
      };
    },
  };
}

/** S ∫_0^∞ f(r) r^(m−1) dr by the midpoint rule in r = u², which takes the root at 0. */
function overSpace(m: number, f: (r: number) => number): number {
  const [steps, end] = [200_000, 6];
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    const u = ((step + 0.5) / steps) * end;
    sum += f(u * u) * (u * u) ** (m - 1) * 2 * u;
  }
  return (Math.exp(logSphere(m)) * sum * end) / steps;
}

/** Δ of a function of ‖z‖, by central differences: f'' + (m − 1) f'/r. */
function laplacian(m: number, f: (r: number) => number, r: number): number {
  const h = 1e-4 * (1 + r);
  const [before, here, after] = [f(Math.abs(r - h)), f(r), f(r + h)];
  return (after - 2 * here + before) / h ** 2 + ((m - 1) * (after - before)) / (2 * h * r);
}

describe.each([2, 3])("of a normal law in %i dimensions", (m) => {
  const [sigma, largest, s] = [0.7, 3.5, 1.3];
  const kernel = new RadialKernel(m, sigma);
  const p = (r: number) => Math.exp(-(r * r) / (2 * s * s)) / (2 * Math.PI * s * s) ** (m / 2);
  const bend = overSpace(m, (r) => Math.abs(laplacian(m, (x) => p(x) * x * x, r)));
  const spread = overSpace(m, (r) => Math.sqrt(p(r) / r ** m));
  const c1 = ((largest * kernel.secondMoment) / m / 2) * bend;
  const c2 = largest * Math.exp(kernel.logRoughness / 2) * spread;

  test("the closed form is the integral", () => {
    const closed = roundNormalConstants(m, sigma, largest);
    // Central differences of second order.
    expect(Math.abs(closed.c1 / c1 - 1)).toBeLessThan(100 * INTEGRATION);
    expect(Math.abs(closed.c2 / c2 - 1)).toBeLessThan(INTEGRATION);
  });

  test("the Monte Carlo integrals are within their errors of it", async () => {
    const found = await boundConstants(roundNormal(m, s), sigma, largest, 3, 100_000);
    expect(Math.abs(found.c1.value - c1)).toBeLessThan(STANDARD_ERRORS * found.c1.standardError);
    expect(Math.abs(found.c2.value - c2)).toBeLessThan(STANDARD_ERRORS * found.c2.standardError);
    expect(found.c1.standardError / c1).toBeLessThan(0.01);
    expect(found.c2.standardError / c2).toBeLessThan(0.01);
  });
});

describe("features ten times as large", () => {
  const scale = 10;
  /** The same draws, scaled: what is left is rounding. */
  const ROUNDING = 1e-9;

  test("leave the constants of a known density as they are", async () => {
    const [one, other] = await Promise.all([1, scale].map((s) => boundConstants(roundNormal(5, s), 1, 2, 4, 2000)));
    expect(Math.abs(other!.c1.value / one!.c1.value - 1)).toBeLessThan(ROUNDING);
    expect(Math.abs(other!.c2.value / one!.c2.value - 1)).toBeLessThan(ROUNDING);
  });

  test("and those of an estimate", async () => {
    const stream = new RandomStream(8, "features");
    const features = Float64Array.from({ length: 300 * 4 }, (_, index) => stream.normal() + (index % 4));
    const [one, other] = await Promise.all(
      [1, scale].map(async (factor) => {
        const density = await kernelDensity(
          features.map((value) => factor * value),
          4,
        );
        return boundConstants(density, 1, 2, 4, 1000);
      }),
    );
    expect(Math.abs(other!.c1.value / one!.c1.value - 1)).toBeLessThan(ROUNDING);
    expect(Math.abs(other!.c2.value / one!.c2.value - 1)).toBeLessThan(ROUNDING);
  });
});

describe("a kernel density estimate", () => {
  const stream = new RandomStream(9, "features");
  const m = 3;
  const features = Float64Array.from({ length: 500 * m }, (_, index) => (1 + (index % m)) * stream.normal());

  test("has the derivatives of central differences, and integrates to 1", async () => {
    const density = await kernelDensity(features, m);
    const at = (z: number[]) => density.derivatives(z).density;
    const z = [0.4, -0.9, 1.7];
    const { gradient, laplacian: bent } = density.derivatives(z);
    const h = 1e-3;
    let sum = 0;
    for (let j = 0; j < m; j++) {
      const moved = (step: number) => at(z.map((value, k) => (k === j ? value + step : value)));
      expect(gradient[j]! / ((moved(h) - moved(-h)) / (2 * h))).toBeCloseTo(1, 4);
      sum += (moved(h) - 2 * at(z) + moved(-h)) / h ** 2;
    }
    expect(bent / sum).toBeCloseTo(1, 3);
    // E under the estimate of q/p̂, q a density of its own, is 1.
    const sample = density.sample(4000, 1);
    let [total, squares] = [0, 0];
    for (let start = 0; start < sample.length; start += m) {
      const point = sample.subarray(start, start + m);
      const q = point.reduce((product, value, j) => {
        const s = (1 + j) / 1.5;
        return (product * Math.exp(-(value ** 2) / (2 * s * s))) / (s * Math.sqrt(2 * Math.PI));
      }, 1);
      const ratio = q / at([...point]);
      [total, squares] = [total + ratio / 4000, squares + ratio ** 2 / 4000];
    }
    expect(Math.abs(total - 1)).toBeLessThan(STANDARD_ERRORS * Math.sqrt((squares - total ** 2) / 4000));
  });

  test("is refused for features that do not vary", async () => {
    const dead = features.map((value, index) => (index % m === 1 ? 0 : value));
    await expect(kernelDensity(dead, m)).rejects.toThrow(/does not vary/);
  });
});
