import { Matrix } from "ml-matrix";
import { DataError, UsageError } from "../errors.ts";
import { HaarOrthogonal } from "../statistics/haar-orthogonal.ts";
import { RandomStream } from "../statistics/random.ts";
import { type DensityDerivatives, type Gaussian, GaussianMixture, logSum } from "./synthetic/gaussian-mixture.ts";

/** Two classes of Gaussian clusters on a hypercube's corners. */
export interface SyntheticOptions {
  /** c: the corners are (±c, …, ±c), a cluster's standard deviation is about 1. Default 1. */
  readonly separation?: number;
  /** Features that know the class: the hypercube's dimension. Default 3. */
  readonly informative?: number;
  /** Linear combinations of the informative ones. Default 4. */
  readonly redundant?: number;
  /** Standard deviation of noise on the redundant features. Default 0: then z has no density on ℝ^m. */
  readonly redundantNoise?: number;
  /** Features of N(0, 1) that know nothing. Default 3. */
  readonly noise?: number;
  /** Default 2: four clusters. */
  readonly clustersPerClass?: number;
  /** Clusters are round, or each is stretched by 0.5 to 1.5 along random axes of its own. Default round. */
  readonly clusters?: "round" | "stretched";
  /** A sample's class: y(z), the likelier at its place, or that of the cluster it came from. Default likelier. */
  readonly labels?: "likelier" | "cluster";
  /** Probability that a label is turned into the other. Default 0. */
  readonly flip?: number;
  /** Which corners, which combinations, which stretches. Default 0. */
  readonly seed?: number;
}

/** Features z [n, m] in row order and classes [n]. */
export interface FeatureSamples {
  readonly n: number;
  readonly m: number;
  readonly features: Float64Array;
  /** Labels as a learner gets them. */
  readonly labels: Uint8Array;
  /** Which labels were flipped, 1 or 0. */
  readonly flipped: Uint8Array;
  /** The cluster that each sample came from; its class is the number's parity. */
  readonly clusters: Uint8Array;
}

/** A known distribution of features and labels: what theory needs and no real data set has. */
export interface SyntheticDistribution {
  readonly options: Required<SyntheticOptions>;
  /** Number of features: informative, redundant, noise, in this order. */
  readonly m: number;
  /** The mixture of the informative features alone, in which labels are decided. Components are of class 0 and 1 in turn. */
  readonly mixture: GaussianMixture;
  /**
   * Independent samples: the first n of a longer draw are the same. Draws of another seed or part are independent; those of
   * another distribution with as many features are made of the same random numbers.
   */
  sample(n: number, seed: number, part?: string): FeatureSamples;
  /** y(z): the class that is likelier at z, flips aside. */
  label(z: ArrayLike<number>): 0 | 1;
  /** P(label = 1 | z), with flips. */
  probability(z: ArrayLike<number>): number;
  /** p(z) on ℝ^m. @throws DataError where redundant features have no noise: z then lies in a subspace */
  density(z: ArrayLike<number>): number;
  logDensity(z: ArrayLike<number>): number;
  /** p, ∇p and Δp. */
  derivatives(z: ArrayLike<number>): DensityDerivatives;
}

/** More corners than doubles count: a hypercube of more dimensions is no use here. */
const MOST_FEATURES = 1024;
const MOST_CLUSTERS = 128;

/**
 * The distribution of Petzka et al. 2021, section 6, after scikit-learn's make_classification: clusters N(μ_k, F_k F_kᵀ),
 * all as likely, on distinct random corners μ_k ∈ {−c, c}^d, in turn of class 0 and 1; u ~ cluster; redundant features
 * B u + σ ε with B uniform on [−1, 1]; noise ε. F_k = I, or O_k diag(0.5 … 1.5) when stretched.
 *
 * Differs from make_classification in that samples are independent (clusters are not filled equally), that nothing is
 * shuffled or shifted, that `flip` is the share of labels that do change, that stretches are bounded, and that `labels: "likelier"` makes the
 * label a function of z, which the paper's theory takes for granted.
 *
 * @throws UsageError for options that make no distribution
 */
