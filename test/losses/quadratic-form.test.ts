import { describe, expect, test } from "vitest";
import { unitRows } from "../../src/calculus/last-layer.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import type { Loss, RowDistances } from "../../src/losses/loss.ts";
import { squaredErrorMean, squaredErrorSum } from "../../src/losses/squared-error.ts";
import { maximumError, norm, type Array64 } from "../float64-array.ts";
import { losses64, softmax } from "../float64-curvature.ts";
import { normals } from "../sketch.ts";
import { atScores, integers, oneTermEach, termOf, termsOf } from "./at-scores.ts";
import { classScores, sixTokens, tokenLabels } from "./class-scores.ts";

/** float32 against float64, each sample by itself: no difference of large numbers is taken. */
const ROUNDING = 1e-6;
/** More than 512 classes: distances from the likeliest class, at most a factor 1/p of it worse. */
const DISTANCES = 1e-5;

/** Random rows of W with their distances, as weightRows makes them of a layer. */
function rowsOf(
  rows: number,
  width: number,
  seed: number,
  shift = 0,
): RowDistances & { readonly matrix: { width: number; values: Float32Array } } {
  const normal = normals(seed);
  const common = Array.from({ length: width }, () => shift * normal());
  const values = Float32Array.from({ length: rows * width }, (_, index) => normal() + common[index % width]!);
  const distance = (j: number, k: number) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (values[j * width + i]! - values[k * width + i]!) ** 2;
    return sum;
  };
  return {
    rows,
    matrix: { width, values },
    norms: () =>
      Float32Array.from({ length: rows }, (_, row) => norm(values.subarray(row * width, (row + 1) * width)) ** 2),
    distances: () =>
      Float32Array.from({ length: rows * rows }, (_, index) => distance(Math.floor(index / rows), index % rows)),
  };
}

async function formOf(
  loss: Loss,
  scores: Array64 | readonly (readonly number[])[],
  rows: RowDistances,
  labels?: readonly number[],
): Promise<Float64Array> {
  const f = "dims" in scores ? scores : oneTermEach(scores);
  const { q } = await atScores(
    f,
    ({ b, scores: given, labels: y }) => {
      const form = loss.quadraticForm(b, given, y, rows);
      // A form that is the same for all samples does not read the scores.
      const zero = b.add("ReduceSum", [b.add("Mul", [given, b.scalar(0)]), b.integers([2])], { keepdims: 0 });
      return { q: b.add("Add", [form, zero]) };
    },
    labels ? { labels: integers(f.dims.slice(0, 2), labels) } : {},
  );
  return q!;
}

/** Tr(Vᵀ G V) by the definition. */
function definition(hessian: Float64Array, values: ArrayLike<number>, width: number): number {
  const classes = Math.sqrt(hessian.length);
  let sum = 0;
  for (let j = 0; j < classes; j++) {
    for (let k = 0; k < classes; k++) {
      let inner = 0;
      for (let i = 0; i < width; i++) inner += values[j * width + i]! * values[k * width + i]!;
      sum += hessian[j * classes + k]! * inner;
    }
  }
  return sum;
}

function identity(size: number): Float64Array {
  return Float64Array.from({ length: size ** 2 }, (_, index) => Number(index % (size + 1) === 0));
}

describe("Tr(Vᵀ(diag(p) − ppᵀ)V)", () => {
  test.each(Object.entries(classScores))("for V = W and V = I: %s", async (_, scores) => {
    const classes = scores[0]!.length;
    const rows = rowsOf(classes, 6, 3);
    const weighted = await formOf(crossEntropy, scores, rows);
    const trace = await formOf(crossEntropy, scores, unitRows(classes));
    scores.forEach((row, sample) => {
      const hessian = losses64[0]!.hessian(Float64Array.from(row));
      // Below float32's smallest number the answer is 0.
      const small = Math.max(...hessian.map(Math.abs)) < 1e-37;
      const truths = [definition(hessian, rows.matrix.values, 6), definition(hessian, identity(classes), classes)];
      expect(maximumError([weighted[sample]!], [small ? 0 : truths[0]!])).toBeLessThan(ROUNDING);
      expect(maximumError([trace[sample]!], [small ? 0 : truths[1]!])).toBeLessThan(ROUNDING);
    });
  });

  test("two classes by hand: p(1 − p)‖v₁ − v₂‖², and 2p(1 − p)", async () => {
    const scores = [[Math.log(3), 0]];
    const rows: RowDistances = {
      rows: 2,
      distances: () => Float32Array.of(0, 5, 5, 0),
      norms: () => Float32Array.of(0, 0),
    };
    expect((await formOf(crossEntropy, scores, rows))[0]).toBeCloseTo((3 / 16) * 5, 6);
    expect((await formOf(crossEntropy, scores, unitRows(2)))[0]).toBeCloseTo(2 * (3 / 16), 6);
  });
});

