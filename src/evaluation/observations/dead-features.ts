import { dependents } from "../../calculus/vjp.ts";
import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { layerAxis } from "../../graph/reparameterization/layer-scales.ts";
import type { RuntimeArray } from "../../runtime/session.ts";
import type { Prepared } from "../prepare.ts";
import type { Warning } from "../result.ts";
import type { Observation, Seen } from "./observation.ts";

/** On fewer samples a feature that was 0 on all is not known to be so on others. */
const ENOUGH_SAMPLES = 30;
/** Features that a warning names before it counts. */
const MOST_NAMED = 8;

/**
 * Features of a layer, or channels, that other layers make and that are 0 on every sample and at every position: ReLU neurons that
 * died.
 *
 * Cost: a sum of the features' sizes, which the runtime adds several times faster than it finds a maximum.
 */
export function observeDeadFeatures({ b, layers: all }: Prepared, layers: readonly Layer[]): Observation {
  const made = dependents(b.nodes, new Set(all.flatMap(({ uses }) => uses.map((use) => use.preactivation))));
  const values = new Map<string, ValueId>();
  const sizes = new Map<Layer, Float32Array>();
  for (const layer of layers) {
    const uses = layer.uses.filter(({ kind, features }) => kind !== "embedding" && made.has(features));
    if (uses.length === 0 || uses.length < layer.uses.length) continue;
    uses.forEach((use, index) => {
      const rank = b.rank(use.features);
      const others = b.dims(use.features).flatMap((_, axis) => (axis === layerAxis(use, rank) ? [] : [axis]));
      const size = b.add("Abs", [use.features]);
      values.set(keyOf(layer, index), b.add("ReduceSum", [size, b.integers(others)], { keepdims: 0 }));
    });
    const width = b.dims(values.get(keyOf(layer, 0)) as ValueId)[0] as number;
    sizes.set(layer, new Float32Array(width));
  }
  let n = 0;
  return {
    values,
    add(outputs, count) {
      n += count;
      // Padding repeats a sample: no sum becomes 0 by it, nor stays 0 without it.
      for (const [layer, known] of sizes) {
        layer.uses.forEach((_, index) => {
          const { data } = outputs.get(keyOf(layer, index)) as RuntimeArray;
          known.forEach((value, place) => (known[place] = value + ((data as Float32Array)[place] as number)));
        });
      }
    },
    warnings(_: Seen): Warning[] {
      if (n < ENOUGH_SAMPLES) return [];
      return [...sizes].flatMap(([layer, known]) => {
        const dead = [...known.keys()].filter((place) => known[place] === 0);
        if (dead.length === 0) return [];
        const named = dead.slice(0, MOST_NAMED).join(", ");
        const rest = dead.length > MOST_NAMED ? `, and ${dead.length - MOST_NAMED} more` : "";
        const text = `${dead.length} of ${known.length} features are 0 on all ${n} samples: they have no share in κ and Tr(H), though their columns of W have one in ‖W‖²: ${named}${rest}`;
        return [{ code: "dead-features", layer: layer.name, text }];
      });
    },
  };
}

function keyOf({ name }: Layer, use: number): string {
  return `flatness/sizes ${use} ${name}`;
}
