import { describe, expect, test } from "vitest";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Epoch } from "../../src/training/history.ts";
import type { Recipe, RecipeInput } from "../../src/training/recipe.ts";
import { afterEvaluation, type Evaluation, type Patience, ruleMet } from "../../src/training/stopping.ts";
import { train } from "../../src/training/train.ts";

const found: Evaluation = {
  train: { loss: 0.5, accuracy: 0.8 },
  test: { loss: 0.7, accuracy: 0.75 },
  gradient: 0.03,
};

function rules(given: Partial<Recipe["stop"]>): Recipe["stop"] {
  return { epochs: 10, divergence: 1000, ...given };
}

describe("a rule is met", () => {
  test.each([
    ["trainLoss", { trainLoss: 0.51 }, { trainLoss: 0.5 }],
    ["trainAccuracy", { trainAccuracy: 0.8 }, { trainAccuracy: 0.81 }],
    ["testAccuracy", { testAccuracy: 0.75 }, { testAccuracy: 0.76 }],
    ["gradient", { gradient: { below: 0.031, layer: "all" } }, { gradient: { below: 0.03, layer: "all" } }],
  ] as const)("%s, at its bound and not before", (name, met, unmet) => {
    expect(ruleMet(rules(met), found)).toBe(name);
    expect(ruleMet(rules(unmet), found)).toBeUndefined();
  });

  test("none by what was not evaluated", () => {
    const all = rules({ testAccuracy: 0, gradient: { below: 1, layer: "all" }, trainAccuracy: 0 });
    expect(ruleMet(all, { train: { loss: 3 } })).toBeUndefined();
  });
});

describe("patience counts evaluations without a better value", () => {
  const counts = (of: "trainLoss" | "testLoss" | "testAccuracy", values: readonly number[]) => {
    let patience: Patience = { since: 0 };
    return values.map((value) => {
      const score = { loss: value, accuracy: value };
      const other = { loss: 0, accuracy: 0 };
      const evaluation = of === "trainLoss" ? { train: score, test: other } : { train: other, test: score };
      patience = afterEvaluation({ of, evaluations: 3 }, patience, evaluation);
      return patience.since;
    });
  };
  test("of losses, which are to fall; an equal one is no better", () => {
    expect(counts("trainLoss", [3, 2, 2, 2.5, 1, 1.5])).toEqual([0, 0, 1, 2, 0, 1]);
    expect(counts("testLoss", [1, 2, 0.5])).toEqual([0, 1, 0]);
  });
  test("of accuracies, which are to rise", () => {
    expect(counts("testAccuracy", [0.5, 0.4, 0.5, 0.6])).toEqual([0, 1, 2, 0]);
  });
});

const recipe: RecipeInput = {
  model: { name: "mlp", hidden: [] },
  data: { source: "example:digits", split: "train", subset: 200 },
  test: { split: "test" },
  optimizer: { name: "sgd", learningRate: 0.2 },
};

async function stopped(stop: RecipeInput["stop"], more: Partial<RecipeInput> = {}) {
  const trained = await train({ ...recipe, ...more, stop }, { runtime: nodeRuntime });
  return { history: trained.history, stopped: trained.stopped };
}

/** The first epoch of which something holds, with what ended a run there. */
function first(history: readonly Epoch[], holds: (epoch: Epoch) => boolean, name: string) {
  return { stopped: name, epoch: history.find(holds)?.epoch };
}

test("each rule ends training after the first epoch that meets it", async () => {
  // A norm of the gradient is only evaluated where a rule asks for it.
  const whole = await stopped({ epochs: 16, gradient: { below: 1e-9, layer: "fc1" } });
  expect(whole.stopped).toBe("epochs");
  expect(whole.history.map(({ epoch }) => epoch)).toEqual(Array.from({ length: 16 }, (_, index) => index + 1));
  const { history } = whole;
  const at = history[9]!;
  const cases: readonly (readonly [string, RecipeInput["stop"], (epoch: Epoch) => boolean])[] = [
    ["trainLoss", { trainLoss: at.train!.loss + 1e-9 }, ({ train: own }) => own!.loss < at.train!.loss + 1e-9],
    ["trainAccuracy", { trainAccuracy: 0.8 }, ({ train: own }) => own!.accuracy! >= 0.8],
    ["testAccuracy", { testAccuracy: 0.7 }, ({ test: own }) => own!.accuracy! >= 0.7],
    [
      "gradient",
      { gradient: { below: at.gradient! + 1e-9, layer: "fc1" } },
      ({ gradient }) => gradient! < at.gradient! + 1e-9,
    ],
  ];
  for (const [name, stop, holds] of cases) {
    const ended = await stopped({ epochs: 16, ...stop });
    const expected = first(history, holds, name);
    expect(expected.epoch, name).toBeGreaterThan(1);
    expect({ stopped: ended.stopped, epoch: ended.history.at(-1)!.epoch }).toEqual(expected);
  }
}, 60_000);

test("patience ends training when the loss has not fallen for so many evaluations, every second epoch", async () => {
  // Steps so long that the loss jumps about.
  const jumping: Partial<RecipeInput> = { optimizer: { name: "sgd", learningRate: 2.5 }, evaluate: 2 };
  const whole = await stopped({ epochs: 40, divergence: 1e9 }, jumping);
  const losses = whole.history.filter(({ test: own }) => own).map((epoch) => [epoch.epoch, epoch.test!.loss] as const);
  expect(losses.map(([epoch]) => epoch % 2)).not.toContain(1);
  let [best, since, end] = [Number.POSITIVE_INFINITY, 0, 0];
  for (const [epoch, loss] of losses) {
    [best, since] = loss < best ? [loss, 0] : [best, since + 1];
    if (since === 3 && end === 0) end = epoch;
  }
  expect(end).toBeGreaterThan(0);
  const ended = await stopped({ epochs: 40, divergence: 1e9, patience: { evaluations: 3 } }, jumping);
  expect(ended.stopped).toBe("patience");
  expect(ended.history.at(-1)!.epoch).toBe(end);
}, 60_000);

test("the gradient of a rule is that of the mean loss on all training samples", async () => {
  // Batches of all samples: the norm that a step reports is that of the same gradient, one epoch later.
  const all: Partial<RecipeInput> = { batchSize: 200 };
  const { history } = await stopped({ epochs: 3, gradient: { below: 1e-9 } }, all);
  for (const [index, { gradient }] of history.slice(0, -1).entries()) {
    expect(gradient! / history[index + 1]!.gradientNorm).toBeCloseTo(1, 5);
  }
});

describe("a rule that cannot be met is refused before a step", () => {
  const cases: readonly (readonly [string, RecipeInput["stop"], RegExp, Partial<RecipeInput>])[] = [
    [
      "a layer that there is not",
      { gradient: { below: 1, layer: "fc9" } },
      /^layer fc9: no such layer\. The model has: fc1\.$/,
      {},
    ],
    [
      "an accuracy under a loss of numbers",
      { trainAccuracy: 0.9 },
      /^stop\.trainAccuracy: there is no accuracy under squared-error-sum: expected a rule about a loss$/,
      { loss: "squared-error-sum" },
    ],
  ];
  test.each(cases)("%s", async (_, stop, message, more) => {
    const begun: number[] = [];
    const options = { runtime: nodeRuntime, onBegin: (epoch: number) => begun.push(epoch) };
    await expect(train({ ...recipe, ...more, stop }, options)).rejects.toThrow(message);
    expect(begun).toEqual([]);
  });
});
