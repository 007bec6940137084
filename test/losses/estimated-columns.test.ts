import { describe, expect, test } from "vitest";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import { squaredErrorSum } from "../../src/losses/squared-error.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { array64, maximumError, type Array64 } from "../float64-array.ts";
import { losses64 } from "../float64-curvature.ts";
import { atScores, floats, integers, oneTermEach, termOf, termsOf } from "./at-scores.ts";
import { classScores, sixTokens, tokenLabels } from "./class-scores.ts";
import { sampleProducts, termProducts, type Columns } from "./term-products.ts";

/** float32 columns against float64, in units of the largest entry. */
const ROUNDING = 1e-6;
/** An average over independent draws lies this many of its standard errors from the truth at most, at a fixed seed. */
const STANDARD_ERRORS = 4;
const DRAWS = 2000;

const { hessian } = losses64[0]!;

/** Many draws at once: a draw is a batch of the same samples with other signs. */
async function drawn(scores: Array64, labels: readonly number[], draws: number): Promise<Columns> {
  const [samples, terms, classes] = scores.dims as [number, number, number];
  const batch = samples * draws;
  const width = crossEntropy.signCount({ terms, classes });
  const signs = new Float32Array(batch * width);
  new RandomStream(7, "columns").fillSigns(signs, 0, signs.length);
  const repeat = <T>(values: ArrayLike<T>) => Array.from({ length: draws }, () => Array.from(values)).flat();
  const { r } = await atScores(
    array64([batch, terms, classes], repeat(scores.data)),
    ({ b, scores: f, labels: y }) => ({ r: crossEntropy.estimatedColumns!(b, f, y, "signs").columns }),
    { labels: integers([batch, terms], repeat(labels)), others: { signs: floats([batch, width], signs) } },
  );
  return { dims: [crossEntropy.estimatedCount({ terms, classes }), batch, terms, classes], data: r! };
}

/** Every entry of the mean over draws against the truth. */
function expectUnbiased(products: readonly Float64Array[], truth: ArrayLike<number>): void {
  for (let entry = 0; entry < truth.length; entry++) {
    const mean = products.reduce((sum, each) => sum + each[entry]!, 0) / DRAWS;
    const variance = products.reduce((sum, each) => sum + (each[entry]! - mean) ** 2, 0) / (DRAWS - 1);
    const tolerance = STANDARD_ERRORS * Math.sqrt(variance / DRAWS) + ROUNDING;
    expect(Math.abs(mean - truth[entry]!)).toBeLessThan(tolerance);
  }
}

describe("one term", () => {
  test.each([5, 10])("%d classes: R Rᵀ averages to the Hessian over random signs", async (classes) => {
    const rows = classScores["ordinary"]!.map((row) => row.slice(0, classes));
    const columns = await drawn(oneTermEach(rows), new Array<number>(rows.length).fill(0), DRAWS);
    expect(columns.dims[0]).toBe(3);
    rows.forEach((row, sample) => {
      const products = Array.from({ length: DRAWS }, (_, draw) =>
        termProducts(columns, draw * rows.length + sample, 0),
      );
      expectUnbiased(products, hessian(Float64Array.from(row)));
    });
  });

  test("the two largest classes after the likeliest are exact: their share has no spread", async () => {
    // With three classes that have all the mass, one draw is the Hessian.
    const rows = [[9, 8.5, 8, -90, -90]];
    const columns = await drawn(oneTermEach(rows), [0], 1);
    expect(maximumError(termProducts(columns, 0, 0), hessian(Float64Array.from(rows[0]!)))).toBeLessThan(ROUNDING);
  });

  test("nothing is estimated where exact columns are as few", () => {
    const counts = (of: "estimatedCount" | "columnCount") =>
      [2, 3, 4, 5].map((classes) => crossEntropy[of]({ terms: 1, classes }));
    expect(counts("estimatedCount")).toEqual([1, 2, 3, 3]);
    expect(counts("columnCount")).toEqual([1, 2, 3, 4]);
    const outputs = { terms: 1, classes: 7 };
    expect(squaredErrorSum.estimatedCount(outputs)).toBe(squaredErrorSum.columnCount(outputs));
    expect(squaredErrorSum.signCount(outputs)).toBe(0);
  });
});

describe("several terms", () => {
  const scores = termsOf(sixTokens, 3);

  test("R Rᵀ averages to the Hessian: each term's own, nothing between terms, nothing where one does not count", async () => {
    const columns = await drawn(scores, tokenLabels, DRAWS);
    expect(columns.dims[0]).toBe(4);
    for (const sample of [0, 1]) {
      const truth = new Float64Array(12 ** 2);
      for (const term of [0, 1, 2]) {
        const index = sample * 3 + term;
        if (tokenLabels[index]! < 0) continue;
        hessian(termOf(scores, index)).forEach((entry, place) => {
          truth[(term * 4 + Math.floor(place / 4)) * 12 + term * 4 + (place % 4)] = entry;
        });
      }
      const products = Array.from({ length: DRAWS }, (_, draw) => sampleProducts(columns, draw * 2 + sample));
      expectUnbiased(products, truth);
    }
  });

  test("a term that does not count has no part in any draw", async () => {
    const columns = await drawn(scores, tokenLabels, 3);
    for (let sample = 0; sample < 6; sample++) {
      for (const term of [0, 1, 2]) {
        const touched = termProducts(columns, sample, term).some((entry) => entry !== 0);
        expect(touched).toBe(tokenLabels[(sample % 2) * 3 + term]! >= 0);
      }
    }
  });

  test("as many signs as probes have classes and terms", () => {
    expect(crossEntropy.signCount({ terms: 3, classes: 4 })).toBe(48);
    expect(crossEntropy.estimatedCount({ terms: 2, classes: 2 })).toBe(2);
    expect(crossEntropy.columnCount({ terms: 2, classes: 2 })).toBe(2);
  });
});
