import { expect, test } from "vitest";
import { headRisk } from "../../../src/data/synthetic/linear-head.ts";
import { syntheticProblem } from "../../../src/data/synthetic/problem.ts";
import { kendall } from "../../../src/statistics/correlation.ts";

const SETS = 100;
/** Kendall's τ of this many independent pairs has a standard deviation of 0.068; four of them. */
const BOUND = 4 * Math.sqrt((2 * (2 * SETS + 5)) / (9 * SETS * (SETS - 1)));

test("data sets with seeds in a row are independent: what is unrelated stays so", () => {
  const sets = Array.from({ length: SETS }, (_, seed) => {
    const {
      train,
      test: unseen,
      ridge,
    } = syntheticProblem({
      distribution: { separation: 3, seed },
      samples: 500,
      testSamples: 10_000,
      seed,
    });
    const squares = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value * value, 0);
    const kappa = (2 * squares(ridge.weights) * squares(train.features)) / train.n;
    return { kappa, gap: headRisk(ridge, unseen).squaredError - headRisk(ridge, train).squaredError };
  });
  const tau = kendall(
    sets.map(({ kappa }) => kappa),
    sets.map(({ gap }) => gap),
  );
  expect(Math.abs(tau)).toBeLessThan(BOUND);
}, 60_000);
