import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { reshape } from "../graph/operators.ts";
import type { Scored } from "./hessian-form.ts";
import { pushForward } from "./taylor.ts";

/**
 * Σ_v ⟨v, ∂ℓ_i/∂v⟩ over some constants v, [B]: the derivative of each sample's loss along the constants themselves, which is that
 * of all of them times (1 + t) at t = 0. One forward sweep of first order, whatever their number.
 *
 * @throws UnsupportedOperatorError when an operator behind one of them has no rule
 */
export function derivativeAlong(b: Builder, { loss, scores, labels }: Scored, constants: readonly ValueId[]): ValueId {
  const [batch] = b.dims(scores) as [number];
  const seeds = new Map(constants.map((value) => [value, { first: reshape(b, value, [1, ...b.dims(value)]) }]));
  const first = pushForward(b, seeds, [scores], 1).get(scores)?.first;
  if (first === undefined) return b.add("Expand", [b.scalar(0), b.integers([batch])]);
  return reshape(b, loss.firstOrder(b, scores, labels, first), [batch]);
}
