import { CholeskyDecomposition, Matrix } from "ml-matrix";
import { DataError } from "../../errors.ts";
import type { FeatureSamples } from "../synthetic.ts";

/** The score ⟨w, z⟩ + b, positive for class 1. */
export interface LinearHead {
  readonly weights: Float64Array;
  readonly bias: number;
}

/** A pivot this small beside the largest is rounding: the columns are dependent. */
const SMALLEST_PIVOT = 1e-12;

/** x of A x = y for a symmetric positive definite A; undefined where A is singular up to rounding. */
export function solvePositive(matrix: Matrix, right: Float64Array): Float64Array | undefined {
  const factor = new CholeskyDecomposition(matrix);
  const pivots = factor.lowerTriangularMatrix.diagonal().map((pivot) => pivot ** 2);
  if (!factor.isPositiveDefinite() || !(Math.min(...pivots) > SMALLEST_PIVOT * Math.max(...pivots))) return undefined;
  return Float64Array.from(factor.solve(Matrix.columnVector(right)).to1DArray());
}

/** @throws DataError when all samples are of one class: nothing is to be told apart */
export function checkBothClasses({ n, labels }: FeatureSamples): void {
  const ones = labels.reduce((sum, label) => sum + label, 0);
  if (ones > 0 && ones < n) return;
  throw new DataError(
    `synthetic: all ${n} samples are of class ${ones > 0 ? 1 : 0}: expected both; ` +
      `draw more samples, or another distribution (seed, separation).`,
  );
}

/** Means over samples. */
export interface HeadRisk {
  /** (score − t)², t = ±1. */
  readonly squaredError: number;
  /** log(1 + exp(−t · score)). */
  readonly crossEntropy: number;
  /** Share of scores with the label's sign. */
  readonly accuracy: number;
}

/** The empirical risk of a head, in float64: on the training samples, or on ones that it never saw. */
export function headRisk({ weights, bias }: LinearHead, { n, m, features, labels }: FeatureSamples): HeadRisk {
  let [squaredError, crossEntropy, correct] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    let score = bias;
    for (let j = 0; j < m; j++) score += weights[j]! * features[i * m + j]!;
    const target = labels[i] === 1 ? 1 : -1;
    squaredError += (score - target) ** 2;
    crossEntropy += logisticLoss(target * score);
    if (score * target > 0) correct++;
  }
  return { squaredError: squaredError / n, crossEntropy: crossEntropy / n, accuracy: correct / n };
}

/** log(1 + exp(−margin)) without overflow. */
export function logisticLoss(margin: number): number {
  return Math.max(-margin, 0) + Math.log1p(Math.exp(-Math.abs(margin)));
}
