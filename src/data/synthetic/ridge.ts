import { Matrix } from "ml-matrix";
import { DataError, UsageError } from "../../errors.ts";
import type { FeatureSamples } from "../synthetic.ts";
import { checkBothClasses, type LinearHead, solvePositive } from "./linear-head.ts";

/**
 * Ridge regression of targets t = ±1: argmin Σ_i (⟨w, z_i⟩ + b − t_i)² + α ‖w‖², the bias not penalized. Its scores, not
 * their signs, are what is measured. For α = 0 it is a minimum of the empirical risk, for α > 0 it is not.
 *
 * Costs O(n m² + m³).
 *
 * @throws DataError for one class alone, or for dependent features and α = 0
 */
export function ridgeHead(samples: FeatureSamples, penalty: number): LinearHead {
  if (!(penalty >= 0 && penalty < Infinity)) {
    throw new UsageError(`synthetic: ridge penalty ${penalty}: expected a number from 0.`);
  }
  checkBothClasses(samples);
  const { n, m, labels } = samples;
  const features = new Matrix(Array.from({ length: n }, (_, i) => samples.features.subarray(i * m, (i + 1) * m)));
  const targets = Array.from(labels, (label) => 2 * label - 1);
  const means = features.mean("column");
  const target = targets.reduce((sum, each) => sum + each, 0) / n;
  const centred = features.clone().subRowVector(means);
  const gram = centred.transpose().mmul(centred).add(Matrix.eye(m).mul(penalty));
  const products = centred.transpose().mmul(Matrix.columnVector(targets.map((each) => each - target)));
  const weights = solvePositive(gram, Float64Array.from(products.to1DArray()));
  if (weights) return { weights, bias: target - means.reduce((sum, mean, j) => sum + mean * weights[j]!, 0) };
  throw new DataError(
    `synthetic: ridge: the ${m} features of ${n} samples are linearly dependent, so that no single w is best: ` +
      `give a penalty above ${penalty}, noise on redundant features, or more samples.`,
  );
}
