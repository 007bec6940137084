import { Matrix, QrDecomposition } from "ml-matrix";
import { describe, expect, test } from "vitest";
import { HaarOrthogonal } from "../../src/statistics/haar-orthogonal.ts";
import { RandomStream } from "../../src/statistics/random.ts";

/** Sums of some hundred products in float64. */
const ROUNDING = 1e-12;
const STANDARD_ERRORS = 4;

const identity = (m: number) => Float64Array.from({ length: m * m }, (_, k) => Number(k % (m + 1) === 0));

describe("a Haar-orthogonal matrix", () => {
  test.each([1, 2, 3, 32, 101])("is orthogonal, and O φ is what W O is of (m = %i)", (m) => {
    const stream = new RandomStream(5, "orthogonal");
    const orthogonal = new HaarOrthogonal(stream, m);
    const whole = new Matrix([...chunks(orthogonal.afterRows(identity(m)), m)]);
    const product = whole.mmul(whole.transpose()).sub(Matrix.eye(m));
    expect(Math.max(...product.to1DArray().map(Math.abs))).toBeLessThan(ROUNDING);
    const features = Float64Array.from({ length: 3 * m }, () => stream.normal());
    const expected = new Matrix([...chunks(features, m)]).mmul(whole.transpose()).to1DArray();
    const found = orthogonal.ofRows(features);
    expected.forEach((value, index) => expect(Math.abs(found[index]! - value)).toBeLessThan(ROUNDING));
  });

  test("has the moments of the Haar measure, by the same count as QR with its signs mended", () => {
    const m = 4;
    const draws = 40_000;
    const stream = new RandomStream(6, "orthogonal");
    const haar = () => new HaarOrthogonal(stream, m).afterRows(identity(m));
    const qr = () => {
      const { orthogonalMatrix, upperTriangularMatrix } = new QrDecomposition(
        new Matrix(Array.from({ length: m }, () => Array.from({ length: m }, () => stream.normal()))),
      );
      const signs = upperTriangularMatrix.diagonal().map(Math.sign);
      return Float64Array.from(orthogonalMatrix.mulRowVector(signs).to1DArray());
    };
    // Over O(m): E o² = 1/m, E o⁴ = 3/(m(m+2)), E o₁₁²o₂₂² = (m+1)/((m−1)m(m+2)), E of o₁₁ and of the determinant 0.
    const quantities: [string, (o: Float64Array) => number, number][] = [
      ["mean of a corner", (o) => o[0]!, 0],
      ["mean of the last corner", (o) => o[m * m - 1]!, 0],
      ["square", (o) => o[5]! ** 2, 1 / m],
      ["fourth power of a corner", (o) => o[0]! ** 4, 3 / (m * (m + 2))],
      ["fourth power of the last corner", (o) => o[m * m - 1]! ** 4, 3 / (m * (m + 2))],
      ["two squares", (o) => o[0]! ** 2 * o[5]! ** 2, (m + 1) / ((m - 1) * m * (m + 2))],
      ["trace squared", (o) => (o[0]! + o[5]! + o[10]! + o[15]!) ** 2, 1],
      ["determinant", (o) => Math.sign(determinant(o)), 0],
    ];
    for (const draw of [haar, qr]) {
      const values = quantities.map(() => [0, 0]);
      for (let index = 0; index < draws; index++) {
        const o = draw();
        quantities.forEach(([, of], k) => {
          const value = of(o);
          values[k]![0]! += value;
          values[k]![1]! += value * value;
        });
      }
      quantities.forEach(([name, , truth], k) => {
        const mean = values[k]![0]! / draws;
        const error = Math.sqrt((values[k]![1]! / draws - mean * mean) / draws);
        expect(Math.abs(mean - truth), name).toBeLessThan(STANDARD_ERRORS * error);
      });
    }
  });
});

function* chunks(values: Float64Array, m: number): Generator<number[]> {
  for (let start = 0; start < values.length; start += m) yield [...values.subarray(start, start + m)];
}

/** Of a 4 × 4 matrix, by 2 × 2 minors. */
function determinant(o: Float64Array): number {
  const minor = (r: number, a: number, b: number) => o[r + a]! * o[r + 4 + b]! - o[r + b]! * o[r + 4 + a]!;
  return (
    minor(0, 0, 1) * minor(8, 2, 3) -
    minor(0, 0, 2) * minor(8, 1, 3) +
    minor(0, 0, 3) * minor(8, 1, 2) +
    minor(0, 1, 2) * minor(8, 0, 3) -
    minor(0, 1, 3) * minor(8, 0, 2) +
    minor(0, 2, 3) * minor(8, 0, 1)
  );
}
