import type { Score } from "./evaluate.ts";
import type { Recipe } from "./recipe.ts";

/** Why training ended. */
export type Stopped = "epochs" | "trainLoss" | "trainAccuracy" | "testAccuracy" | "gradient" | "patience";

/** What an evaluation found. */
export interface Evaluation {
  readonly train: Score;
  readonly test?: Score;
  /** Norm of the gradient that the recipe's rule is about. */
  readonly gradient?: number;
}

/** The best value of the quantity that patience is about, and the evaluations since. */
export interface Patience {
  readonly best?: number;
  readonly since: number;
}

/** The rule of the recipe that an evaluation meets, but for patience; the first in the recipe's order. */
export function ruleMet(rules: Recipe["stop"], { train, test, gradient }: Evaluation): Stopped | undefined {
  if (rules.trainLoss !== undefined && train.loss < rules.trainLoss) return "trainLoss";
  if (rules.trainAccuracy !== undefined && (train.accuracy ?? -1) >= rules.trainAccuracy) return "trainAccuracy";
  if (rules.testAccuracy !== undefined && (test?.accuracy ?? -1) >= rules.testAccuracy) return "testAccuracy";
  if (rules.gradient && gradient !== undefined && gradient < rules.gradient.below) return "gradient";
  return undefined;
}

/** Patience after one more evaluation. */
export function afterEvaluation(rule: Recipe["stop"]["patience"], before: Patience, found: Evaluation): Patience {
  if (!rule) return before;
  const { of } = rule;
  const value = of === "trainLoss" ? found.train.loss : of === "testLoss" ? found.test?.loss : found.test?.accuracy;
  if (value === undefined) return before;
  const better = before.best === undefined || (of === "testAccuracy" ? value > before.best : value < before.best);
  return better ? { best: value, since: 0 } : { best: before.best as number, since: before.since + 1 };
}
