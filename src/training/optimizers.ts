import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, div, mul, sqrt, square, sub } from "../graph/operators.ts";
import type { Recipe } from "./recipe.ts";

type Settings = Recipe["optimizer"];

/** The values that an update is made of: vectors [P], and numbers that may change from step to step. */
export interface Update {
  readonly weights: ValueId;
  readonly gradient: ValueId;
  slot(name: string): ValueId;
  number(name: string): ValueId;
}

/**
 * An optimizer's rule, elementwise on the vector of all parameters, as PyTorch has it. Hyperparameters are inputs of the graph, so
 * that runs which differ in them alone share one.
 */
export interface Optimizer {
  /** Equal for optimizers with the same graph. */
  readonly key: string;
  /** Vectors that it keeps between steps, zero at first. */
  readonly slots: readonly string[];
  readonly numbers: readonly string[];
  /** The numbers at step t = 1, 2, …, made in float64. */
  numbersAt(step: number, learningRate: number): Record<string, number>;
  update(b: Builder, at: Update): { weights: ValueId; slots: Record<string, ValueId> };
}

export function optimizerOf(settings: Settings): Optimizer {
  switch (settings.name) {
    case "sgd":
      return sgd(settings);
    case "adam":
    case "adamw":
      return adam(settings);
    case "rmsprop":
      return rmsprop(settings);
  }
}

/** g + λ w, where there is weight decay λ. */
function decayed(b: Builder, { weights, gradient, number }: Update, weightDecay: number): ValueId {
  return weightDecay === 0 ? gradient : add(b, gradient, mul(b, weights, number("weight-decay")));
}

/** w ← w − η g; with momentum v ← μ v + g, w ← w − η v; Nesterov's takes g + μ v. */
function sgd({ momentum, nesterov, weightDecay }: Extract<Settings, { name: "sgd" }>): Optimizer {
  return {
    key: JSON.stringify(["sgd", momentum !== 0, nesterov, weightDecay !== 0]),
    slots: momentum === 0 ? [] : ["momentum"],
    numbers: ["learning-rate", ...(momentum ? ["momentum"] : []), ...(weightDecay ? ["weight-decay"] : [])],
    numbersAt: (_, learningRate) => ({ "learning-rate": learningRate, momentum, "weight-decay": weightDecay }),
    update(b, at) {
      const { weights, slot, number } = at;
      const gradient = decayed(b, at, weightDecay);
      const velocity = momentum === 0 ? undefined : add(b, mul(b, slot("momentum"), number("momentum")), gradient);
      const ahead = () => add(b, gradient, mul(b, velocity as ValueId, number("momentum")));
      const direction = velocity === undefined ? gradient : nesterov ? ahead() : velocity;
      return {
        weights: sub(b, weights, mul(b, direction, number("learning-rate"))),
        slots: { ...(velocity !== undefined && { momentum: velocity }) },
      };
    },
  };
}

/**
 * m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², w ← w − η/(1 − β₁ᵗ) · m/(√(v/(1 − β₂ᵗ)) + ε) (Kingma and Ba 2015); AdamW's decay
 * multiplies w by 1 − ηλ instead of entering g (Loshchilov and Hutter 2019).
 */
function adam(settings: Extract<Settings, { name: "adam" | "adamw" }>): Optimizer {
  const {
    weightDecay,
    beta: [beta1, beta2],
    epsilon,
  } = settings;
  const decoupled = settings.name === "adamw";
  return {
    key: JSON.stringify([settings.name, weightDecay !== 0]),
    slots: ["first-moment", "second-moment"],
    numbers: [
      "step",
      "first-decay",
      "first-share",
      "second-decay",
      "second-share",
      "second-scale",
      "epsilon",
      ...(weightDecay === 0 ? [] : [decoupled ? "shrinkage" : "weight-decay"]),
    ],
    numbersAt: (step, learningRate) => ({
      step: learningRate / (1 - beta1 ** step),
      "first-decay": beta1,
      "first-share": 1 - beta1,
      "second-decay": beta2,
      "second-share": 1 - beta2,
      "second-scale": 1 / Math.sqrt(1 - beta2 ** step),
      epsilon,
      shrinkage: 1 - learningRate * weightDecay,
      "weight-decay": weightDecay,
    }),
    update(b, at) {
      const { slot, number } = at;
      const gradient = decoupled ? at.gradient : decayed(b, at, weightDecay);
      const weights = decoupled && weightDecay !== 0 ? mul(b, at.weights, number("shrinkage")) : at.weights;
      const blend = (name: string, order: string, value: ValueId) =>
        add(b, mul(b, slot(name), number(`${order}-decay`)), mul(b, value, number(`${order}-share`)));
      const first = blend("first-moment", "first", gradient);
      const second = blend("second-moment", "second", square(b, gradient));
      const size = add(b, mul(b, sqrt(b, second), number("second-scale")), number("epsilon"));
      return {
        weights: sub(b, weights, mul(b, div(b, first, size), number("step"))),
        slots: { "first-moment": first, "second-moment": second },
      };
    },
  };
}

/** v ← α v + (1 − α) g², d = g/(√v + ε), w ← w − η d; with momentum u ← μ u + d, w ← w − η u. */
function rmsprop({ momentum, weightDecay, alpha, epsilon }: Extract<Settings, { name: "rmsprop" }>): Optimizer {
  return {
    key: JSON.stringify(["rmsprop", momentum !== 0, weightDecay !== 0]),
    slots: ["second-moment", ...(momentum === 0 ? [] : ["momentum"])],
    numbers: [
      "learning-rate",
      "second-decay",
      "second-share",
      "epsilon",
      ...(momentum ? ["momentum"] : []),
      ...(weightDecay ? ["weight-decay"] : []),
    ],
    numbersAt: (_, learningRate) => ({
      "learning-rate": learningRate,
      "second-decay": alpha,
      "second-share": 1 - alpha,
      epsilon,
      momentum,
      "weight-decay": weightDecay,
    }),
    update(b, at) {
      const { weights, slot, number } = at;
      const gradient = decayed(b, at, weightDecay);
      const kept = mul(b, slot("second-moment"), number("second-decay"));
      const second = add(b, kept, mul(b, square(b, gradient), number("second-share")));
      const scaled = div(b, gradient, add(b, sqrt(b, second), number("epsilon")));
      const velocity = momentum === 0 ? undefined : add(b, mul(b, slot("momentum"), number("momentum")), scaled);
      return {
        weights: sub(b, weights, mul(b, velocity ?? scaled, number("learning-rate"))),
        slots: { "second-moment": second, ...(velocity !== undefined && { momentum: velocity }) },
      };
    },
  };
}
