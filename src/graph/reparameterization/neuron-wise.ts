import { UsageError } from "../../errors.ts";
import type { LayerScales } from "./layer-scales.ts";
import { layerNamed } from "./layer-weight.ts";
import type { Factors, Rescalings } from "./rescalings.ts";

/** Smallest and largest factor. */
export type FactorRange = readonly [number, number];

/**
 * Factors for the neurons of some layers: row s of W (and its bias) times c_s, what reads neuron s divided by c_s. Layers
 * whose outputs are added share their factors, and so go along.
 *
 * @param rescalings by neuron
 * @param draw uniform on [0, 1); factors are uniform in their logarithm, as likely to shrink as to grow over a range a, 1/a
 * @throws UsageError for a layer that does not exist, and naming the node where what lies above its neurons is not positively
 *   homogeneous, or is not for each neuron by itself
 */
export function neuronWise(
  rescalings: Rescalings,
  names: readonly string[],
  range: FactorRange,
  draw: () => number,
): Factors {
  const { layers } = rescalings;
  const known = layers.map(({ layer }) => layer);
  const asked = names.map((name) => layerNamed(known, name));
  const chosen = layers.filter(({ layer }) => asked.includes(layer));
  for (const scales of chosen) refuse(scales, rescalings);
  return drawn(rescalings, chosen, range, draw);
}

/**
 * Factors for all neurons that can be scaled: the random element of the group of rescalings. Empty where there is none.
 *
 * @param rescalings by neuron, or by layer, whose neurons then share a factor
 */
export function everywhere(rescalings: Rescalings, range: FactorRange, draw: () => number): Factors {
  return drawn(rescalings, rescalings.layers, range, draw);
}

function drawn(
  { classes }: Rescalings,
  layers: readonly LayerScales[],
  [smallest, largest]: FactorRange,
  draw: () => number,
): Factors {
  const factors = new Map<number, number>();
  for (const scale of layers.flatMap(({ rows }) => [...rows])) {
    const root = classes.find(scale);
    if (classes.isFixed(root) || factors.has(root)) continue;
    factors.set(root, smallest * (largest / smallest) ** draw());
  }
  return factors;
}

function refuse({ layer, rows }: LayerScales, { classes }: Rescalings): void {
  const seen = new Map<number, number>();
  rows.forEach((scale, row) => {
    const why = classes.whyFixed(scale);
    if (why !== undefined) throw new UsageError(`layer ${layer.name}: its neuron ${row} cannot be rescaled: ${why}.`);
    const other = seen.get(classes.find(scale));
    if (other !== undefined) {
      const who = classes.whoJoined(rows[other] as number, scale);
      throw new UsageError(
        `layer ${layer.name}: its neurons ${other} and ${row} cannot be rescaled each by itself: ${who} joins them.`,
      );
    }
    seen.set(classes.find(scale), row);
  });
}
