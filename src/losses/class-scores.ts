import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { cast, reduceSum, mul } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";

// What cross-entropy's graphs are made of. Scores are [B, T, C], labels [B, T].

export function softmax(b: Builder, scores: ValueId): ValueId {
  return b.add("Softmax", [scores], { axis: -1 });
}

/** The class with the largest score, [B, T]. */
export function likeliest(b: Builder, scores: ValueId): ValueId {
  return b.add("ArgMax", [scores], { axis: -1, keepdims: 0 });
}

/** Indices to rows of zeros and a one, in a new last axis. */
export function oneHot(b: Builder, indices: ValueId, classes: number): ValueId {
  const values = b.constant(Tensor.float32([2], [0, 1]));
  return b.add("OneHot", [indices, b.constant(Tensor.int64([classes])), values], { axis: -1 });
}

/** 1 where a term counts, else 0, [B, T]; undefined where there is one term, which always counts. */
export function countedTerms(b: Builder, scores: ValueId, labels: ValueId): ValueId | undefined {
  if (b.dims(scores)[1] === 1) return undefined;
  return cast(b, b.add("GreaterOrEqual", [labels, b.constant(Tensor.int64(0))]), "float32");
}

/** Terms [B, T] that count, summed to [B]. */
export function overTerms(b: Builder, scores: ValueId, labels: ValueId, values: ValueId): ValueId {
  const counted = countedTerms(b, scores, labels);
  return reduceSum(b, counted === undefined ? values : mul(b, values, counted), [1]);
}
