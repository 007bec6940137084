import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { mul, reduceSum, reshape } from "../graph/operators.ts";
import type { Scored } from "./hessian-form.ts";
import type { Jet } from "./jets.ts";
import { pushForward } from "./taylor.ts";
import { pullBack } from "./vjp.ts";

/**
 * H v of some weights together, summed over the batch: reverse over forward. With `gaussNewton` the loss's Hessian in the scores
 * between the forward and the reverse sweep, Jᵀ (∂²ℓ/∂f∂f) J v.
 *
 * @param vectors v for each initializer, of its dims
 * @param weights of the samples, [B]: 0 for padding
 * @returns the product for each initializer, of its dims; absent where it is zero
 */
export function hessianVectorProduct(
  b: Builder,
  { loss, scores, labels }: Scored,
  vectors: ReadonlyMap<ValueId, ValueId>,
  weights: ValueId,
  gaussNewton: boolean,
): Map<ValueId, ValueId> {
  const seeds = new Map<ValueId, Jet>();
  for (const [initializer, vector] of vectors) {
    seeds.set(initializer, { first: reshape(b, vector, [1, ...b.dims(vector)]) });
  }
  const first = pushForward(b, seeds, [scores], 1).get(scores)?.first;
  if (first === undefined) return new Map();
  const [batch] = b.dims(scores) as [number];
  if (gaussNewton) {
    const along = reshape(b, first, b.dims(scores));
    const bent = mul(b, loss.hessianProduct(b, scores, labels, along), reshape(b, weights, [batch, 1, 1]));
    return pullBack(b, new Map([[scores, bent]]), vectors.keys(), 0);
  }
  const slope = mul(b, loss.firstOrder(b, scores, labels, first), weights);
  const total = reduceSum(b, slope, [0, 1]);
  return pullBack(b, new Map([[total, b.scalar(1)]]), vectors.keys(), 0);
}
