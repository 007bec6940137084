import { obstacle } from "../../calculus/above.ts";
import { relativeFlatness } from "../../measures/relative-flatness.ts";
import type { PlannedRow } from "../plan.ts";
import type { Prepared } from "../prepare.ts";
import { observeContradictoryLabels } from "./contradictory-labels.ts";
import { observeDeadFeatures } from "./dead-features.ts";
import { observeGradient } from "./gradient.ts";
import type { Observation } from "./observation.ts";

/** All that is looked at besides what was asked for, at the layers that are measured on data. */
export function observe(prepared: Prepared, rows: readonly PlannedRow[], seed: number): Observation[] {
  const onData = rows.filter(({ layer, plan }) => layer !== null && plan.kind !== "weights");
  const layersOf = (list: readonly PlannedRow[]) => {
    const names = new Set(list.map(({ layer }) => layer?.name));
    return prepared.layers.filter((layer) => names.has(layer.name) && obstacle(prepared.above(layer)) === undefined);
  };
  const layers = layersOf(onData);
  const curved = layersOf(onData.filter(({ measure }) => measure === relativeFlatness));
  return [
    observeGradient(prepared, curved, seed),
    observeDeadFeatures(prepared, layers),
    observeContradictoryLabels(prepared, layers, seed),
  ];
}
