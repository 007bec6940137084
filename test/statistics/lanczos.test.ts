import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { describe, expect, test } from "vitest";
import type { Layer } from "../../src/graph/layers.ts";
import type { CurvatureOperator, IterativeEstimate, Iteration, Plan, Task } from "../../src/measures/measure.ts";
import { largestEigenvalue } from "../../src/measures/max-eigenvalue.ts";
import { spectralDensity } from "../../src/measures/spectral-density.ts";
import { lanczos } from "../../src/statistics/lanczos.ts";
import { maximumError } from "../float64-array.ts";
import { normals } from "../sketch.ts";

/** Two routes to eigenvalues in float64, of matrices up to 30 × 30. */
const ROUNDING = 1e-12;
/** What rounding may add to a bound that is zero. */
const SLACK = 1e-12;
/** A mean over random starts lies within this many standard errors of the trace. */
const STANDARD_ERRORS = 4;

/** A random symmetric matrix B D Bᵀ of a rank, D of both signs. */
function symmetric(size: number, rank: number, seed: number): Matrix {
  const normal = normals(seed);
  const factor = Matrix.from1DArray(size, rank, Array.from({ length: size * rank }, normal));
  const signs = Matrix.diag(Array.from({ length: rank }, (_, index) => (index % 3 === 2 ? -1 : 1)));
  return factor.mmul(signs).mmul(factor.transpose());
}

function operator(matrix: Matrix): CurvatureOperator & { products: number } {
  const made = {
    size: matrix.rows,
    products: 0,
    apply(vector: Float64Array) {
      made.products += 1;
      return Promise.resolve(Float64Array.from(matrix.mmul(Matrix.columnVector([...vector])).to1DArray()));
    },
  };
  return made;
}

const eigenvalues = (matrix: Matrix) =>
  new EigenvalueDecomposition(matrix, { assumeSymmetric: true }).realEigenvalues.toSorted((a, b) => a - b);
const start = (size: number) => Float64Array.from({ length: size }, normals(99));