describe.each([
  ["few classes", (row: readonly number[]) => row],
  // Those beyond the first four have no share.
  ["600 classes", (row: readonly number[]) => [...row, ...new Array<number>(596).fill(-200)]],
])("tokens: the form of each term, 0 where it does not count, %s", (_, widened) => {
  const scores = termsOf(sixTokens.map(widened), 3);
  const classes = scores.dims[2]!;

  test("V = W and V = I", async () => {
    const rows = rowsOf(classes, 6, 3);
    const forms = [await formOf(crossEntropy, scores, rows, tokenLabels)];
    forms.push(await formOf(crossEntropy, scores, unitRows(classes), tokenLabels));
    const matrices = [rows.matrix.values.subarray(0, 24), identity(4)] as const;
    sixTokens.forEach((row, index) => {
      const hessian = losses64[0]!.hessian(termOf(termsOf([row], 1), 0));
      matrices.forEach((values, which) => {
        const truth = tokenLabels[index]! < 0 ? 0 : definition(hessian, values, values.length / 4);
        expect(maximumError([forms[which]![index]!], [truth])).toBeLessThan(DISTANCES);
      });
    });
  });
});

describe("more than 512 classes", () => {
  const classes = 600;
  const normal = normals(17);
  const noise = (size: number) => Array.from({ length: classes }, () => size * normal());
  const scores = [
    noise(1),
    noise(3),
    noise(0),
    noise(1).with(5, 14),
    noise(0.5).with(599, 30),
    noise(1).with(1, 6).with(2, 6),
  ];

  test.each([
    ["ordinary rows", 0],
    ["rows with a large common part", 5],
  ])("V = W, %s", async (_, shift) => {
    const rows = rowsOf(classes, 8, 5, shift);
    const got = await formOf(crossEntropy, scores, rows);
    scores.forEach((row, sample) => {
      const p = softmax(Float32Array.from(row));
      const mean = Array.from({ length: 8 }, (__, i) =>
        p.reduce((sum, share, j) => sum + share * rows.matrix.values[j * 8 + i]!, 0),
      );
      // The centred form, exact in float64: Σ_j p_j ‖v_j − v̄‖².
      const truth = p.reduce(
        (sum, share, j) =>
          sum + share * mean.reduce((s, centre, i) => s + (rows.matrix.values[j * 8 + i]! - centre) ** 2, 0),
        0,
      );
      expect(maximumError([got[sample]!], [truth])).toBeLessThan(DISTANCES);
    });
  });

  test("V = I", async () => {
    const got = await formOf(crossEntropy, scores, unitRows(classes));
    scores.forEach((row, sample) => {
      const p = softmax(Float32Array.from(row));
      // Σ_j p_j (1 − p_j) = Σ_{j≠k} p_j p_k: the likeliest class with the rest, twice, and the rest among themselves.
      const top = p.indexOf(Math.max(...p));
      const rest = p.reduce((sum, share, j) => (j === top ? sum : sum + share), 0);
      const truth =
        rest * p[top]! + p.reduce((sum, share, j) => (j === top ? sum : sum + share * (p[top]! + rest - share)), 0);
      expect(maximumError([got[sample]!], [truth])).toBeLessThan(DISTANCES);
    });
  });
});

test("squared errors: 2·weight·‖V‖², whatever the outputs", async () => {
  const rows = rowsOf(3, 4, 9);
  const whole = norm(rows.matrix.values) ** 2;
  const scores = [
    [1, 2, 3],
    [-5, 0, 7],
  ];
  expect(maximumError(await formOf(squaredErrorSum, scores, rows), [2 * whole, 2 * whole])).toBeLessThan(ROUNDING);
  expect(maximumError(await formOf(squaredErrorMean, scores, rows), [(2 / 3) * whole, (2 / 3) * whole])).toBeLessThan(
    ROUNDING,
  );
  expect([...(await formOf(squaredErrorMean, scores, unitRows(3)))]).toEqual([2, 2]);
});
