import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, cast, matMul, mul, reduceSum, reshape, square, sub, transpose } from "../graph/operators.ts";
import { Tensor } from "../graph/tensor.ts";
import { countedTerms, likeliest, oneHot, overTerms, softmax } from "./class-scores.ts";
import { columns, estimatedColumns, estimatedCount, signCount } from "./cross-entropy-columns.ts";
import { classIndices, classTerms } from "./labels.ts";
import type { Loss, RowDistances, ScoresJet } from "./loss.ts";

/** Above this many classes the table of distances gives way to distances from the likeliest class. */
const LARGEST_DISTANCE_TABLE = 512;

/**
 * Softmax cross-entropy of class scores, ℓ = −log softmax(f)_y, mean over all terms: samples, tokens, pixels. Its Hessian in the
 * scores is diag(p) − p pᵀ, whatever the label.
 */
export const crossEntropy: Loss = {
  name: "cross-entropy",
  source: "softmax cross-entropy of raw scores, mean over samples (tokens, pixels)",
  classification: true,
  ofScores: true,
  terms: classTerms,
  prepare: classIndices,
  perSample(b, scores, labels) {
    const logarithms = b.add("LogSoftmax", [scores], { axis: -1 });
    return overTerms(b, scores, labels, b.add("Neg", [atLabel(b, logarithms, labels)]));
  },
  counted(b, scores, labels) {
    const counted = countedTerms(b, scores, labels);
    return counted === undefined ? undefined : reduceSum(b, counted, [1]);
  },
  correct(b, scores, labels) {
    return overTerms(b, scores, labels, cast(b, b.add("Equal", [likeliest(b, scores), labels]), "float32"));
  },
  columnCount: ({ terms, classes }) => terms * (classes - 1),
  columns,
  estimatedCount,
  signCount,
  estimatedColumns,
  quadraticForm(b, scores, labels, rows) {
    const classes = b.dims(scores)[2] as number;
    const p = softmax(b, scores);
    const form =
      classes > LARGEST_DISTANCE_TABLE
        ? distancesFromLikeliest(b, scores, p, rows)
        : distancesOfAll(b, p, classes, rows);
    const counted = countedTerms(b, scores, labels);
    return counted === undefined ? form : mul(b, form, counted);
  },
  firstOrder,
  hessianProduct,
  secondOrder,
};

/** The score at the label, [B, T]. A term that does not count reads the last class. */
function atLabel(b: Builder, scores: ValueId, labels: ValueId): ValueId {
  const [batch, terms] = b.dims(scores) as [number, number];
  const index = reshape(b, labels, [batch, terms, 1]);
  return reshape(b, b.add("GatherElements", [scores, index], { axis: 2 }), [batch, terms]);
}

/** ½ Σ_jk p_j p_k ‖v_j − v_k‖²: no difference of large numbers anywhere. */
function distancesOfAll(b: Builder, p: ValueId, classes: number, rows: RowDistances): ValueId {
  const halves = rows.distances().map((distance) => distance / 2);
  const table = b.constant(Tensor.float32([classes, classes], halves));
  return reduceSum(b, mul(b, matMul(b, p, table), p), [2]);
}

/**
 * Σ_j p_j ‖v_j − v_k‖² − ‖Σ_j p_j (v_j − v_k)‖² with k the likeliest class. At most a factor 1/p_k of precision is lost,
 * and the table of all distances is not needed.
 */
function distancesFromLikeliest(b: Builder, scores: ValueId, p: ValueId, rows: RowDistances): ValueId {
  const [batch, terms, classes] = b.dims(scores) as [number, number, number];
  const index = likeliest(b, scores);
  const others = mul(b, p, sub(b, b.scalar(1), oneHot(b, index, classes)));
  const mass = reduceSum(b, others, [2]);
  if (!rows.matrix) {
    return add(b, sub(b, mass, square(b, mass)), sub(b, mass, reduceSum(b, square(b, others), [2])));
  }
  const { width, values } = rows.matrix;
  const v = b.constant(Tensor.float32([classes, width], values));
  const n = b.constant(Tensor.float32([classes], rows.norms()));
  const centre = b.add("Gather", [v, index], { axis: 0 });
  const centreNorm = reshape(b, b.add("Gather", [n, index], { axis: 0 }), [batch, terms, 1]);
  const products = matMul(b, centre, transpose(b, v, [1, 0]));
  const distances = sub(b, add(b, n, centreNorm), mul(b, b.scalar(2), products));
  const second = reduceSum(b, mul(b, others, distances), [2]);
  const mean = sub(b, matMul(b, others, v), mul(b, reshape(b, mass, [batch, terms, 1]), centre));
  return sub(b, second, reduceSum(b, square(b, mean), [2]));
}

/** Σ_t Σ_c p_c (x'_c − x'_y), [R, B]. */
function firstOrder(b: Builder, scores: ValueId, labels: ValueId, first: ValueId): ValueId {
  const [directions, batch, terms] = b.dims(first) as [number, number, number];
  const index = reshape(b, labels, [1, batch, terms, 1]);
  const everywhere = b.add("Expand", [index, b.integers([directions, batch, terms, 1])]);
  const label = b.add("GatherElements", [first, everywhere], { axis: 3 });
  const slopes = reduceSum(b, mul(b, softmax(b, scores), sub(b, first, label)), [3]);
  const counted = countedTerms(b, scores, labels);
  return reduceSum(b, counted === undefined ? slopes : mul(b, slopes, counted), [2]);
}

/**
 * x' − Σ_c p_c x'_c, taken from x' − x'_k with k the likeliest class: a confident sample's mean is all but x'_k, and the difference
 * from it would be rounding.
 */
function aboutMean(b: Builder, scores: ValueId, p: ValueId, values: ValueId): ValueId {
  const first = oneHot(b, likeliest(b, scores), b.dims(scores)[2] as number);
  const differences = sub(b, values, reduceSum(b, mul(b, first, values), [-1], true));
  return sub(b, differences, reduceSum(b, mul(b, p, differences), [-1], true));
}

/** p (x' − Σ_c p_c x'_c). */
function hessianProduct(b: Builder, scores: ValueId, labels: ValueId, values: ValueId): ValueId {
  const p = softmax(b, scores);
  const product = mul(b, p, aboutMean(b, scores, p, values));
  const counted = countedTerms(b, scores, labels);
  if (counted === undefined) return product;
  const [batch, terms] = b.dims(scores) as [number, number];
  return mul(b, product, reshape(b, counted, [batch, terms, 1]));
}

/** Σ_c p_c (x''_c − x''_y) + Σ_r Var_p(x'_r): never p − e_y times x'', which loses all digits for confident samples. */
function secondOrder(b: Builder, scores: ValueId, labels: ValueId, jet: ScoresJet) {
  const [batch, terms] = b.dims(scores) as [number, number];
  const p = softmax(b, scores);
  // Squared and weighted, what the likeliest class's share loses to rounding is nothing beside the others'.
  const centred = sub(b, jet.first, reduceSum(b, mul(b, jet.first, p), [3], true));
  const spread = reduceSum(b, mul(b, reduceSum(b, square(b, centred), [0]), p), [2]);
  const gaussNewton = overTerms(b, scores, labels, spread);
  if (jet.second === undefined) return { hessian: gaussNewton, gaussNewton };
  const label = reshape(b, atLabel(b, jet.second, labels), [batch, terms, 1]);
  const bent = reduceSum(b, mul(b, p, sub(b, jet.second, label)), [2]);
  return { hessian: add(b, overTerms(b, scores, labels, bent), gaussNewton), gaussNewton };
}
