import { chooseLayers } from "../../evaluation/choice.ts";
import { sketchOf } from "../layers.ts";
import { asam, type Perturbation, sam } from "../perturbation.ts";
import type { Recipe } from "../recipe.ts";
import type { Task } from "../scored.ts";
import { lastLayerFlatness } from "./last-layer-flatness.ts";
import type { Penalty } from "./penalty.ts";
import { probedFlatness } from "./probed-flatness.ts";
import { weightNormPenalty } from "./weight-norm.ts";

/** What the regularizers of a recipe do to a step. */
export interface Regularization {
  readonly penalties: readonly Penalty[];
  readonly perturbation?: Perturbation;
  /** Strengths and radii, by the names that the graphs know them by. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** @throws UsageError for a layer that does not exist or cannot be regularized so */
export function regularization(task: Task, settings: Recipe["regularizers"], seed: number): Regularization {
  const penalties: Penalty[] = [];
  const numbers: Record<string, number> = {};
  let perturbation: Perturbation | undefined;
  if (settings.length === 0) return { penalties, numbers };
  const sketch = sketchOf(task);
  for (const [index, each] of settings.entries()) {
    if (each.name === "sam" || each.name === "asam") {
      perturbation = each.name === "sam" ? sam : asam;
      numbers["sam radius"] = each.radius;
      if (each.name === "asam") numbers["asam offset"] = each.offset;
      continue;
    }
    const name = `strength ${index}`;
    numbers[name] = each.strength;
    if (each.name === "norm") {
      penalties.push(weightNormPenalty(name, chooseLayers(sketch, each.layers)));
      continue;
    }
    const [layer] = chooseLayers(sketch, each.layer === "last" ? "last" : [each.layer]) as [(typeof sketch.layers)[0]];
    const closed = sketch.above(layer).kind === "logits" && layer.uses.length === 1;
    penalties.push(closed ? lastLayerFlatness(name, layer) : probedFlatness(name, layer, seed, each.curvature));
  }
  return { penalties, numbers, ...(perturbation && { perturbation }) };
}
