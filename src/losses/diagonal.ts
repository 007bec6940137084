import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, mul, reduceSum, reshape, sqrt, square } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { oneHot } from "./class-scores.ts";
import { oneTerm } from "./labels.ts";
import type { ColumnChunk, Loss } from "./loss.ts";

/** A loss that is a sum over the outputs of a function of each: its Hessian in the scores is diagonal, its columns one an output. */
interface SumOverOutputs extends Pick<Loss, "name" | "source" | "correct" | "prepare"> {
  readonly classification: boolean;
  readonly ofScores: boolean;
  /** ℓ of each output, weights included, [B, 1, C]. */
  value(b: Builder, scores: ValueId, labels: ValueId): ValueId;
  /** ∂ℓ/∂f of each output. */
  slope(b: Builder, scores: ValueId, labels: ValueId): ValueId;
  /** ∂²ℓ/∂f² of each output, [B, 1, C], or dims that broadcast to it. */
  bend(b: Builder, scores: ValueId): ValueId;
}

export function sumOverOutputs({ value, slope, bend, ...named }: SumOverOutputs): Loss {
  return {
    ...named,
    terms: oneTerm,
    perSample: (b, scores, labels) => reduceSum(b, value(b, scores, labels), [1, 2]),
    columnCount: ({ terms, classes }) => terms * classes,
    estimatedCount: ({ terms, classes }) => terms * classes,
    signCount: () => 0,
    columns(b, scores, _labels, chunk?: ColumnChunk) {
      const classes = b.dims(scores)[2] as number;
      const all = b.constant(Tensor.int64(Array.from({ length: classes }, (_, index) => index)));
      const count = chunk?.size ?? classes;
      const unit = reshape(b, oneHot(b, chunk?.slots ?? all, classes), [count, 1, 1, classes]);
      const weighted = chunk ? mul(b, unit, reshape(b, chunk.weights, [count, 1, 1, 1])) : unit;
      const roots = b.add("Expand", [sqrt(b, bend(b, scores)), b.integers(b.dims(scores))]);
      return mul(b, weighted, roots);
    },
    quadraticForm(b, scores, _labels, rows) {
      const norms = b.constant(Tensor.float32([rows.rows], rows.norms()));
      const bends = b.add("Expand", [bend(b, scores), b.integers(b.dims(scores))]);
      return reduceSum(b, mul(b, bends, norms), [2]);
    },
    firstOrder: (b, scores, labels, first) => reduceSum(b, mul(b, slope(b, scores, labels), first), [2, 3]),
    hessianProduct: (b, scores, _labels, values) => mul(b, bend(b, scores), values),
    secondOrder(b, scores, labels, jet) {
      const squares = reduceSum(b, square(b, jet.first), [0]);
      const gaussNewton = reduceSum(b, mul(b, bend(b, scores), squares), [1, 2]);
      if (jet.second === undefined) return { hessian: gaussNewton, gaussNewton };
      const bent = reduceSum(b, mul(b, slope(b, scores, labels), jet.second), [1, 2]);
      return { hessian: add(b, bent, gaussNewton), gaussNewton };
    },
  };
}
