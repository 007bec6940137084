import { DataError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, cast, div, mul, reduceSum, scale, square, sub } from "../graph/operators.ts";
import { sumOverOutputs } from "./diagonal.ts";
import { targets } from "./labels.ts";
import type { Loss } from "./loss.ts";

/** e = exp(−|f|): the runtime's Sigmoid is wrong in float32 tails, quotients of this are not. */
function tail(b: Builder, scores: ValueId): ValueId {
  return b.add("Exp", [b.add("Neg", [b.add("Abs", [scores])])]);
}

/** σ(f) and σ(−f), each exact in its tail. */
function bothSides(b: Builder, scores: ValueId): { up: ValueId; down: ValueId } {
  const e = tail(b, scores);
  const whole = add(b, e, b.scalar(1));
  const [large, small] = [div(b, b.scalar(1), whole), div(b, e, whole)];
  const positive = b.add("Greater", [scores, b.scalar(0)]);
  return { up: b.add("Where", [positive, large, small]), down: b.add("Where", [positive, small, large]) };
}

function share(b: Builder, scores: ValueId): number {
  return 1 / (b.dims(scores)[2] as number);
}

/**
 * Binary cross-entropy of C raw scores, ℓ = mean over outputs of log(1 + e^f) − y f, targets y in [0, 1]; torch's
 * BCEWithLogitsLoss. Its Hessian in the scores is diag(p (1 − p)) / C.
 */
export const binaryCrossEntropy: Loss = sumOverOutputs({
  name: "binary-cross-entropy",
  source: "binary cross-entropy of raw scores, mean over outputs and samples",
  classification: false,
  ofScores: true,
  prepare(labels, terms, options) {
    const prepared = targets(labels, terms, options);
    const width = terms.classes;
    const bad = (prepared.data as Float32Array).findIndex((value) => value < 0 || value > 1);
    if (bad >= 0) {
      throw new DataError(
        `targets: sample ${options.sample(Math.floor(bad / width))} is ${prepared.data[bad]}; binary-cross-entropy expects numbers from 0 to 1`,
      );
    }
    return prepared;
  },
  value(b, scores, labels) {
    const softplus = add(b, b.add("Relu", [scores]), b.add("Log", [add(b, tail(b, scores), b.scalar(1))]));
    return scale(b, sub(b, softplus, mul(b, labels, scores)), share(b, scores));
  },
  /** (1 − y) σ(f) − y σ(−f). */
  slope(b, scores, labels) {
    const { up, down } = bothSides(b, scores);
    return scale(b, sub(b, mul(b, sub(b, b.scalar(1), labels), up), mul(b, labels, down)), share(b, scores));
  },
  bend(b, scores) {
    const e = tail(b, scores);
    return scale(b, div(b, e, square(b, add(b, e, b.scalar(1)))), share(b, scores));
  },
  /** The share of outputs on the right side of zero. */
  correct(b, scores, labels) {
    const [positive, wanted] = [b.add("Greater", [scores, b.scalar(0)]), b.add("Greater", [labels, b.scalar(0.5)])];
    return scale(b, reduceSum(b, cast(b, b.add("Equal", [positive, wanted]), "float32"), [1, 2]), share(b, scores));
  },
});
