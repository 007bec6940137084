import { Matrix } from "ml-matrix";
import { DataError, UsageError } from "../../errors.ts";
import type { FeatureSamples } from "../synthetic.ts";
import { checkBothClasses, type LinearHead, logisticLoss, solvePositive } from "./linear-head.ts";

/** The gradient's largest entry, a sample, at which Newton's method has arrived: far below float32. */
const CONVERGED = 1e-11;
const MOST_STEPS = 200;

/**
 * Logistic regression: argmin Σ_i log(1 + exp(−t_i (⟨w, z_i⟩ + b))) + α/2 ‖w‖², t = ±1, the bias not penalized, by Newton's
 * method with halved steps. For α = 0 it is a minimum of the empirical risk.
 *
 * Costs O(n m² + m³) a step, some ten steps.
 *
 * @throws DataError for one class alone; for α = 0 where there is no minimum (separable classes) or no single one
 *   (dependent features); when it does not converge
 */
export function logisticHead(samples: FeatureSamples, penalty: number): LinearHead {
  if (!(penalty >= 0 && penalty < Infinity)) {
    throw new UsageError(`synthetic: logistic penalty ${penalty}: expected a number from 0.`);
  }
  checkBothClasses(samples);
  const { n, m } = samples;
  let at = objective(samples, new Float64Array(m + 1), penalty);
  for (let step = 0; step < MOST_STEPS; step++) {
    if (penalty === 0 && at.smallestMargin > 0) throw separable(n);
    if (at.gradient.every((slope) => Math.abs(slope) <= CONVERGED * n)) {
      return { weights: at.parameters.slice(0, m), bias: at.parameters[m]! };
    }
    const newton = solvePositive(hessian(samples, at.probabilities, penalty), at.gradient);
    if (!newton) throw dependent(n, m, penalty);
    at = descended(samples, at, newton, penalty);
  }
  const slope = Math.max(...at.gradient.map(Math.abs)) / n;
  throw new DataError(
    `synthetic: logistic: gradient ${slope.toExponential(1)} after ${MOST_STEPS} steps of Newton's method, ` +
      `expected ${CONVERGED}: give a larger penalty than ${penalty}.`,
  );
}

interface Objective {
  /** w, then b. */
  readonly parameters: Float64Array;
  readonly value: number;
  readonly gradient: Float64Array;
  readonly probabilities: Float64Array;
  /** min_i t_i (⟨w, z_i⟩ + b): positive where the classes are told apart without error. */
  readonly smallestMargin: number;
}

function objective({ n, m, features, labels }: FeatureSamples, parameters: Float64Array, penalty: number): Objective {
  const gradient = new Float64Array(m + 1);
  const probabilities = new Float64Array(n);
  let value = 0;
  let smallestMargin = Infinity;
  for (let i = 0; i < n; i++) {
    const z = features.subarray(i * m, (i + 1) * m);
    let score = parameters[m]!;
    for (let j = 0; j < m; j++) score += parameters[j]! * z[j]!;
    const margin = labels[i] === 1 ? score : -score;
    const p = 1 / (1 + Math.exp(-score));
    const slope = (labels[i] === 1 ? -1 : 1) / (1 + Math.exp(margin));
    for (let j = 0; j < m; j++) gradient[j]! += slope * z[j]!;
    gradient[m]! += slope;
    probabilities[i] = p;
    value += logisticLoss(margin);
    smallestMargin = Math.min(smallestMargin, margin);
  }
  for (let j = 0; j < m; j++) {
    value += (penalty / 2) * parameters[j]! ** 2;
    gradient[j]! += penalty * parameters[j]!;
  }
  return { parameters, value, gradient, probabilities, smallestMargin };
}

/** Σ_i p_i (1 − p_i) (z_i, 1)(z_i, 1)ᵀ + α (I, 0). */
function hessian({ n, m, features }: FeatureSamples, probabilities: Float64Array, penalty: number): Matrix {
  const rows = Array.from({ length: n }, (_, i) => {
    const weight = Math.sqrt(probabilities[i]! * (1 - probabilities[i]!));
    return [...features.subarray(i * m, (i + 1) * m), 1].map((value) => weight * value);
  });
  const weighted = new Matrix(rows);
  const result = weighted.transpose().mmul(weighted);
  for (let j = 0; j < m; j++) result.set(j, j, result.get(j, j) + penalty);
  return result;
}

/** A share of descent that a step must bring, of what the gradient promises (Armijo). */
const SUFFICIENT = 1e-4;

/** The Newton step, halved until it goes down. */
function descended(samples: FeatureSamples, at: Objective, newton: Float64Array, penalty: number): Objective {
  const promised = newton.reduce((sum, step, j) => sum + step * at.gradient[j]!, 0);
  for (let length = 1; ; length /= 2) {
    const parameters = at.parameters.map((value, j) => value - length * newton[j]!);
    const next = objective(samples, parameters, penalty);
    // Near the minimum the descent is below rounding: there the whole step is right.
    const rounding = 1e-12 * Math.max(1, at.value);
    if (next.value <= at.value - SUFFICIENT * length * promised + rounding) return next;
  }
}

function separable(n: number): DataError {
  return new DataError(
    `synthetic: logistic: a hyperplane separates the classes of all ${n} samples, so that the loss has no minimum: ` +
      `give a penalty above 0, less separation, or flips.`,
  );
}

function dependent(n: number, m: number, penalty: number): DataError {
  return new DataError(
    `synthetic: logistic: the ${m} features of ${n} samples are linearly dependent, so that no single w is best: ` +
      `give a penalty above ${penalty}, noise on redundant features, or more samples.`,
  );
}
