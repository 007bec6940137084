import { UsageError } from "../../errors.ts";
import { fromNumbers } from "../fold.ts";
import type { Graph, ValueId } from "../graph.ts";
import { consumers, describe, producers } from "../graph.ts";
import type { Layer } from "../layers.ts";
import type { Tensor } from "../tensor.ts";

/** Half precision has no digits to spare. */
export const rewritable: ReadonlySet<string> = new Set(["float32", "float64"]);

/**
 * The layer that a name means: its own, its initializer's or its node's.
 *
 * @throws UsageError naming the layers that there are
 */
export function layerNamed(layers: readonly Layer[], name: string): Layer {
  const found = layers.find((layer) =>
    [layer.name, layer.initializer, layer.node, `${layer.name}.weight`].includes(name),
  );
  if (found) return found;
  throw new UsageError(`layer ${name}: no such layer. The model has: ${layers.map((layer) => layer.name).join(", ")}.`);
}

/**
 * Why a layer's weight cannot be rewritten without changing something else; undefined where it can.
 *
 * @param original the model as it stands in its file, whose initializers are written
 */
export function weightObstacle(
  graph: Graph,
  original: Graph,
  layers: readonly Layer[],
  layer: Layer,
): string | undefined {
  const values = weightValues(graph, layer);
  const read = consumers(graph.nodes);
  const users = new Set(layer.uses.map((use) => use.preactivation));
  const other = layers.find((candidate) => candidate !== layer && candidate.initializer === layer.initializer);
  if (other) return `layer ${layer.name} shares its weight ${layer.initializer} with layer ${other.name}`;
  const reader = [...values]
    .flatMap((value) => read.get(value) ?? [])
    .find(({ outputs: [first = ""] }) => !values.has(first) && !users.has(first));
  if (reader) return `node ${describe(reader)} reads the weight of layer ${layer.name} too`;
  const output = graph.outputs.find(({ name }) => values.has(name));
  if (output) return `the weight of layer ${layer.name} is output ${output.name}`;
  const type = original.constants.get(layer.initializer)?.type;
  if (type !== undefined && rewritable.has(type)) return undefined;
  return `the weight of layer ${layer.name} is ${type ?? "computed"}, not float32`;
}

/** The initializer and what reshapes and transposes make of it on its way to the nodes that use it. */
export function weightValues(graph: Graph, layer: Layer): ReadonlySet<ValueId> {
  const made = producers(graph.nodes);
  const way = new Set<ValueId>([layer.initializer]);
  for (const input of layer.uses.flatMap(({ node }) => node.inputs)) {
    const steps: ValueId[] = [];
    let value: ValueId | undefined = input;
    while (value !== undefined && value !== layer.initializer) {
      steps.push(value);
      value = made.get(value)?.inputs[0];
    }
    if (value !== undefined) for (const step of steps) way.add(step);
  }
  return way;
}

/** A layer's initializer with every element of its d×m matrix changed. */
export function withMatrix(
  tensor: Tensor,
  layer: Layer,
  change: (value: number, row: number, column: number) => number,
): Tensor {
  const values = Float64Array.from(tensor.numbers());
  layer.places().forEach((place, index) => {
    values[place] = change(values[place] as number, Math.floor(index / layer.m), index % layer.m);
  });
  return fromNumbers(tensor.type, tensor.dims, values);
}
