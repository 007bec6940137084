import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { mul, reshape } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";

/**
 * The layer of features φ_j/σ_j and weights W_sj σ_j, whose product is the same: what measures are made invariant by to a
 * rescaling of single features (Petzka et al. 2021, Theorem 4). No network is rewritten: every form is taken of this layer.
 *
 * @param scales σ of each feature; of a convolution each input channel, which all places of its kernel share. 0 drops a feature.
 */
export function withScaledFeatures(layer: Layer, scales: Float64Array): Layer {
  const of = unscaled(layer);
  const scaled: Layer = {
    ...of,
    scaling: { scales, of },
    matrix() {
      const factors = weightScales(scaled);
      return Float64Array.from(of.matrix(), (value, place) => value * (factors[place] as number));
    },
  };
  return scaled;
}

/** The layer as the model has it. */
export function unscaled(layer: Layer): Layer {
  return layer.scaling?.of ?? layer;
}

/** What each element of W, d×m row-major, is multiplied with. */
export function weightScales({ d, m, groups, scaling }: Layer): Float64Array {
  const factors = new Float64Array(d * m).fill(1);
  if (!scaling) return factors;
  const { scales } = scaling;
  const channels = scales.length / groups;
  const taps = m / channels;
  for (let place = 0; place < factors.length; place++) {
    const group = Math.floor(place / (m * (d / groups)));
    factors[place] = scales[group * channels + Math.floor((place % m) / taps)] as number;
  }
  return factors;
}

/** 1/σ, and 0 for a feature that drops out. */
export function inverse(scales: Float64Array): Float64Array {
  return scales.map((scale) => (scale === 0 ? 0 : 1 / scale));
}

/** The features that a use of a layer reads, over σ where they are scaled. Tokens of an embedding are not: they are names. */
export function scaledFeatures(b: Builder, { scaling }: Layer, use: Use): ValueId {
  if (!scaling || use.kind === "embedding") return use.features;
  const values = b.constant(Tensor.float32([scaling.scales.length], inverse(scaling.scales)));
  const behind = b.rank(use.features) - 1 - featureAxis(b, use);
  return mul(b, use.features, reshape(b, values, [scaling.scales.length, ...Array<number>(behind).fill(1)]));
}

/** The axis of a use's features that σ is along. */
export function featureAxis(b: Builder, { kind, features }: Use): number {
  const rank = b.rank(features);
  if (kind === "dense") return rank - 1;
  return kind === "dense-left" ? rank - 2 : 1;
}
