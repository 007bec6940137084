import { describe, expect, test } from "vitest";
import { RandomStream } from "../../src/statistics/random.ts";
import { logSphere, RadialKernel } from "../../src/theory/radial-kernel.ts";

const STANDARD_ERRORS = 4;
/** Of the midpoint rule with this many steps. */
const STEPS = 100_000;
const DIGITS = 6;

/** ∫_0^1 f(s) s^(m−1) ds. */
function radial(m: number, f: (s: number) => number): number {
  let sum = 0;
  for (let step = 0; step < STEPS; step++) {
    const s = (step + 0.5) / STEPS;
    sum += f(s) * s ** (m - 1);
  }
  return sum / STEPS;
}

describe.each([
  [1, 1],
  [2, 1],
  [3, 0.3],
  [32, 1],
  [32, 0.15],
  [84, 0.05],
])("the kernel in %i dimensions with σ = %f", (m, sigma) => {
  const kernel = new RadialKernel(m, sigma);
  const density = (s: number) => Math.exp(-(s * s) / (2 * sigma * sigma));
  const mass = radial(m, density);
  const moment = (power: number) => radial(m, (s) => s ** power * density(s)) / mass;

  test("has E[s²] and R(k) of numerical integration", () => {
    expect(kernel.secondMoment / moment(2)).toBeCloseTo(1, DIGITS);
    const sphere = Math.exp(logSphere(m));
    const roughness = radial(m, (s) => density(s) ** 2) / (sphere * mass * mass);
    expect(kernel.logRoughness).toBeCloseTo(Math.log(roughness), DIGITS);
  });

  test("is drawn with these moments, within the ball, evenly in all directions", () => {
    const stream = new RandomStream(11, "radii");
    const draws = 20_000;
    const sums = [0, 0, 0];
    let first = 0;
    for (let draw = 0; draw < draws; draw++) {
      const point = kernel.point(stream);
      const squared = point.reduce((sum, value) => sum + value * value, 0);
      expect(squared).toBeLessThan(1);
      [squared, squared ** 2, squared ** 4].forEach((value, index) => (sums[index]! += value / draws));
      first += point[0]! ** 2 / draws;
    }
    const spread = (power: number) => Math.sqrt((moment(2 * power) - moment(power) ** 2) / draws);
    [2, 4].forEach((power, index) =>
      expect(Math.abs(sums[index]! - moment(power))).toBeLessThan(STANDARD_ERRORS * spread(power)),
    );
    // A direction's square has mean 1/m and variance below 2/m².
    const error = Math.sqrt((3 * moment(4)) / (m * (m + 2)) - (moment(2) / m) ** 2) / Math.sqrt(draws);
    expect(Math.abs(first - moment(2) / m)).toBeLessThan(STANDARD_ERRORS * error);
  });
});

test("the sphere's surface", () => {
  expect(Math.exp(logSphere(2))).toBeCloseTo(2 * Math.PI, 10);
  expect(Math.exp(logSphere(3))).toBeCloseTo(4 * Math.PI, 10);
});