describe("all steps give all eigenvalues", () => {
  test.each([1, 2, 3, 30])("of a random symmetric matrix of size %d", async (size) => {
    const matrix = symmetric(size, size, 7 + size);
    const ritz = await lanczos(operator(matrix).apply, start(size), 100);
    expect(ritz.steps).toBe(size);
    expect(maximumError(ritz.values, eigenvalues(matrix))).toBeLessThan(ROUNDING);
    expect(ritz.weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
  });

  test("1 × 1 and 2 × 2 by hand", async () => {
    const one = await lanczos(operator(new Matrix([[-3]])).apply, Float64Array.of(5), 10);
    expect([one.values, one.weights, one.residual, one.steps]).toEqual([[-3], [1], 0, 1]);
    // 3 along (1, 1), −1 along (1, −1); the start (1, 0) is half of each.
    const two = await lanczos(
      operator(
        new Matrix([
          [1, 2],
          [2, 1],
        ]),
      ).apply,
      Float64Array.of(1, 0),
      10,
    );
    expect(maximumError(two.values, [-1, 3])).toBeLessThan(ROUNDING);
    expect(maximumError(two.weights, [0.5, 0.5])).toBeLessThan(ROUNDING);
  });

  test("a rank of 4 in 30 dimensions ends after five steps, with the eigenvalues that are not zero", async () => {
    const matrix = symmetric(30, 4, 5);
    const ritz = await lanczos(operator(matrix).apply, start(30), 100);
    expect(ritz.steps).toBe(5);
    const values = eigenvalues(matrix).filter((value) => Math.abs(value) > 1e-9);
    expect(
      maximumError(
        ritz.values.filter((value) => Math.abs(value) > 1e-9),
        values,
      ),
    ).toBeLessThan(ROUNDING);
  });

  test("of the zero matrix and of the identity one step is enough", async () => {
    const zero = await lanczos(operator(Matrix.zeros(6, 6)).apply, start(6), 100);
    expect([zero.values, zero.residual, zero.steps]).toEqual([[0], 0, 1]);
    const identity = await lanczos(operator(Matrix.eye(6, 6)).apply, start(6), 100);
    expect(identity.steps).toBe(1);
    expect(identity.values[0]).toBeCloseTo(1, 14);
  });
});

test.each([1, 2, 3, 5, 8, 13, 21, 29])(
  "the bound holds after %d steps: an eigenvalue lies within it",
  async (steps) => {
    for (const seed of [1, 2, 3]) {
      const matrix = symmetric(30, 30, seed);
      const ritz = await lanczos(operator(matrix).apply, start(30), steps);
      expect(ritz.steps).toBe(steps);
      const top = ritz.values.at(-1)!;
      const exact = eigenvalues(matrix);
      const error = Math.min(...exact.map((value) => Math.abs(value - top)));
      expect(error).toBeLessThanOrEqual(ritz.residual + SLACK * exact.at(-1)!);
      // Ritz values lie within the spectrum.
      expect(top).toBeLessThanOrEqual(exact.at(-1)! * (1 + SLACK));
    }
  },
);

describe("the largest eigenvalue", () => {
  test("is found to 1e-5, with fewer products than the matrix has rows", async () => {
    const matrix = symmetric(200, 200, 11);
    const made = operator(matrix);
    const { value, warning } = await largestEigenvalue(made, 3);
    const exact = eigenvalues(matrix).at(-1)!;
    // The error is of second order in the residual, which 1e-5 bounds.
    expect(Math.abs(value / exact - 1)).toBeLessThan(1e-5);
    expect(warning).toBeUndefined();
    expect(made.products).toBeLessThan(100);
  });

  test("says so where the products were not enough", async () => {
    // A thousand eigenvalues with nothing between them.
    const size = 1000;
    const apply = (vector: Float64Array) => Promise.resolve(vector.map((value, index) => (index / size) * value));
    const { warning } = await largestEigenvalue({ size, apply }, 0);
    expect(warning).toMatch(/^60 products leave an error bound of 0\.\d+$/);
  });
});

describe("spectral density", () => {
  const density = async (matrix: Matrix, seed: number) => {
    const layer = { initializer: "w" } as Layer;
    const task = { layers: [layer], curvature: "hessian", above: () => ({ kind: "logits" }) } as unknown as Task;
    const plan = spectralDensity.plan!(layer, task) as Extract<Plan, { kind: "iterative" }>;
    const made = operator(matrix);
    const iteration = { seed, withOperator: (_, run) => run(made) } as Pick<Iteration, "seed" | "withOperator">;
    return ((await plan.run(iteration as Iteration)) as IterativeEstimate).density!;
  };

  test.each([0, 1, 2, 3, 4])("seed %d: weights sum to 1, the mean is trace / size", async (seed) => {
    const size = 60;
    const matrix = symmetric(size, size, 21);
    const { values, weights } = await density(matrix, seed);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 12);
    expect(weights.every((weight) => weight >= 0)).toBe(true);
    expect(values).toEqual(values.toSorted((a, b) => a - b));
    const mean = values.reduce((sum, value, index) => sum + value * weights[index]!, 0);
    // vᵀHv of random signs has variance 2 Σ_{i≠j} H_ij²; four starts.
    let off = 0;
    for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) if (i !== j) off += matrix.get(i, j) ** 2;
    const standardError = Math.sqrt((2 * off) / 4) / size;
    expect(Math.abs(mean - matrix.trace() / size)).toBeLessThan(STANDARD_ERRORS * standardError);
  });

  test("a diagonal matrix has no random part: mean and second moment are exact", async () => {
    const diagonal = Array.from({ length: 30 }, (_, index) => Math.sin(index));
    const { values, weights } = await density(Matrix.diag(diagonal), 5);
    for (const power of [1, 2, 3]) {
      const found = values.reduce((sum, value, index) => sum + value ** power * weights[index]!, 0);
      const exact = diagonal.reduce((sum, value) => sum + value ** power / 30, 0);
      expect(Math.abs(found - exact)).toBeLessThan(ROUNDING);
    }
  });
});
