import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer, Use } from "../graph/layers.ts";
import { matMul, mul, reduceSum, reshape, scale, sumOfSquares, swap, transpose } from "../graph/operators.ts";
import { count, Tensor } from "../graph/tensor.ts";
import { columnsAt } from "./positions.ts";

/** K. */
const BUCKETS = 16;
/** k; where a layer has positions, no more than a quarter of its rows, so that the sketch costs a quarter of the layer at most. */
const MOST_ROWS = 16;
/** But two where rows are few. */
const LEAST_ROWS = 2;

/** Whence random numbers come. */
export interface Signs {
  /** ±1 with equal probability. */
  sign(): number;
  /** A whole number from 0 to n − 1. */
  below(n: number): number;
}

/**
 * Sums over samples of the sketches s_i = P M_i Qᵀ/√k, [K·k], and of their ‖s_i‖², [], of each sample's M_i = Wᵀ ∂ℓ_i/∂W =
 * Σ_t Wᵀγ_it φ_itᵀ, without ever forming M_i: P adds the rows of M_i with random signs into K buckets (a count sketch), Q has k rows of
 * random signs. For any fixed sum M of the M_i the expectation of ‖P M Qᵀ/√k‖² over P and Q is ‖M‖², its relative variance at most
 * 2/K + 2/k + 4/(Kk). Of a grouped layer, the sum over the groups, each with a P of its own. Where a sample has one position the s_i
 * are not formed either.
 *
 * Cost: k/d of the layer's own.
 *
 * @param pulled ∂ℓ_i/∂z of each use, [1, …its dims]
 */
export function gradientSketch(
  b: Builder,
  layer: Layer,
  pulled: ReadonlyMap<ValueId, ValueId>,
  signs: Signs,
): { readonly sum: ValueId; readonly squares: ValueId } {
  const factors = factorsOf(b, layer, pulled, signs);
  const { gradients, features, width } = factors;
  const [batch, groups, , positions] = b.dims(gradients) as [number, number, number, number];
  if (groups > 1 || positions > 1) {
    const sketch = sketchOf(b, factors);
    return { sum: reduceSum(b, sketch, [0]), squares: sumOfSquares(b, sketch, [0, 1]) };
  }
  const rows = b.dims(gradients)[2] as number;
  const left = b.constant(Tensor.float32([BUCKETS, rows], factors.left));
  const one = matMul(b, reshape(b, gradients, [batch, rows]), transpose(b, left, [1, 0]));
  const other = reshape(b, features, [batch, width]);
  const sum = reshape(b, matMul(b, transpose(b, one, [1, 0]), other), [BUCKETS * width]);
  const squares = reduceSum(b, mul(b, sumOfSquares(b, one, [1]), sumOfSquares(b, other, [1])), [0]);
  return { sum: scale(b, sum, 1 / Math.sqrt(width)), squares: scale(b, squares, 1 / width) };
}

/** What sketches are the product of. */
interface Factors {
  /** P Wᵀ of each group, [G, K, d/G]. */
  readonly left: Float32Array;
  /** γ, [B, G, d/G, T]. */
  readonly gradients: ValueId;
  /** Q φ, [B, G, k, T]. */
  readonly features: ValueId;
  /** k. */
  readonly width: number;
}

function factorsOf(b: Builder, all: Layer, pulled: ReadonlyMap<ValueId, ValueId>, signs: Signs): Factors {
  const layer = { ...all, uses: all.uses.filter((use) => pulled.has(use.preactivation)) };
  const { d, groups } = layer;
  const k = layer.positions === 1 ? MOST_ROWS : Math.min(MOST_ROWS, Math.max(LEAST_ROWS, Math.floor(d / groups / 4)));
  const columns = columnsAt(b, layer, pulled);
  const [, batch, , , positions] = b.dims(columns) as [number, number, number, number, number];
  const left = bucketed(layer, BUCKETS, signs);
  const random = Float32Array.from({ length: k * layer.m * groups }, () => signs.sign());
  // Random features are the pre-activation of the same layer with k random rows: positions come in the same order.
  const features = new Map(
    layer.uses.map((use) => {
      const value = scale(b, randomFeatures(b, layer, use, k, random), use.scale);
      return [use.preactivation, reshape(b, value, [1, ...b.dims(value)])] as const;
    }),
  );
  const phi = columnsAt(b, { ...layer, d: k * groups }, features);
  return {
    left,
    gradients: reshape(b, columns, [batch, groups, d / groups, positions]),
    features: reshape(b, phi, [batch, groups, k, positions]),
    width: k,
  };
}

function sketchOf(b: Builder, { left, gradients, features, width }: Factors): ValueId {
  const [batch, groups, rows] = b.dims(gradients) as [number, number, number];
  const buckets = b.constant(Tensor.float32([1, groups, BUCKETS, rows], left));
  const product = matMul(b, matMul(b, buckets, gradients), swap(b, features));
  return scale(b, reshape(b, reduceSum(b, product, [1]), [batch, BUCKETS * width]), 1 / Math.sqrt(width));
}

/** P Wᵀ of each group, [G, k, d/G]: every column of W into one of k buckets, with a sign. */
function bucketed(layer: Layer, k: number, signs: Signs): Float32Array {
  const { d, m, groups } = layer;
  const rows = d / groups;
  const matrix = layer.matrix();
  const sums = new Float64Array(groups * k * rows);
  for (let group = 0; group < groups; group++) {
    const buckets = Int32Array.from({ length: m }, () => signs.below(k));
    const own = Float64Array.from({ length: m }, () => signs.sign());
    for (let row = 0; row < rows; row++) {
      const start = (group * rows + row) * m;
      for (let column = 0; column < m; column++) {
        const place = (group * k + buckets[column]!) * rows + row;
        sums[place] = sums[place]! + own[column]! * matrix[start + column]!;
      }
    }
  }
  return Float32Array.from(sums);
}

/** Q φ: what the layer's node makes of its features with k random rows a group in the place of W. */
function randomFeatures(
  b: Builder,
  { m, groups, weight }: Layer,
  { kind, node, features }: Use,
  k: number,
  random: Float32Array,
): ValueId {
  switch (kind) {
    case "dense":
      return matMul(b, features, b.constant(Tensor.float32([m, k], random)));
    case "dense-left":
      return matMul(b, b.constant(Tensor.float32([k, m], random)), features);
    case "embedding":
      return b.add("Gather", [b.constant(Tensor.float32([m, k], random)), features]);
    case "convolution": {
      const [, ...kernel] = b.dims(weight);
      return b.add("Conv", [features, b.constant(Tensor.float32([k * groups, ...kernel], random))], node.attributes);
    }
    case "transposed-convolution": {
      const [channels = 1, , ...kernel] = b.dims(weight);
      const dims = [channels, k, ...kernel];
      const values = random.subarray(0, count(dims));
      return b.add("ConvTranspose", [features, b.constant(Tensor.float32(dims, values))], node.attributes);
    }
  }
}
