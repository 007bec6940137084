import type { Recipe } from "./recipe.ts";

/** The learning rate of step t = 0, 1, … */
export type Schedule = (step: number) => number;

/** @param stepsPerEpoch of the training data; the cycles of cosine and one-cycle span all epochs that the recipe allows */
export function scheduleOf({ schedule, optimizer, stop }: Recipe, stepsPerEpoch: number): Schedule {
  const peak = optimizer.learningRate;
  const total = stop.epochs * stepsPerEpoch;
  if (schedule.name === "one-cycle") {
    const { rise, start, final } = schedule;
    // The first step has the first rate and the last step the last.
    const top = rise * total - 1;
    return (step) =>
      peak *
      (step < top ? between(start, 1, step / top) : between(1, final, (step - top) / Math.max(1, total - 1 - top)));
  }
  const warm = schedule.warmUp * stepsPerEpoch;
  const shape = (step: number) => {
    if (schedule.name === "step") return schedule.factor ** Math.floor(step / stepsPerEpoch / schedule.every);
    if (schedule.name === "cosine") return between(1, schedule.final, (step - warm) / Math.max(1, total - warm));
    return 1;
  };
  return (step) => peak * (step < warm ? (step + 1) / warm : shape(step));
}

/** From one value to another along half a cosine. */
function between(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, Math.max(0, share))))) / 2;
}