export function syntheticDistribution(given: SyntheticOptions = {}): SyntheticDistribution {
  const options = checked({ ...defaults, ...given });
  const { informative, redundant, noise, redundantNoise, flip } = options;
  const m = informative + redundant + noise;
  const kernels = informativeGaussians(options);
  const combinations = uniformMatrix(new RandomStream(options.seed, "synthetic redundant"), redundant, informative);
  const whole = kernels.map((kernel) => extended(kernel, combinations, redundantNoise, noise));
  const mixture = new GaussianMixture(kernels);
  const wholeMixture = redundant === 0 || redundantNoise > 0 ? new GaussianMixture(whole) : undefined;

  const onSpace = (): GaussianMixture => {
    if (wholeMixture) return wholeMixture;
    throw new DataError(
      `synthetic: no density on ${m} features: ${redundant} of them are linear combinations of others; ` +
        `give them noise (redundantNoise, --redundant-noise 0.1) or leave them out (redundant 0).`,
    );
  };
  /** P(cluster's class = 1 | z): redundant and noise features say nothing more. */
  const posterior = (z: ArrayLike<number>): number => {
    const parts = mixture.logParts(z);
    return Math.exp(logSum(parts.filter((_, cluster) => cluster % 2 === 1)) - logSum(parts));
  };
  const label = (z: ArrayLike<number>): 0 | 1 => {
    const parts = mixture.logParts(z);
    const [zero, one] = [0, 1].map((parity) => logSum(parts.filter((_, cluster) => cluster % 2 === parity)));
    return one! > zero! ? 1 : 0;
  };

  return {
    options,
    m,
    mixture,
    label,
    probability(z) {
      const one = options.labels === "cluster" ? posterior(z) : label(z);
      return one * (1 - flip) + (1 - one) * flip;
    },
    density: (z) => onSpace().density(z),
    logDensity: (z) => onSpace().logDensity(z),
    derivatives: (z) => onSpace().derivatives(z),
    sample(n, seed, part = "train") {
      const stream = new RandomStream(seed, `synthetic samples, ${part}`);
      const features = new Float64Array(n * m);
      const labels = new Uint8Array(n);
      const flipped = new Uint8Array(n);
      const clusters = new Uint8Array(n);
      const white = new Float64Array(m);
      for (let sample = 0; sample < n; sample++) {
        const cluster = stream.below(whole.length);
        const { mean, factor } = whole[cluster] as Gaussian;
        for (let j = 0; j < m; j++) white[j] = stream.normal();
        const z = features.subarray(sample * m, (sample + 1) * m);
        for (let i = 0; i < m; i++) {
          let value = mean[i]!;
          for (let j = 0; j < m; j++) value += factor.get(i, j) * white[j]!;
          z[i] = value;
        }
        const clean = options.labels === "cluster" ? cluster % 2 : label(z);
        clusters[sample] = cluster;
        flipped[sample] = stream.uniform() < flip ? 1 : 0;
        labels[sample] = clean ^ flipped[sample]!;
      }
      return { n, m, features, labels, flipped, clusters };
    },
  };
}

const defaults: Required<SyntheticOptions> = {
  separation: 1,
  informative: 3,
  redundant: 4,
  redundantNoise: 0,
  noise: 3,
  clustersPerClass: 2,
  clusters: "round",
  labels: "likelier",
  flip: 0,
  seed: 0,
};

