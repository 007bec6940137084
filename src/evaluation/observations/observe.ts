import { obstacle } from "../../calculus/above.ts";
import { relativeFlatness } from "../../measures/relative-flatness.ts";
import type { PlannedRow } from "../plan.ts";
import type { Prepared } from "../prepare.ts";
import { observeContradictoryLabels } from "./contradictory-labels.ts";
import { observeDeadFeatures } from "./dead-features.ts";
import { observeGradient } from "./gradient.ts";
import type { Observation } from "./observation.ts";

/** What is looked at besides what was asked for. */
export interface Observations {
  /** In the pass that every measurement has, which they cost next to nothing. */
  readonly inPassing: readonly Observation[];
  /** In a pass of their own over some of the samples. */
  readonly apart: readonly Observation[];
}

/** All that is looked at, at the layers that are measured on data. */
export function observe(prepared: Prepared, rows: readonly PlannedRow[], seed: number): Observations {
  const onData = rows.filter(({ layer, plan }) => layer !== null && plan.kind !== "weights");
  const layersOf = (list: readonly PlannedRow[]) => {
    const names = new Set(list.map(({ layer }) => layer?.name));
    return prepared.layers.filter((layer) => names.has(layer.name) && obstacle(prepared.above(layer)) === undefined);
  };
  const layers = layersOf(onData);
  const curved = layersOf(onData.filter(({ measure }) => measure === relativeFlatness));
  const seen = [observeDeadFeatures(prepared, layers), observeContradictoryLabels(prepared, layers, seed)];
  if (curved.length === 0) return { inPassing: seen, apart: [] };
  const gradient = observeGradient(prepared, curved, seed);
  // At the scores it is there without a pass through the network.
  return curved.every((layer) => prepared.above(layer).kind === "logits")
    ? { inPassing: [...seen, gradient], apart: [] }
    : { inPassing: seen, apart: [gradient] };
}
