import { UsageError } from "../errors.ts";
import { chooseLayers } from "../evaluation/choice.ts";
import { prepare, type Prepared } from "../evaluation/prepare.ts";
import { type Graph, type ValueId, type ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { findLayers } from "../graph/layers.ts";
import type { Task } from "./scored.ts";

/** Samples at which the layers are looked at: with one, the samples' axis does not show. */
const SKETCHED = 2;

/** The model of a task with its layers found. */
export function sketchOf({ graph, loss, labels, types }: Task): Prepared {
  return prepare(
    { graph, loss, labels, output: undefined, scales: new Map(), types, known: () => new Map() },
    SKETCHED,
  );
}

/** The weights of a model's layers by the layers' names. */
export function weightsOfLayers(
  graph: Graph,
  types: (batch: number) => ReadonlyMap<ValueId, ValueType>,
): ReadonlyMap<string, ValueId> {
  const { builder } = instantiate(graph, types(SKETCHED));
  return new Map(findLayers(builder).map(({ name, initializer }) => [name, initializer]));
}

/**
 * The trained parameters that a name means: all of them; the weight of the last layer or of a named one; or one by its own name.
 *
 * @param key where the recipe has the name
 * @throws UsageError for a layer that there is not, or whose weight is not trained
 */
export function namedParameters(task: Task, name: string, key: string): ValueId[] {
  const all = task.layout.entries.map((entry) => entry.name);
  if (name === "all") return all;
  if (all.includes(name)) return [name];
  const sketch = sketchOf(task);
  const [layer] = chooseLayers(sketch, name === "last" ? "last" : [name]);
  if (layer && all.includes(layer.initializer)) return [layer.initializer];
  throw new UsageError(
    `${key}: layer ${layer?.name ?? name}: its weight is not trained; trained are ${all.join(", ")}`,
  );
}
