import { DivergenceError } from "../errors.ts";
import type { State } from "./state.ts";
import type { Evaluation } from "./stopping.ts";

/**
 * Looks at the loss of a batch before its step.
 *
 * @param step from 1
 * @param growth how many times the first batch's loss is too much
 * @throws DivergenceError when it is not finite, or too large
 */
export function refuseDiverged(state: State, step: number, loss: number, growth: number): void {
  if (state.firstLoss === undefined && !Number.isFinite(loss)) {
    throw new DivergenceError(
      `training diverged at step 1, in epoch 1: the loss of the first batch is ${loss}, before any step; are the numbers of the data huge (preprocess: scale=255), or the start's?`,
    );
  }
  const bound = growth * Math.abs(state.firstLoss ?? 0);
  if (Number.isFinite(loss) && (loss <= bound || bound === 0)) return;
  const what = Number.isFinite(loss) ? `${loss}, above ${growth} times the first batch's` : `${loss}`;
  throw diverged(state, step, `the loss of the batch is ${what}`);
}

/** @throws DivergenceError for a weight that is not finite: such a state is neither evaluated nor kept */
export function refuseInfinite(state: State): void {
  for (const vector of state.vectors.values()) {
    const bad = vector.findIndex((value) => value - value !== 0);
    if (bad >= 0) throw diverged(state, state.steps, `a parameter is ${vector[bad]}`);
  }
}

/** @throws DivergenceError for a loss on all samples that is not finite */
export function refuseInfiniteScores(state: State, { train, test }: Evaluation): void {
  for (const [name, score] of Object.entries({ training: train, test })) {
    if (score && !Number.isFinite(score.loss)) {
      throw diverged(state, state.steps, `the loss on the ${name} data is ${score.loss}`);
    }
  }
}

function diverged({ epoch }: State, step: number, what: string): DivergenceError {
  return new DivergenceError(
    `training diverged at step ${step}, in epoch ${epoch}: ${what}; a smaller learning rate, or clip, may help`,
  );
}
