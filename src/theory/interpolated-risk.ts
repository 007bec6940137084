import type { OpenedLayer } from "../evaluation/layer-changes.ts";
import { UsageError } from "../errors.ts";
import { RandomStream } from "../statistics/random.ts";
import { type Average, OwnDraws } from "./averages.ts";
import type { LabelFunction } from "./labels.ts";
import { RadialKernel } from "./radial-kernel.ts";

export interface InterpolationTask {
  readonly delta: number;
  /** σ of the kernel before it is truncated, in bandwidths. */
  readonly sigma: number;
  /** Vectors ξ for each sample, at least 2. */
  readonly draws: number;
  readonly seed: number;
  /** y(φ + ξ), where it is known; else y_i stands for it. */
  readonly labelFunction?: LabelFunction;
  /** Bandwidth for a sample whose features have this length: δ‖φ‖ unless told otherwise. */
  readonly bandwidth?: (length: number) => number;
}

export interface InterpolatedRisk {
  /** (1/n) Σ_i E_ξ ℓ(ψ(φ_i + ξ), y_i). */
  readonly constantLabels: Average;
  /** (1/n) Σ_i E_ξ ℓ(ψ(φ_i + ξ), y(φ_i + ξ)), where labels are known. */
  readonly trueLabels?: Average;
  /** Their difference, and the mean of its absolute value: the label constancy, 0 where labels are locally constant. */
  readonly labelTerm?: Average;
  readonly labelConstancy?: Average;
  /** Samples with φ_i = 0, which do not move. */
  readonly zeroFeatures: number;
}

/**
 * The risk under the density that the samples interpolate, (1/n) Σ_i E_{ξ ~ λ_i} ℓ(ψ(φ_i + ξ), y), with λ_i the kernel of eq. 6 of
 * bandwidth δ‖φ_i‖ in the layer's feature space (Petzka et al. 2021, eq. 3), by vectors ξ that each sample draws for itself.
 *
 * Proposition 2 gives the same by matrices rO that all samples share. Cost: a run of what lies above the layer for each draw.
 *
 * @throws UsageError for a layer whose features are not one vector
 */
export async function interpolatedRisk(opened: OpenedLayer, task: InterpolationTask): Promise<InterpolatedRisk> {
  const { delta, sigma, draws, seed, labelFunction, bandwidth = (length: number) => delta * length } = task;
  if (opened.noVector !== undefined) throw new UsageError(opened.noVector);
  const { m } = opened.layer;
  const kernel = new RadialKernel(m, sigma);
  const constant = new OwnDraws();
  const others = labelFunction && { truly: new OwnDraws(), term: new OwnDraws(), constancy: new OwnDraws() };
  let zeroFeatures = 0;
  for await (const batch of opened.batches()) {
    const { n, start } = batch;
    const features = await batch.features();
    const lengths = lengthsOf(features, m);
    zeroFeatures += lengths.filter((length) => length === 0).length;
    // A stream a sample, so that its vectors do not depend on the batches.
    const streams = Array.from(
      { length: n },
      (_, index) => new RandomStream(seed, `vectors of sample ${start + index}`),
    );
    const spreads = Array.from({ length: others ? 4 : 1 }, () => new Spread(n));
    for (let draw = 0; draw < draws; draw++) {
      const moved = new Float32Array(n * m);
      for (let sample = 0; sample < n; sample++) {
        const width = bandwidth(lengths[sample]!);
        const point = kernel.point(streams[sample]!);
        for (let j = 0; j < m; j++) moved[sample * m + j] = features[sample * m + j]! + width * point[j]!;
      }
      const losses = await batch.lossesAt(moved);
      spreads[0]!.add(losses);
      if (!labelFunction) continue;
      const truly = await batch.lossesAt(moved, await labelFunction(moved, n));
      spreads[1]!.add(truly);
      spreads[2]!.add(truly.map((value, index) => value - losses[index]!));
      spreads[3]!.add(truly.map((value, index) => Math.abs(value - losses[index]!)));
    }
    const targets = [constant, ...(others ? [others.truly, others.term, others.constancy] : [])];
    targets.forEach((target, index) => spreads[index]!.into(target, batch.terms));
  }
  return {
    constantLabels: constant.average(),
    ...(others && {
      trueLabels: others.truly.average(),
      labelTerm: others.term.average(),
      labelConstancy: others.constancy.average(),
    }),
    zeroFeatures,
  };
}

/** ‖φ_i‖ of rows of m. */
export function lengthsOf(features: Float32Array, m: number): Float64Array {
  const lengths = new Float64Array(features.length / m);
  for (let index = 0; index < features.length; index++) lengths[Math.floor(index / m)]! += features[index]! ** 2;
  return lengths.map(Math.sqrt);
}

/** Mean and variance of each sample's values over draws, about the first draw. */
class Spread {
  #count = 0;
  readonly #origin: Float64Array;
  readonly #sum: Float64Array;
  readonly #squares: Float64Array;

  constructor(n: number) {
    [this.#origin, this.#sum, this.#squares] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  }

  add(values: Float32Array): void {
    if (this.#count++ === 0) this.#origin.set(values);
    for (let index = 0; index < values.length; index++) {
      const difference = values[index]! - this.#origin[index]!;
      this.#sum[index]! += difference;
      this.#squares[index]! += difference * difference;
    }
  }

  into(target: OwnDraws, terms: Float64Array): void {
    const count = this.#count;
    this.#sum.forEach((sum, index) => {
      const variance = Math.max(0, (this.#squares[index]! - (sum * sum) / count) / (count - 1));
      target.add(this.#origin[index]! + sum / count, variance / count, terms[index]!);
    });
  }
}