function checked(options: Required<SyntheticOptions>): Required<SyntheticOptions> {
  const refuse = (name: keyof SyntheticOptions, expected: string): never => {
    throw new UsageError(`synthetic: ${name}: expected ${expected}, came ${options[name]}.`);
  };
  const { separation, informative, redundant, redundantNoise, noise, clustersPerClass, flip } = options;
  if (!(separation >= 0 && separation < Infinity)) refuse("separation", "a number from 0");
  if (!isCount(informative, 1)) refuse("informative", `a whole number from 1 to ${MOST_FEATURES}`);
  if (!isCount(redundant, 0)) refuse("redundant", `a whole number from 0 to ${MOST_FEATURES}`);
  if (!isCount(noise, 0)) refuse("noise", `a whole number from 0 to ${MOST_FEATURES}`);
  if (!(redundantNoise >= 0 && redundantNoise < Infinity)) refuse("redundantNoise", "a number from 0");
  if (!(flip >= 0 && flip <= 1)) refuse("flip", "a probability from 0 to 1");
  if (!Number.isInteger(options.seed)) refuse("seed", "a whole number");
  const corners = 2 ** informative;
  if (!(Number.isInteger(clustersPerClass) && clustersPerClass >= 1 && 2 * clustersPerClass <= MOST_CLUSTERS)) {
    refuse("clustersPerClass", `a whole number from 1 to ${MOST_CLUSTERS / 2}`);
  }
  if (2 * clustersPerClass > corners) {
    throw new UsageError(
      `synthetic: ${2 * clustersPerClass} clusters do not fit on the ${corners} corners of ${informative} informative ` +
        `features: give ${Math.ceil(Math.log2(2 * clustersPerClass))} informative features or more.`,
    );
  }
  return options;
}

function isCount(value: number, least: number): boolean {
  return Number.isInteger(value) && value >= least && value <= MOST_FEATURES;
}

/** The clusters in the informative features, at distinct corners. */
function informativeGaussians({
  seed,
  informative,
  separation,
  clustersPerClass,
  clusters,
}: Required<SyntheticOptions>) {
  const corners = new RandomStream(seed, "synthetic hypercube");
  const stretches = new RandomStream(seed, "synthetic stretches");
  const taken = new Set<string>();
  const gaussians: Gaussian[] = [];
  while (gaussians.length < 2 * clustersPerClass) {
    const signs = Float64Array.from({ length: informative }, () => corners.sign());
    if (taken.has(signs.join())) continue;
    taken.add(signs.join());
    const mean = signs.map((sign) => separation * sign);
    const factor = clusters === "round" ? Matrix.eye(informative) : stretch(stretches, informative);
    gaussians.push({ weight: 1 / (2 * clustersPerClass), mean, factor });
  }
  return gaussians;
}

/** O diag(s), O orthogonal, s uniform on [0.5, 1.5]: a uniform matrix, as make_classification takes it, may be all but singular. */
function stretch(stream: RandomStream, size: number): Matrix {
  const axes = new HaarOrthogonal(stream, size).afterRows(Matrix.eye(size).to1DArray());
  return Matrix.from1DArray(size, size, axes).mmul(
    Matrix.diag(Array.from({ length: size }, () => 0.5 + stream.uniform())),
  );
}

/** A cluster of the informative features u with its redundant ones B u + σ ε and noise: F = [A 0 0; BA σI 0; 0 0 I]. */
function extended({ weight, mean, factor }: Gaussian, combinations: Matrix, sigma: number, noise: number): Gaussian {
  const informative = mean.length;
  const redundant = combinations.rows;
  const m = informative + redundant + noise;
  const whole = Matrix.eye(m);
  whole.setSubMatrix(factor, 0, 0);
  const centre = new Float64Array(m);
  centre.set(mean);
  if (redundant > 0) {
    whole.setSubMatrix(combinations.mmul(factor), informative, 0);
    centre.set(combinations.mmul(Matrix.columnVector(mean)).to1DArray(), informative);
    for (let row = informative; row < informative + redundant; row++) whole.set(row, row, sigma);
  }
  return { weight, mean: centre, factor: whole };
}

function uniformMatrix(stream: RandomStream, rows: number, columns: number): Matrix {
  const matrix = Matrix.zeros(rows, columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) matrix.set(row, column, 2 * stream.uniform() - 1);
  }
  return matrix;
}
