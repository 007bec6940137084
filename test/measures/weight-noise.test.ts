import { describe, expect, test } from "vitest";
import { Builder } from "../../src/graph/builder.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import type { Accuracies, Iteration, NoiseScale, Refusal, Task } from "../../src/measures/measure.ts";
import { GRID, LEAST_MAGNITUDE, noiseScale } from "../../src/measures/weight-noise.ts";

/** P(ξ < −1.2815515655446004) = 0.1 for a standard normal ξ. */
const TENTH = 1.2815515655446004;
const STANDARD_ERRORS = 4;
const SEEDS = 20;
const DRAWS = 800;

/** One sample, right while its one weight is above 0: the mean drop under noise of deviation s is P(ξ < −w/s). */
function scaleOf(weight: number, seed: number, given: Partial<Task> = {}, copies = 1): Promise<NoiseScale | Refusal> {
  const b = new Builder();
  const parameters = Array.from({ length: copies }, (_, index) =>
    b.constant(Tensor.float32([1], [weight]), `w${index}`),
  );
  const task = { b, parameters, noise: "uniform", noiseDraws: 200, samples: copies, ...given } as unknown as Task;
  const accuracies: Accuracies = (values) =>
    Promise.resolve(Float64Array.from(parameters, (id) => Number(values.get(id)![0]! > 0)));
  const iteration = {
    seed,
    once: (_: string, make: () => Promise<unknown>) => make(),
    withAccuracies: (run: (given: Accuracies) => Promise<unknown>) => run(accuracies),
  } as unknown as Iteration;
  return noiseScale(task, iteration);
}

async function seeds(weight: number, given: Partial<Task> = {}, copies = 1): Promise<NoiseScale[]> {
  const found: NoiseScale[] = [];
  for (let seed = 0; seed < SEEDS; seed++) found.push((await scaleOf(weight, seed, given, copies)) as NoiseScale);
  return found;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const spread = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / (values.length - 1));

describe("σ where the drop is a tenth, known in closed form", () => {
  test.each([
    ["uniform", 1, 1 / TENTH],
    ["uniform", 0.02, 0.02 / TENTH],
    ["magnitude-aware", 1, Math.sqrt(TENTH ** -2 - LEAST_MAGNITUDE ** 2)],
    ["magnitude-aware", 0.02, Math.sqrt(TENTH ** -2 - (LEAST_MAGNITUDE / 0.02) ** 2)],
  ] as const)("%s noise on a weight of %d", async (noise, weight, sigma) => {
    const found = (await seeds(weight, { noise, noiseDraws: DRAWS })).map((scale) => scale.sigma);
    const error = spread(found) / Math.sqrt(SEEDS);
    expect(Math.abs(mean(found) - sigma)).toBeLessThan(STANDARD_ERRORS * error + (GRID - 1) * sigma);
    // The drop of one draw has variance 0.09, and the slope of the drop is φ(TENTH)·TENTH/σ: the error is 1.05 % of σ, seen to 16 %.
    expect(error).toBeLessThan(0.02 * sigma);
  });

  test("the error over draws is what seeds differ by", async () => {
    // Twenty samples with a weight each, so that draws differ little and the slope is well known.
    const found = await seeds(1, { noiseDraws: 20 }, 20);
    const said = mean(found.map(({ standardError }) => standardError.probe));
    const seen = spread(found.map(({ sigma }) => sigma));
    // The spread of 20 has a relative error of 16 %.
    expect(said / seen).toBeGreaterThan(0.5);
    expect(said / seen).toBeLessThan(2);
  });

  test("the drop at σ is at most a tenth, and σ is the largest on the grid", async () => {
    const { sigma, drop, draws } = (await scaleOf(1, 3)) as NoiseScale;
    expect(drop).toBeLessThanOrEqual(0.1 + 1e-9);
    expect(drop).toBeGreaterThan(0.08);
    expect(draws).toBe(200);
    const wider = (await scaleOf(1 / GRID ** 4, 3)) as NoiseScale;
    expect(wider.sigma).toBeLessThan(sigma);
  });

  test("the same seed gives the same σ", async () => {
    expect(await scaleOf(1, 5)).toEqual(await scaleOf(1, 5));
    expect(((await scaleOf(1, 6)) as NoiseScale).sigma).not.toBe(((await scaleOf(1, 5)) as NoiseScale).sigma);
  });
});

test("accuracy that no noise lowers", async () => {
  // Wrong from the start.
  expect(await scaleOf(-1, 0)).toEqual({
    kind: "refusal",
    reason: "no noise on the weights lowers the accuracy by 0.1",
  });
});
