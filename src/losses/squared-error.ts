import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { scale, square, sub } from "../graph/operators.ts";
import { sumOverOutputs } from "./diagonal.ts";
import { targets } from "./labels.ts";
import type { Loss } from "./loss.ts";

/** Squared error of C outputs, no factor ½, mean over samples; its Hessian in the outputs is 2·weight(C)·I. */
function squaredError(name: string, source: string, weight: (outputs: number) => number): Loss {
  const share = (b: Builder, scores: ValueId) => weight(b.dims(scores)[2] as number);
  return sumOverOutputs({
    name,
    source,
    classification: false,
    ofScores: false,
    prepare: targets,
    value: (b, scores, labels) => scale(b, square(b, sub(b, scores, labels)), share(b, scores)),
    slope: (b, scores, labels) => scale(b, sub(b, scores, labels), 2 * share(b, scores)),
    bend: (b, scores) => b.scalar(2 * share(b, scores)),
  });
}

/** ℓ = mean over outputs of (f − y)², torch's MSELoss. */
export const squaredErrorMean = squaredError(
  "squared-error-mean",
  "mean over outputs of (f − y)², mean over samples",
  (outputs) => 1 / outputs,
);

/** ℓ = ‖f − y‖². */
export const squaredErrorSum = squaredError(
  "squared-error-sum",
  "sum over outputs of (f − y)², mean over samples",
  () => 1,
);
