import { describe, expect, test } from "vitest";
import { syntheticDistribution, type SyntheticOptions } from "../../src/data/synthetic.ts";
import { DataError, UsageError } from "../../src/errors.ts";

/** Averages at fixed seeds lie within this many standard errors of what they estimate. */
const STANDARD_ERRORS = 4;
/** A sum over a grid of a tenth of the narrowest cluster: the rule's own error is below rounding; the edges are 7 widths away. */
const QUADRATURE = 1e-9;
/** Central differences with steps of 1e-4 in float64: h² = 1e-8 of truncation, 1e-16/h² = 1e-8 of rounding, times a few. */
const DIFFERENCES = 1e-6;
/** float64 arithmetic in another order. */
const ROUNDING = 1e-12;

const stretchedPlane: SyntheticOptions = {
  separation: 1.5,
  informative: 2,
  redundant: 0,
  noise: 0,
  clusters: "stretched",
  seed: 3,
};
const everything: SyntheticOptions = {
  informative: 2,
  redundant: 2,
  redundantNoise: 0.5,
  noise: 1,
  clusters: "stretched",
  seed: 5,
};

const normal = (x: number, mean: number, sd = 1) =>
  Math.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * Math.sqrt(2 * Math.PI));

describe("density", () => {
  test("two clusters on a line: ½ N(−c, 1) + ½ N(c, 1)", () => {
    const c = 0.7;
    const line = { separation: c, informative: 1, redundant: 0, noise: 0, clustersPerClass: 1 };
    const distribution = syntheticDistribution(line);
    for (const z of [-3, -0.7, 0, 0.2, 5]) {
      expect(distribution.density([z])).toBeCloseTo((normal(z, c) + normal(z, -c)) / 2, 12);
    }
    // 60 standard deviations away, where the density itself is 0 in a double.
    expect(distribution.density([60])).toBe(0);
    expect(distribution.logDensity([60])).toBeCloseTo(Math.log(0.5 / Math.sqrt(2 * Math.PI)) - (60 - c) ** 2 / 2, 8);
  });

  test("redundant features with noise, and noise: the product of conditional densities", () => {
    const distribution = syntheticDistribution(everything);
    const plain = syntheticDistribution({ ...everything, redundant: 0, noise: 0 });
    // B by least squares: E(redundant | u) = B u.
    const { features, n, m } = distribution.sample(20_000, 1);
    const combination = (column: number) => {
      let [aa, ab, bb, ay, by] = [0, 0, 0, 0, 0];
      for (let i = 0; i < n; i++) {
        const [a, b, y] = [features[i * m]!, features[i * m + 1]!, features[i * m + column]!];
        [aa, ab, bb, ay, by] = [aa + a * a, ab + a * b, bb + b * b, ay + a * y, by + b * y];
      }
      const determinant = aa * bb - ab * ab;
      return [(ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant] as const;
    };
    const z = [0.8, -0.4, 0.3, 0.1, -1.2];
    const conditional = [2, 3].map((column) => {
      const [a, b] = combination(column);
      return normal(z[column]!, a * z[0]! + b * z[1]!, 0.5);
    });
    const expected = plain.density(z.slice(0, 2)) * conditional[0]! * conditional[1]! * normal(z[4]!, 0);
    // B is known to about 0.5/√20 000.
    expect(distribution.density(z) / expected).toBeCloseTo(1, 1.5);
  });

  test("integrates to 1, its gradient and Laplacian to 0", () => {
    const { derivatives } = syntheticDistribution(stretchedPlane);
    const step = 0.06;
    const sums = [0, 0, 0, 0];
    for (let a = -12; a <= 12; a += step) {
      for (let b = -12; b <= 12; b += step) {
        const { density, gradient, laplacian } = derivatives([a, b]);
        [density, gradient[0]!, gradient[1]!, laplacian].forEach((value, i) => (sums[i]! += value * step * step));
      }
    }
    for (const [i, expected] of [1, 0, 0, 0].entries()) expect(Math.abs(sums[i]! - expected)).toBeLessThan(QUADRATURE);
  });

  test("derivatives are those of central differences", () => {
    const distribution = syntheticDistribution(everything);
    const h = 1e-4;
    for (const z of [[1, -1, 0.5, 0.2, 0.3], Array.from(distribution.sample(1, 4).features)]) {
      const { density, gradient, laplacian } = distribution.derivatives(z);
      expect(density).toBeCloseTo(distribution.density(z), 14);
      const moved = (j: number, by: number) =>
        distribution.density(z.map((value, i) => (i === j ? value + by : value)));
      let sum = 0;
      for (let j = 0; j < z.length; j++) {
        expect(Math.abs((moved(j, h) - moved(j, -h)) / (2 * h) - gradient[j]!)).toBeLessThan(DIFFERENCES);
        sum += (moved(j, h) - 2 * density + moved(j, -h)) / h ** 2;
      }
      expect(Math.abs(sum - laplacian)).toBeLessThan(DIFFERENCES);
    }
  });

  test("is that of the samples: counts of cells of a plane", () => {
    const distribution = syntheticDistribution(stretchedPlane);
    const n = 40_000;
    const { features } = distribution.sample(n, 11);
    const [cell, parts] = [0.5, 10];
    const counts = new Map<string, number>();
    for (let i = 0; i < n; i++) {
      const key = `${Math.floor(features[2 * i]! / cell)},${Math.floor(features[2 * i + 1]! / cell)}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    let compared = 0;
    for (const [key, count] of counts) {
      const [a, b] = key.split(",").map((index) => Number(index) * cell) as [number, number];
      let probability = 0;
      for (let i = 0; i < parts; i++) {
        for (let j = 0; j < parts; j++) {
          const [da, db] = [i, j].map((part) => ((part + 0.5) / parts) * cell) as [number, number];
          probability += distribution.density([a + da, b + db]) * (cell / parts) ** 2;
        }
      }
      if (n * probability < 50) continue;
      compared++;
      const sigma = Math.sqrt(n * probability * (1 - probability));
      expect(Math.abs(count - n * probability) / sigma).toBeLessThan(STANDARD_ERRORS);
    }
    expect(compared).toBeGreaterThan(40);
  });

  test("there is none where redundant features are exact combinations", () => {
    const distribution = syntheticDistribution({ informative: 2, redundant: 3, noise: 1 });
    const z = distribution.sample(1, 0).features;
    expect(() => distribution.density(z)).toThrow(DataError);
    expect(() => distribution.derivatives(z)).toThrow(
      "synthetic: no density on 6 features: 3 of them are linear combinations of others; " +
        "give them noise (redundantNoise, --redundant-noise 0.1) or leave them out (redundant 0).",
    );
  });
});

describe("samples", () => {
  test("every cluster has its share, its mean and its covariance", () => {
    const distribution = syntheticDistribution({ ...everything, redundant: 0 });
    const n = 40_000;
    const { features, clusters, m } = distribution.sample(n, 2);
    for (const [cluster, { mean, whitening }] of distribution.mixture.components.entries()) {
      const rows: number[][] = [];
      for (let i = 0; i < n; i++) {
        if (clusters[i] !== cluster) continue;
        const u = [features[i * m]! - mean[0]!, features[i * m + 1]! - mean[1]!];
        rows.push([0, 1].map((a) => whitening.get(a, 0) * u[0]! + whitening.get(a, 1) * u[1]!));
      }
      const share = rows.length / n;
      expect(Math.abs(share - 0.25)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(0.1875 / n));
      // Whitened they are N(0, I): means have variance 1/n, products of two 1/n, squares 2/n.
      const average = (value: (row: number[]) => number) =>
        rows.reduce((sum, row) => sum + value(row), 0) / rows.length;
      const error = STANDARD_ERRORS / Math.sqrt(rows.length);
      expect(Math.abs(average(([a]) => a!))).toBeLessThan(error);
      expect(Math.abs(average(([, b]) => b!))).toBeLessThan(error);
      expect(Math.abs(average(([a, b]) => a! * b!))).toBeLessThan(error);
      expect(Math.abs(average(([a]) => a! * a! - 1))).toBeLessThan(Math.SQRT2 * error);
      expect(Math.abs(average(([, b]) => b! * b! - 1))).toBeLessThan(Math.SQRT2 * error);
      expect(mean.map(Math.abs)).toEqual(Float64Array.of(1, 1));
    }
  });

  test("noise features are N(0, 1) and tell nothing of the label", () => {
    const n = 20_000;
    const { features, labels, m } = syntheticDistribution().sample(n, 6);
    for (const column of [7, 8, 9]) {
      let [first, second, withLabel] = [0, 0, 0];
      for (let i = 0; i < n; i++) {
        const value = features[i * m + column]!;
        first += value / n;
        second += value ** 2 / n;
        withLabel += (value * (2 * labels[i]! - 1)) / n;
      }
      const error = STANDARD_ERRORS / Math.sqrt(n);
      expect(Math.abs(first)).toBeLessThan(error);
      expect(Math.abs(second - 1)).toBeLessThan(Math.SQRT2 * error);
      expect(Math.abs(withLabel)).toBeLessThan(error);
    }
  });

  test("redundant features are one linear map of the informative ones, in all clusters", () => {
    const { features, n, m } = syntheticDistribution({ informative: 2, redundant: 1, noise: 0 }).sample(50, 1);
    const row = (i: number) => features.subarray(i * m, (i + 1) * m);
    const [[a, b, r], [c, d, s]] = [row(0), row(1)] as unknown as [number[], number[]] as [
      [number, number, number],
      [number, number, number],
    ];
    const determinant = a * d - b * c;
    const [v, w] = [(r * d - s * b) / determinant, (a * s - c * r) / determinant];
    expect(Math.max(Math.abs(v), Math.abs(w))).toBeLessThanOrEqual(1);
    for (let i = 0; i < n; i++)
      expect(Math.abs(row(i)[2]! - v * row(i)[0]! - w * row(i)[1]!)).toBeLessThan(ROUNDING * 100);
  });

  test("clusters stand on distinct corners of the hypercube, in turn of either class", () => {
    const { mixture, sample } = syntheticDistribution({ separation: 2, informative: 3, clustersPerClass: 4 });
    const corners = mixture.components.map(({ mean }) => mean.join());
    expect(new Set(corners).size).toBe(8);
    expect(mixture.components.every(({ mean }) => mean.every((value) => Math.abs(value) === 2))).toBe(true);
    const far = syntheticDistribution({ separation: 50, labels: "cluster" }).sample(200, 1);
    expect(Array.from(far.labels)).toEqual(Array.from(far.clusters, (cluster) => cluster % 2));
    expect(sample(10, 0).m).toBe(10);
  });

  test("the first of many are the few; seeds and parts differ; separations share their noise", () => {
    const distribution = syntheticDistribution({ flip: 0.3 });
    const [few, many] = [distribution.sample(7, 5), distribution.sample(30, 5)];
    expect(many.features.slice(0, 70)).toEqual(few.features);
    expect(many.labels.slice(0, 7)).toEqual(few.labels);
    expect(distribution.sample(7, 6).features).not.toEqual(few.features);
    expect(distribution.sample(7, 5, "test").features).not.toEqual(few.features);
    expect(syntheticDistribution({ flip: 0.3, seed: 1 }).sample(7, 5).features).not.toEqual(few.features);
    const wider = syntheticDistribution({ separation: 3 }).sample(7, 5);
    expect(wider.clusters).toEqual(few.clusters);
    expect(wider.features[9]).toBe(few.features[9]);
  });
});

describe("labels", () => {
  test("are y(z), the likelier class: Bayes by hand on a line", () => {
    const line = { separation: 0.7, informative: 1, redundant: 0, noise: 0, clustersPerClass: 1, seed: 1 };
    const { label, mixture } = syntheticDistribution(line);
    const positive = mixture.components[1]!.mean[0]! > 0 ? 1 : 0;
    expect([-2, -0.01, 0.01, 2].map((z) => label([z]))).toEqual([1 - positive, 1 - positive, positive, positive]);
    const { probability } = syntheticDistribution({ ...line, labels: "cluster", flip: 0.1 });
    // P(c > 0 | z) = 1 / (1 + exp(−2cz)).
    const posterior = 1 / (1 + Math.exp(-2 * 0.7 * 0.4));
    const one = positive === 1 ? posterior : 1 - posterior;
    expect(probability([0.4])).toBeCloseTo(0.9 * one + 0.1 * (1 - one), 12);
  });

  test("of samples are y(z), but for those that were flipped, which are a share of them", () => {
    const [n, flip] = [20_000, 0.15];
    const { label, sample, probability } = syntheticDistribution({ flip });
    const { features, labels, flipped, m } = sample(n, 9);
    let [flips, disagreements] = [0, 0];
    for (let i = 0; i < n; i++) {
      const z = features.subarray(i * m, (i + 1) * m);
      flips += flipped[i]!;
      disagreements += labels[i] === label(z) ? 0 : 1;
      expect(labels[i]).toBe(label(z) ^ flipped[i]!);
      expect(probability(z)).toBeCloseTo(label(z) === 1 ? 1 - flip : flip, 12);
    }
    expect(disagreements).toBe(flips);
    expect(Math.abs(flips / n - flip)).toBeLessThan(STANDARD_ERRORS * Math.sqrt((flip * (1 - flip)) / n));
  });

  test("of clusters come as often as their probability says, in every tenth of it", () => {
    const n = 40_000;
    const options: SyntheticOptions = { separation: 0.6, labels: "cluster", flip: 0.1, clusters: "stretched" };
    const { sample, probability } = syntheticDistribution(options);
    const { features, labels, m } = sample(n, 4);
    const bins = Array.from({ length: 10 }, () => ({ excess: 0, variance: 0 }));
    for (let i = 0; i < n; i++) {
      const p = probability(features.subarray(i * m, (i + 1) * m));
      const bin = bins[Math.min(9, Math.floor(p * 10))]!;
      bin.excess += labels[i]! - p;
      bin.variance += p * (1 - p);
    }
    const filled = bins.filter(({ variance }) => variance > 100);
    expect(filled.length).toBeGreaterThan(5);
    for (const { excess, variance } of filled) {
      expect(Math.abs(excess)).toBeLessThan(STANDARD_ERRORS * Math.sqrt(variance));
    }
  });
});

test.each<[SyntheticOptions, string]>([
  [{ separation: -1 }, "synthetic: separation: expected a number from 0, came -1."],
  [{ separation: Number.NaN }, "synthetic: separation: expected a number from 0, came NaN."],
  [{ informative: 0 }, "synthetic: informative: expected a whole number from 1 to 1024, came 0."],
  [{ redundant: 1.5 }, "synthetic: redundant: expected a whole number from 0 to 1024, came 1.5."],
  [{ noise: -1 }, "synthetic: noise: expected a whole number from 0 to 1024, came -1."],
  [{ redundantNoise: -0.1 }, "synthetic: redundantNoise: expected a number from 0, came -0.1."],
  [{ flip: 1.1 }, "synthetic: flip: expected a probability from 0 to 1, came 1.1."],
  [{ clustersPerClass: 0 }, "synthetic: clustersPerClass: expected a whole number from 1 to 64, came 0."],
  [{ seed: 0.5 }, "synthetic: seed: expected a whole number, came 0.5."],
  [
    { informative: 2, clustersPerClass: 3 },
    "synthetic: 6 clusters do not fit on the 4 corners of 2 informative features: give 3 informative features or more.",
  ],
])("refuses %j", (options, message) => {
  expect(() => syntheticDistribution(options)).toThrow(UsageError);
  expect(() => syntheticDistribution(options)).toThrow(message);
});
