// node --import tsx bench/time-steps.ts CASE: opens the training steps of a case; for each line, a number of steps, prints the mean seconds
// of one.
import { createInterface } from "node:readline";
import type { RecipeInput } from "../src/training/recipe.ts";
import { noiseData, recipe, TrainingSteps } from "./training-steps.ts";

export interface StepsCase {
  readonly model: RecipeInput["model"];
  readonly batch: number;
  /** Numbers of a sample that is no image. */
  readonly width?: number;
  /** Steps timed at once. */
  readonly steps: number;
}

const { model, batch, width, steps } = JSON.parse(process.argv[2] as string) as StepsCase;
const training = await TrainingSteps.open(recipe(model, batch), noiseData(batch * steps, width));
process.stdout.write('"ready"\n');
for await (const line of createInterface(process.stdin)) {
  process.stdout.write(`${await training.seconds(Number(line))}\n`);
}
await training.stop();
process.exit(0);
