import { featureAxis } from "../calculus/scaled-features.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { cast, div, mul, reduceSum, reshape, square, sub } from "../graph/operators.ts";
import { count, Tensor } from "../graph/tensor.ts";
import type { Normalization } from "../measures/measure.ts";
import { fedBatches, fedTo, sampleWeights, type Source } from "./batches.ts";
import { SAMPLE_WEIGHTS } from "./names.ts";
import { inputsOf } from "./pass.ts";
import type { Prepared } from "./prepare.ts";
import type { RunOptions } from "./run.ts";

/** A feature whose σ is at most this share of its root mean square does not vary: float32 rounds the same number to 1e-7 of it. */
const STILL = 1e-5;

/** How the features of a layer spread over samples and positions. */
export interface FeatureSpread {
  /** Population standard deviation of each feature; of a convolution each input channel, padding not counted. 0 where it is still. */
  readonly deviations: Float64Array;
  /** The features that do not vary. */
  readonly still: readonly number[];
}

/**
 * σ of every feature of some layers, in one pass: means and squares about the batch's mean in float64 on the device, batches merged
 * as they come (Chan, Golub, LeVeque 1983), so that a large mean swallows nothing.
 */
export async function featureSpreads(
  prepared: Prepared,
  layers: readonly Layer[],
  source: Source,
  options: RunOptions,
): Promise<Map<string, FeatureSpread>> {
  const { b, batch } = prepared;
  const weights = b.input(SAMPLE_WEIGHTS, "float64", [batch]);
  const outputs = new Map<string, ValueId>();
  const totals = new Map<Layer, Spread>();
  for (const layer of layers) {
    for (const [index, use] of layer.uses.entries()) {
      if (use.kind === "embedding") outputs.set(`tokens ${index} ${layer.name}`, use.features);
      else {
        const { means, squares } = aboutMeans(b, use, weights);
        outputs.set(`means ${index} ${layer.name}`, means);
        outputs.set(`squares ${index} ${layer.name}`, squares);
      }
    }
    totals.set(layer, new Spread(channels(b, layer)));
  }
  if (outputs.size === 0) return new Map();
  const graph = b.graph(outputs);
  const inputs = inputsOf(graph);
  const session = await options.runtime.open(graph, options.session);
  try {
    for await (const { n, feeds } of fedBatches(source, batch, options.signal)) {
      const counts = new Map([[SAMPLE_WEIGHTS, sampleWeights(n, batch, "float64")]]);
      const found = await session.run(fedTo(inputs, feeds, counts));
      const numbers = (name: string) => found.get(name)?.data as Float64Array;
      for (const [layer, total] of totals) {
        for (const [index, use] of layer.uses.entries()) {
          if (use.kind === "embedding") {
            const tokens = found.get(`tokens ${index} ${layer.name}`)?.data as ArrayLike<number | bigint>;
            total.addTokens(tokens, (tokens.length / batch) * n);
            continue;
          }
          const places = count(b.dims(use.features).slice(1)) / total.size;
          const means = numbers(`means ${index} ${layer.name}`);
          total.add(n * places, means, numbers(`squares ${index} ${layer.name}`));
        }
      }
    }
  } finally {
    await session.release();
  }
  return new Map([...totals].map(([layer, total]) => [layer.name, total.result()]));
}

/** What features are divided by: σ, or σ². */
export function scalesOf(
  spreads: ReadonlyMap<string, FeatureSpread>,
  normalize: Normalization,
): Map<string, Float64Array> {
  return new Map(
    [...spreads].map(([name, { deviations }]) => [
      name,
      normalize === "std" ? deviations : deviations.map((deviation) => deviation ** 2),
    ]),
  );
}

/** Features that have a σ of their own: the columns of W, or the input channels of a convolution. */
function channels(b: Builder, { uses, m }: Layer): number {
  const [use] = uses as [Use];
  return use.kind === "embedding" ? m : (b.dims(use.features)[featureAxis(b, use)] as number);
}

/** The mean of each feature over the batch's samples and positions, and the sum of squares about it, float64 [features]. */
function aboutMeans(b: Builder, use: Use, weights: ValueId): { means: ValueId; squares: ValueId } {
  const dims = b.dims(use.features);
  const axis = featureAxis(b, use);
  const batch = dims[0] as number;
  const others = dims.map((_, index) => index).filter((index) => index !== axis);
  const weight = reshape(b, weights, [batch, ...dims.slice(1).map(() => 1)]);
  const values = cast(b, use.features, "float64");
  const places = b.constant(Tensor.of("float64", [], Float64Array.of(count(dims.slice(1)) / (dims[axis] as number))));
  const total = mul(b, reduceSum(b, weights, [0]), places);
  const means = div(b, reduceSum(b, mul(b, values, weight), others), total);
  const shaped = reshape(
    b,
    means,
    dims.map((size, index) => (index === axis ? size : 1)),
  );
  const squares = reduceSum(b, mul(b, square(b, sub(b, values, shaped)), weight), others);
  return { means, squares };
}

/** Counts, means and squares about them, as they grow. */
class Spread {
  readonly size: number;
  #n = 0;
  readonly #means: Float64Array;
  readonly #squares: Float64Array;

  constructor(size: number) {
    this.size = size;
    this.#means = new Float64Array(size);
    this.#squares = new Float64Array(size);
  }

  add(n: number, means: Float64Array, squares: Float64Array): void {
    const all = this.#n + n;
    for (let feature = 0; feature < this.size; feature++) {
      const apart = (means[feature] as number) - (this.#means[feature] as number);
      this.#means[feature] = (this.#means[feature] as number) + (apart * n) / all;
      const between = (apart * apart * this.#n * n) / all;
      this.#squares[feature] = (this.#squares[feature] as number) + (squares[feature] as number) + between;
    }
    this.#n = all;
  }

  /** Rows with a one at the token. */
  addTokens(tokens: ArrayLike<number | bigint>, n: number): void {
    const means = new Float64Array(this.size);
    for (let place = 0; place < n; place++) {
      const token = Number(tokens[place]);
      const feature = token < 0 ? token + this.size : token;
      means[feature] = (means[feature] as number) + 1 / n;
    }
    this.add(
      n,
      means,
      means.map((share) => n * share * (1 - share)),
    );
  }

  result(): FeatureSpread {
    const still: number[] = [];
    const deviations = this.#means.map((mean, feature) => {
      const variance = (this.#squares[feature] as number) / this.#n;
      const deviation = Math.sqrt(variance);
      if (deviation > STILL * Math.sqrt(mean * mean + variance)) return deviation;
      still.push(feature);
      return 0;
    });
    return { deviations, still };
  }
}
