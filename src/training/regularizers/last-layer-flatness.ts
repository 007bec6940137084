import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { add, matMul, mul, reduceSum, reshape, scale, squaredNorm, sub, swap } from "../../graph/operators.ts";
import { countedTerms, softmax } from "../../losses/class-scores.ts";
import { crossEntropy } from "../../losses/cross-entropy.ts";
import { meanOverTerms, type Scored } from "../scored.ts";
import { orientedWeight } from "./oriented-weight.ts";
import type { Penalty } from "./penalty.ts";

/**
 * Relative flatness of the last layer on the batch, exact, as a function of all weights: κ = mean of ‖φ‖² Tr(∂²ℓ/∂f∂f W Wᵀ).
 */
export function lastLayerFlatness(name: string, layer: Layer): Penalty {
  const [use] = layer.uses as [(typeof layer.uses)[number]];
  const weight = orientedWeight(layer);
  return {
    name,
    key: `flatness of last ${layer.initializer}`,
    reads: [use.features],
    sweeps: false,
    signs: new Map(),
    value(forward) {
      const { b, scores, loss } = forward;
      const [batch, terms] = b.dims(scores) as [number, number];
      const features = reshape(b, use.features, [batch, terms, layer.m]);
      const lengths = scale(b, squaredNorm(b, features, 2), use.scale ** 2);
      const form = loss.name === crossEntropy.name ? ofSoftmax : ofSeparateOutputs;
      return meanOverTerms(forward, reduceSum(b, mul(b, lengths, form(forward, weight.matrix(b))), [1]));
    },
  };
}

/**
 * Tr((diag p − p pᵀ) W Wᵀ) = ½ Σ_jk p_j p_k ‖w_j − w_k‖² of each term, [B, T]. Rows are taken from their mean, which changes no
 * distance, so that the products keep their digits.
 */
function ofSoftmax({ b, scores, labels }: Scored, matrix: ValueId): ValueId {
  const [batch, terms, classes] = b.dims(scores) as [number, number, number];
  const rows = sub(b, matrix, b.add("ReduceMean", [matrix, b.integers([0])], { keepdims: 1 }));
  const norms = squaredNorm(b, rows, 1);
  const sums = add(b, reshape(b, norms, [classes, 1]), norms);
  const distances = sub(b, sums, scale(b, matMul(b, rows, swap(b, rows)), 2));
  const p = reshape(b, softmax(b, scores), [batch * terms, classes]);
  const form = scale(b, reduceSum(b, mul(b, matMul(b, p, distances), p), [1]), 0.5);
  const counted = countedTerms(b, scores, labels);
  const ofTerms = reshape(b, form, [batch, terms]);
  return counted === undefined ? ofTerms : mul(b, ofTerms, counted);
}

/** Σ_j ∂²ℓ/∂f_j² ‖w_j‖² of each term, [B, T], of a loss that is a sum over outputs. */
function ofSeparateOutputs({ b, loss, scores, labels }: Scored, matrix: ValueId): ValueId {
  const ones = b.add("Expand", [b.scalar(1), b.integers([1, ...b.dims(scores)])]);
  const bends = loss.hessianProduct(b, scores, labels, ones);
  return reduceSum(b, mul(b, bends, squaredNorm(b, matrix, 1)), [0, 3]);
}
