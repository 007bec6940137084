import { UsageError } from "../../errors.ts";
import type { Graph } from "../../graph/graph.ts";
import type { NamedArray } from "../dataset.ts";
import {
  type FeatureSamples,
  syntheticDistribution,
  type SyntheticDistribution,
  type SyntheticOptions,
} from "../synthetic.ts";
import type { LinearHead } from "./linear-head.ts";
import { logisticHead } from "./logistic.ts";
import { featureModel, logitModel, scoreModel, teacherModel } from "./models.ts";
import { ridgeHead } from "./ridge.ts";
import { randomTanhNetwork, type TanhNetwork } from "./tanh-network.ts";

export interface SyntheticProblemOptions {
  readonly distribution?: SyntheticOptions;
  /**
   * Widths of φ from its inputs to its last hidden layer, none wider than the one before nor narrower than the
   * features; or a network made before. Empty (default): the inputs are the features themselves.
   */
  readonly phi?: readonly number[] | TanhNetwork;
  /** Training samples. Default 500. */
  readonly samples?: number;
  /** Samples that the heads never saw. Default 2 000. */
  readonly testSamples?: number;
  /** Which samples are drawn; which distribution is `distribution.seed`. Default 0. */
  readonly seed?: number;
  /** α of Σ (score − t)² + α‖w‖². Default 1. */
  readonly ridgePenalty?: number;
  /** α of Σ loss + α/2 ‖w‖². Default 0.01: next to nothing where classes overlap, a bound where they do not. */
  readonly logisticPenalty?: number;
}

/** A known distribution, samples of it, and the networks that were fitted to them. */
export interface SyntheticProblem {
  readonly distribution: SyntheticDistribution;
  readonly network: TanhNetwork | undefined;
  readonly train: FeatureSamples;
  readonly test: FeatureSamples;
  readonly ridge: LinearHead;
  readonly logistic: LinearHead;
  readonly models: {
    /** x → features; absent where the inputs are the features. */
    readonly phi: Graph | undefined;
    /** x → one score; its loss is the squared error to the array `target`. */
    readonly ridge: Graph;
    /** x → two logits; its loss is the cross-entropy of `y`. */
    readonly logistic: Graph;
    /** features → log p(z, class): the label function, with the same outputs as `logistic`. */
    readonly teacher: Graph;
  };
  /** The arrays of a data file: see {@link syntheticArrays}. Inverts φ: costs two of its forward passes. */
  arrays(samples: FeatureSamples): Record<string, NamedArray>;
}

/** A gigabyte of inputs. */
const MOST_NUMBERS = 2 ** 28;

/**
 * Samples in feature space, a random φ, and the two classifiers on its features: ridge regression, whose κ does not see
 * the labels, and logistic regression, which is (nearly) a minimum of its empirical risk.
 *
 * @throws UsageError for options that cannot be, DataError where a head has no minimum
 */
export function syntheticProblem(options: SyntheticProblemOptions = {}): SyntheticProblem {
  const { phi = [], samples = 500, testSamples = 2000, seed = 0, ridgePenalty = 1, logisticPenalty = 0.01 } = options;
  for (const [name, n] of Object.entries({ samples, testSamples })) {
    if (Number.isInteger(n) && n >= 1) continue;
    throw new UsageError(`synthetic: ${name}: expected a whole number from 1, came ${n}.`);
  }
  const distribution = syntheticDistribution(options.distribution);
  const inputs = ("layers" in phi ? phi.widths : phi)[0] ?? distribution.m;
  const most = Math.floor(MOST_NUMBERS / Math.max(inputs, distribution.m));
  if (samples + testSamples > most) {
    throw new UsageError(
      `synthetic: ${samples} + ${testSamples} samples of ${inputs} inputs: expected at most ${most} in all.`,
    );
  }
  const train = distribution.sample(samples, seed);
  const test = distribution.sample(testSamples, seed, "test");
  if ("layers" in phi && phi.widths.at(-1) !== distribution.m) {
    throw new UsageError(
      `synthetic: phi makes ${phi.widths.at(-1)} features, the distribution has ${distribution.m}: expected as many.`,
    );
  }
  const network = "layers" in phi ? phi : phi.length > 0 ? networkFor(distribution, phi) : undefined;
  const ridge = ridgeHead(train, ridgePenalty);
  const logistic = logisticHead(train, logisticPenalty);
  return {
    distribution,
    network,
    train,
    test,
    ridge,
    logistic,
    models: {
      phi: network && featureModel(network),
      ridge: scoreModel(network, ridge),
      logistic: logitModel(network, logistic),
      teacher: teacherModel(distribution),
    },
    arrays: (part) => syntheticArrays(part, network),
  };
}

/** A random φ of these widths for the features of a distribution, the same for the same distribution and widths. */
export function networkFor(distribution: SyntheticDistribution, widths: readonly number[]): TanhNetwork {
  const { features, m } = distribution.sample(256, 0, "typical features");
  return randomTanhNetwork(widths, features, m, distribution.options.seed);
}

/**
 * What `flatness measure --data` reads: `x` (inputs), `y` (classes, int64), `target` (±1, for the ridge head), `features` (z
 * as it was sampled), `flipped`.
 */
function syntheticArrays(samples: FeatureSamples, network: TanhNetwork | undefined): Record<string, NamedArray> {
  const { n, m } = samples;
  const features = Float32Array.from(samples.features);
  const x = network?.inverse(samples.features) ?? features;
  const arrays: NamedArray[] = [
    { name: "x", type: "float32", dims: [n, x.length / n], data: x },
    { name: "y", type: "int64", dims: [n], data: BigInt64Array.from(samples.labels, BigInt) },
    { name: "target", type: "float32", dims: [n, 1], data: Float32Array.from(samples.labels, (y) => 2 * y - 1) },
    { name: "features", type: "float32", dims: [n, m], data: features },
    { name: "flipped", type: "uint8", dims: [n], data: samples.flipped },
  ];
  return Object.fromEntries(arrays.map((array) => [array.name, array]));
}
