import type { FeatureSamples, SyntheticDistribution } from "../data/synthetic.ts";
import type { LinearHead } from "../data/synthetic/linear-head.ts";
import { logisticHead } from "../data/synthetic/logistic.ts";
import { ridgeHead } from "../data/synthetic/ridge.ts";
import type { RandomStream } from "../statistics/random.ts";
import type { RadialKernel } from "../theory/radial-kernel.ts";

export type HeadKind = "ridge" | "logistic";

/** Perturbations ξ = δ‖z‖ s u of a feature vector z, s u a point of the kernel. */
export interface Perturbation {
  readonly kernel: RadialKernel;
  readonly delta: number;
  /** Draws a sample. */
  readonly draws: number;
  readonly stream: RandomStream;
}

/** (score − t)² for ridge, log(1 + exp(−t·score)) for logistic, t = ±1. */
export function lossOf(kind: HeadKind, score: number, label: number): number {
  const t = 2 * label - 1;
  if (kind === "ridge") return (score - t) ** 2;
  const margin = t * score;
  return Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
}

export function fitted(kind: HeadKind, samples: FeatureSamples, penalty: number): LinearHead {
  return kind === "ridge" ? ridgeHead(samples, penalty) : logisticHead(samples, penalty);
}

/** Mean loss, its standard error, and the share of samples on the right side. */
export function risk(kind: HeadKind, head: LinearHead, samples: FeatureSamples) {
  let [sum, squares, right] = [0, 0, 0];
  for (let i = 0; i < samples.n; i++) {
    const score = scoreOf(head, featuresOf(samples, i));
    const loss = lossOf(kind, score, samples.labels[i]!);
    sum += loss;
    squares += loss * loss;
    right += score > 0 === (samples.labels[i] === 1) ? 1 : 0;
  }
  const { n } = samples;
  const variance = Math.max(0, squares / n - (sum / n) ** 2) / (n - 1);
  return { loss: sum / n, error: Math.sqrt(variance), accuracy: right / n };
}

/**
 * Label constancy: the mean of |ℓ(ψ(z+ξ), y(z+ξ)) − ℓ(ψ(z+ξ), y)|, by how much labels that change under the kernel's perturbations
 * change the loss. 0 where labels are locally constant.
 */
export function labelConstancy(
  kind: HeadKind,
  head: LinearHead,
  samples: FeatureSamples,
  distribution: SyntheticDistribution,
  perturbation: Perturbation,
): number {
  let sum = 0;
  for (let i = 0; i < samples.n; i++) {
    const label = samples.labels[i]!;
    for (let draw = 0; draw < perturbation.draws; draw++) {
      const moved = perturbed(featuresOf(samples, i), perturbation);
      const now = distribution.label(moved);
      if (now === label) continue;
      const score = scoreOf(head, moved);
      sum += Math.abs(lossOf(kind, score, now) - lossOf(kind, score, label));
    }
  }
  return sum / samples.n / perturbation.draws;
}

/**
 * Representativeness by refitting: over random halves A and B of the samples, the risk on B of a head fitted to A, less that head's mean
 * loss on A's perturbed features with A's labels. The head has not seen B, so that B is an estimate of the risk.
 */
export function representativeness(
  kind: HeadKind,
  samples: FeatureSamples,
  refit: (part: FeatureSamples) => LinearHead,
  splits: number,
  perturbation: Perturbation,
): { readonly value: number; readonly error: number } {
  const values = halves(samples, splits, perturbation.stream).map(([one, other]) => {
    const head = refit(one);
    let sum = 0;
    for (let i = 0; i < one.n; i++) {
      sum += lossOf(kind, scoreOf(head, perturbed(featuresOf(one, i), perturbation)), one.labels[i]!);
    }
    return risk(kind, head, other).loss - sum / one.n;
  });
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { value: mean, error: Math.sqrt(squares / Math.max(1, values.length - 1) / values.length) };
}

/**
 * Mean −log p̂_A(z) over z of B, A and B random halves, p̂_A a Gaussian kernel density estimate with Scott's bandwidth
 * n^(−1/(4+m)) times each feature's standard deviation (features taken for independent in the kernel alone).
 */
export function density(samples: FeatureSamples, splits: number, stream: RandomStream): number {
  const { m } = samples;
  let total = 0;
  let count = 0;
  for (const [one, other] of halves(samples, splits, stream)) {
    const widths = deviations(one).map((deviation) => deviation * one.n ** (-1 / (4 + m)));
    const logScale =
      -Math.log(one.n) - widths.reduce((sum, h) => sum + Math.log(h), 0) - (m / 2) * Math.log(2 * Math.PI);
    const exponents = new Float64Array(one.n);
    for (let j = 0; j < other.n; j++) {
      for (let i = 0; i < one.n; i++) {
        let distance = 0;
        for (let k = 0; k < m; k++) {
          distance += ((other.features[j * m + k]! - one.features[i * m + k]!) / widths[k]!) ** 2;
        }
        exponents[i] = -distance / 2;
      }
      const largest = exponents.reduce((most, value) => Math.max(most, value), -Infinity);
      total -= logScale + largest + Math.log(exponents.reduce((sum, value) => sum + Math.exp(value - largest), 0));
      count += 1;
    }
  }
  return total / count;
}

function deviations({ n, m, features }: FeatureSamples): number[] {
  return Array.from({ length: m }, (_, k) => {
    let [sum, squares] = [0, 0];
    for (let i = 0; i < n; i++) sum += features[i * m + k]!;
    for (let i = 0; i < n; i++) squares += (features[i * m + k]! - sum / n) ** 2;
    return Math.sqrt(squares / n);
  });
}

function* shuffledIndices(n: number, stream: RandomStream): Generator<number> {
  const order = Int32Array.from({ length: n }, (_, index) => index);
  for (let i = n - 1; i >= 0; i--) {
    const other = stream.below(i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
    yield order[i]!;
  }
}

function halves(samples: FeatureSamples, splits: number, stream: RandomStream): [FeatureSamples, FeatureSamples][] {
  return Array.from({ length: splits }, () => {
    const order = [...shuffledIndices(samples.n, stream)];
    const middle = samples.n >> 1;
    return [part(samples, order.slice(0, middle)), part(samples, order.slice(middle))];
  });
}

function part({ m, features, labels, flipped, clusters }: FeatureSamples, indices: readonly number[]): FeatureSamples {
  const chosen = new Float64Array(indices.length * m);
  for (const [place, i] of indices.entries()) chosen.set(features.subarray(i * m, (i + 1) * m), place * m);
  const bytes = (values: Uint8Array) => Uint8Array.from(indices, (i) => values[i]!);
  return {
    n: indices.length,
    m,
    features: chosen,
    labels: bytes(labels),
    flipped: bytes(flipped),
    clusters: bytes(clusters),
  };
}

function featuresOf({ m, features }: FeatureSamples, index: number): Float64Array {
  return features.subarray(index * m, (index + 1) * m);
}

function scoreOf({ weights, bias }: LinearHead, z: Float64Array): number {
  let score = bias;
  for (let k = 0; k < z.length; k++) score += weights[k]! * z[k]!;
  return score;
}

function perturbed(z: Float64Array, { kernel, delta, stream }: Perturbation): Float64Array {
  const length = Math.sqrt(z.reduce((sum, value) => sum + value * value, 0));
  return kernel.point(stream).map((value, k) => z[k]! + delta * length * value);
}
