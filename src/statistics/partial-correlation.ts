import { Matrix, SingularValueDecomposition } from "ml-matrix";
import { pearson } from "./correlation.ts";
import { ranks } from "./ranks.ts";

/** What is held fixed: a number a sample, or a category. */
export type Control = readonly number[] | readonly string[];

/**
 * Partial correlation of x and y given controls: Pearson's r of what is left of each after linear regression on the controls and a
 * constant (least squares). A category is one 0/1 column a value. NaN where the controls leave nothing.
 */
export function partialPearson(x: ArrayLike<number>, y: ArrayLike<number>, controls: readonly Control[]): number {
  const design = designOf(controls, x.length, (values) => values);
  return residualCorrelation(Float64Array.from(x), Float64Array.from(y), design);
}

/** The same of ranks: x, y and every numeric control are ranked first. Kendall's has no form that several controls fit. */
export function partialSpearman(x: ArrayLike<number>, y: ArrayLike<number>, controls: readonly Control[]): number {
  const design = designOf(controls, x.length, (values) => [...ranks(values)]);
  return residualCorrelation(ranks(x), ranks(y), design);
}

/** Columns of the regression: a constant, numeric controls centred and scaled, categories as indicators. */
function designOf(
  controls: readonly Control[],
  n: number,
  transformed: (values: readonly number[]) => readonly number[],
): Matrix {
  const columns: number[][] = [Array.from({ length: n }, () => 1)];
  for (const control of controls) {
    if (typeof control[0] === "string") {
      const [, ...others] = new Set(control as readonly string[]);
      for (const value of others) columns.push(control.map((each) => (each === value ? 1 : 0)));
    } else columns.push(standardized(transformed(control as readonly number[])));
  }
  return new Matrix(columns).transpose();
}

function standardized(values: readonly number[]): number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const scale = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
  return values.map((value) => (value - mean) / scale);
}

/** A residual this small beside the list is the rounding of a perfect fit. */
const PERFECT = 1e-10;

function residualCorrelation(x: Float64Array, y: Float64Array, design: Matrix): number {
  const decomposition = new SingularValueDecomposition(design, { autoTranspose: true });
  const { leftSingularVectors: basis, diagonal } = decomposition;
  const kept = diagonal.filter((value) => value > PERFECT * diagonal[0]!).length;
  const [left, right] = [x, y].map((values) => residual(values, basis, kept)) as [Float64Array, Float64Array];
  if (norm(left) <= PERFECT * norm(x) || norm(right) <= PERFECT * norm(y)) return Number.NaN;
  return pearson(left, right);
}

/** What is left of a list beside its projection on the first columns of an orthonormal basis. */
function residual(values: Float64Array, basis: Matrix, columns: number): Float64Array {
  const left = values.slice();
  for (let column = 0; column < columns; column++) {
    let product = 0;
    for (let i = 0; i < left.length; i++) product += basis.get(i, column) * left[i]!;
    for (let i = 0; i < left.length; i++) left[i]! -= product * basis.get(i, column);
  }
  return left;
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}
