import { UsageError } from "../errors.ts";
import { HaarOrthogonal } from "../statistics/haar-orthogonal.ts";
import type { RandomStream } from "../statistics/random.ts";
import { type FeatureMatrix, neuronMatrix, scaledOrthogonal, shapedOrthogonal } from "./feature-matrix.ts";
import { RadialKernel } from "./radial-kernel.ts";

/** Which matrices A robustness is asked against: some that are given, or a distribution that is averaged over. */
export type FeatureFamily = GivenFamily | RandomFamily;

export interface GivenFamily {
  readonly kind: "given";
  readonly name: string;
  readonly members: readonly FeatureMatrix[];
}

export interface RandomFamily {
  readonly kind: "random";
  readonly name: string;
  readonly options: Readonly<Record<string, number | string>>;
  draw(stream: RandomStream): FeatureMatrix;
  /**
   * E over A of ⟨WA, H[WA]⟩ as a share of κ/m; undefined where it is no multiple of κ. All families are as likely as their negatives,
   * so that no odd order is left.
   */
  readonly shareOfFlatness: number | undefined;
}

/** Haar-distributed orthogonal matrices: Theorem 5, E over O of E_F(δO) = δ²κ/2m + o(δ²). */
export function orthogonalFamily(m: number): RandomFamily {
  return {
    kind: "random",
    name: "orthogonal",
    options: {},
    shareOfFlatness: 1,
    draw: (stream) => scaledOrthogonal(new HaarOrthogonal(stream, m)),
  };
}

/** Proposition 2's rO, r = δs with s of {@link RadialKernel}: φ then moves as a normal law truncated at δ‖φ‖. */
export function kernelFamily(m: number, sigma: number): RandomFamily {
  const kernel = new RadialKernel(m, sigma);
  return {
    kind: "random",
    name: "kernel",
    options: { sigma },
    shareOfFlatness: kernel.secondMoment,
    draw: (stream) => scaledOrthogonal(new HaarOrthogonal(stream, m), kernel.radius(stream)),
  };
}

/** Symmetric up to the rounding of a float32 file. */
const SYMMETRY_TOLERANCE = 1e-5;

/**
 * C^½ O: features move on an ellipsoid, φ ↦ φ + δ C^½ Oφ, whose covariance is δ²‖φ‖²C/m. In the place of κ stands
 * Σ_{s,s'} w_s C w_s'ᵀ Tr(H_{s,s'}), a weighted mean of curvatures in feature space.
 *
 * @param values C, m×m
 * @throws UsageError where C is not symmetric, not positive semidefinite, or has an eigenvalue above 1 (‖A‖ ≤ 1)
 */
export async function covarianceFamily(name: string, values: ArrayLike<number>, m: number): Promise<RandomFamily> {
  const bad = Array.prototype.findIndex.call(values, (value: number) => !Number.isFinite(value));
  if (bad >= 0)
    throw new UsageError(
      `covariance ${name}: element [${Math.floor(bad / m)}, ${bad % m}] is ${values[bad]}; expected a finite number.`,
    );
  const { EigenvalueDecomposition, Matrix } = await import("ml-matrix");
  const matrix = new Matrix(
    Array.from({ length: m }, (_, row) => Array.from({ length: m }, (__, column) => values[row * m + column]!)),
  );
  for (let row = 0; row < m; row++) {
    for (let column = 0; column <= row; column++) {
      const [one, other] = [matrix.get(row, column), matrix.get(column, row)];
      if (Math.abs(one - other) <= SYMMETRY_TOLERANCE * (1 + Math.abs(one))) continue;
      throw new UsageError(
        `covariance ${name}: expected a symmetric matrix, [${row}, ${column}] is ${one} and [${column}, ${row}] is ${other}.`,
      );
    }
  }
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, { assumeSymmetric: true });
  const [least, most] = [Math.min(...realEigenvalues), Math.max(...realEigenvalues)];
  if (least < -SYMMETRY_TOLERANCE || most > 1 + SYMMETRY_TOLERANCE) {
    const expected =
      least < -SYMMETRY_TOLERANCE
        ? "no negative eigenvalue"
        : "eigenvalues of at most 1, so that the features' matrix has a norm of at most 1";
    throw new UsageError(
      `covariance ${name}: expected ${expected}; they go from ${least.toPrecision(4)} to ${most.toPrecision(4)}.`,
    );
  }
  const roots = Matrix.diag(realEigenvalues.map((value) => Math.sqrt(Math.max(0, value))));
  const shape = Float64Array.from(eigenvectorMatrix.mmul(roots).mmul(eigenvectorMatrix.transpose()).to1DArray());
  return {
    kind: "random",
    name: "covariance",
    options: { covariance: name },
    shareOfFlatness: undefined,
    draw: (stream) => shapedOrthogonal(new HaarOrthogonal(stream, m), shape),
  };
}

/** The projections onto each neuron. */
export function neuronFamily(m: number): GivenFamily {
  return { kind: "given", name: "neurons", members: Array.from({ length: m }, (_, j) => neuronMatrix(j, m)) };
}

/** One independent draw for each group of a layer, side by side: A acts on a group's own features. */
export function drawForGroups(family: RandomFamily, groups: number, stream: RandomStream): FeatureMatrix {
  return sideBySide(Array.from({ length: groups }, () => family.draw(stream)));
}

/** Blocks of rows, each changed by a matrix of its own. */
function sideBySide(matrices: readonly FeatureMatrix[]): FeatureMatrix {
  const [first] = matrices as [FeatureMatrix];
  if (matrices.length === 1) return first;
  const each = (rows: ArrayLike<number>, change: (matrix: FeatureMatrix, block: Float64Array) => Float64Array) => {
    const all = Float64Array.from(rows);
    const size = all.length / matrices.length;
    matrices.forEach((matrix, index) =>
      all.set(change(matrix, all.slice(index * size, (index + 1) * size)), index * size),
    );
    return all;
  };
  return {
    name: first.name,
    afterRows: (rows) => each(rows, (matrix, block) => matrix.afterRows(block)),
    ofRows: (rows) => each(rows, (matrix, block) => matrix.ofRows(block)),
  };
}
