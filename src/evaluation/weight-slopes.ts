import { pushForward } from "../calculus/taylor.ts";
import type { ValueId } from "../graph/graph.ts";
import { reshape } from "../graph/operators.ts";
import type { Prepared } from "./prepare.ts";

/** ⟨∇ℓ_i, V⟩ and ⟨V, ∇²ℓ_i [V]⟩ of each sample, [B], for one direction V of an initializer. */
export interface WeightSlopes {
  readonly first: ValueId;
  readonly second: ValueId;
}

/**
 * The derivatives of the samples' losses along a direction of a weight, by a forward sweep of second order.
 *
 * @param direction of the initializer's dims
 * @throws UnsupportedOperatorError where an operator above has no rule
 */
export function weightSlopes(prepared: Prepared, initializer: ValueId, direction: ValueId): WeightSlopes {
  const { b, batch, loss, scores, labels } = prepared;
  const first = reshape(b, direction, [1, ...b.dims(direction)]);
  const jet = pushForward(b, new Map([[initializer, { first }]]), [scores], 2).get(scores);
  if (!jet) throw new TypeError(`initializer ${initializer}: the outputs do not depend on it`);
  return {
    first: reshape(b, loss.firstOrder(b, scores, labels, jet.first), [batch]),
    second: loss.secondOrder(b, scores, labels, jet).hessian,
  };
}
