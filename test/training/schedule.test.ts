import { describe, expect, test } from "vitest";
import type { RecipeInput } from "../../src/training/recipe.ts";
import { resolved } from "../../src/training/recipe-text.ts";
import { scheduleOf } from "../../src/training/schedule.ts";

/** Learning rates of all steps, 0.8 at the peak, 2 steps an epoch. */
function rates(schedule: RecipeInput["schedule"], epochs: number): number[] {
  const recipe = resolved({
    model: { name: "mlp" },
    data: { source: "a.npz" },
    optimizer: { name: "sgd", learningRate: 0.8 },
    schedule,
    stop: { epochs },
  });
  return Array.from({ length: 2 * epochs }, (_, step) => scheduleOf(recipe, 2)(step));
}

describe("learning rates by hand", () => {
  // cos(π/4) = √½: half a cosine at a fourth and at three fourths.
  const [high, low] = [(1 + Math.SQRT1_2) / 2, (1 - Math.SQRT1_2) / 2];
  const cases: readonly (readonly [string, RecipeInput["schedule"], number, number[]])[] = [
    ["constant", { name: "constant" }, 2, [0.8, 0.8, 0.8, 0.8]],
    // The first step has a fourth of the rate and not none of it.
    ["warm-up over two epochs", { name: "constant", warmUp: 2 }, 3, [0.2, 0.4, 0.6, 0.8, 0.8, 0.8]],
    ["warm-up over half an epoch", { name: "constant", warmUp: 0.5 }, 1, [0.8, 0.8]],
    ["a drop every epoch", { name: "step", every: 1, factor: 0.5 }, 3, [0.8, 0.8, 0.4, 0.4, 0.2, 0.2]],
    ["a drop every two epochs, a tenth", { name: "step", every: 2 }, 3, [0.8, 0.8, 0.8, 0.8, 0.08, 0.08]],
    ["cosine", { name: "cosine" }, 2, [0.8, 0.8 * high, 0.4, 0.8 * low]],
    ["cosine to a share", { name: "cosine", final: 0.5 }, 2, [0.8, 0.4 + 0.4 * high, 0.6, 0.4 + 0.4 * low]],
    // The cosine begins where the warm-up ends, and spans the rest.
    ["cosine after warm-up", { name: "cosine", warmUp: 1 }, 3, [0.4, 0.8, 0.8, 0.8 * high, 0.4, 0.8 * low]],
    // 8 steps: up over steps 0 to 3, down over steps 3 to 7.
    [
      "one cycle",
      { name: "one-cycle", rise: 0.5, start: 0.25, final: 0 },
      4,
      [0.2, 0.2 + 0.6 * 0.25, 0.2 + 0.6 * 0.75, 0.8, 0.8 * high, 0.4, 0.8 * low, 0],
    ],
  ];
  test.each(cases)("%s", (_, schedule, epochs, expected) => {
    const found = rates(schedule, epochs);
    expect(found).toHaveLength(expected.length);
    found.forEach((rate, step) => expect(rate, `step ${step}`).toBeCloseTo(expected[step]!, 12));
  });
});
