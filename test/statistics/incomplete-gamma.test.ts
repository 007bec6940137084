import { describe, expect, test } from "vitest";
import { logGamma, logLowerGamma, lowerGammaRatio } from "../../src/statistics/incomplete-gamma.ts";

/** ∫_0^x t^(a−1) e^(−t) dt by the midpoint rule in u = √t, where the integrand is smooth from a = ½ on. */
function integral(a: number, x: number): number {
  const steps = 200_000;
  const width = Math.sqrt(x) / steps;
  let sum = 0;
  for (let step = 0; step < steps; step++) {
    const u = (step + 0.5) * width;
    sum += 2 * u ** (2 * a - 1) * Math.exp(-u * u);
  }
  return sum * width;
}

describe("the incomplete gamma function", () => {
  test("ln Γ of whole and half numbers", () => {
    let factorial = 1;
    for (let n = 1; n <= 20; n++) {
      expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 12);
      factorial *= n;
    }
    expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 13);
    expect(logGamma(0.25)).toBeCloseTo(Math.log(3.625609908221908), 12);
    // Stirling's series, whose next term is below 1e-15 here.
    expect(logGamma(392)).toBeCloseTo(
      391.5 * Math.log(392) - 392 + Math.log(2 * Math.PI) / 2 + 1 / (12 * 392) - 1 / (360 * 392 ** 3),
      9,
    );
  });

  test.each([
    [0.5, 0.3],
    [1, 2],
    [1.5, 9],
    [5, 0.5],
    [5, 20],
    [16, 0.5],
  ])("γ(%f, %f) is the integral", (a, x) => {
    expect(logLowerGamma(a, x)).toBeCloseTo(Math.log(integral(a, x)), 8);
    expect(lowerGammaRatio(a, x)).toBeCloseTo(integral(a + 1, x) / integral(a, x), 6);
  });

  test("γ(1, x) = 1 − e^(−x) on both sides of where the method changes", () => {
    for (const x of [1e-8, 0.1, 1.9, 2.1, 10, 700])
      expect(Math.exp(logLowerGamma(1, x))).toBeCloseTo(-Math.expm1(-x), 13);
  });

  test("stays finite where γ has no double", () => {
    // γ(a, x) → x^a/a e^(−x) (1 + x/(a+1) + …) for a ≫ x.
    const [a, x] = [2000, 0.5];
    expect(logLowerGamma(a, x)).toBeCloseTo(a * Math.log(x) - x - Math.log(a) + Math.log(1 + x / (a + 1)), 6);
    expect(logLowerGamma(3, 0)).toBe(-Infinity);
    // All of the mass lies below: γ → Γ.
    expect(logLowerGamma(20, 1e6)).toBeCloseTo(logGamma(20), 12);
  });
});
