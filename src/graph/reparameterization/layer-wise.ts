import { UsageError } from "../../errors.ts";
import { layerNamed } from "./layer-weight.ts";
import type { LayerScales } from "./layer-scales.ts";
import type { Factors, Rescalings } from "./rescalings.ts";
import type { ScaleClasses } from "./scale-classes.ts";

/** Factors of decimal notation, such as 0.142857143 for 1/7, multiply to 1 up to this: float32 has no finer. */
const FLOAT32 = 2 ** -24;

/**
 * Factors that multiply whole layers: W of each named layer by its own, and every bias, mean and
 * shift by the product of the factors before it. The function stays when that product is 1 wherever something is not
 * positively homogeneous, at the outputs above all.
 *
 * @param rescalings by layer
 * @param given layer → factor
 * @throws UsageError for a layer that does not exist, a factor that is not positive, or factors whose products do not fit: naming the
 *   node where, and the factor that would do
 */
export function layerWise(rescalings: Rescalings, given: Readonly<Record<string, number>>): Factors {
  const { classes, layers } = rescalings;
  const known = layers.map(({ layer }) => layer);
  const asked = new Map(Object.entries(given).map(([name, factor]) => [layerNamed(known, name), factor]));
  for (const [layer, factor] of asked) {
    if (!(factor > 0 && Number.isFinite(factor))) {
      throw new UsageError(`layer ${layer.name}: expected a positive factor, such as 7 or 1/7, came ${factor}.`);
    }
  }
  const factors = new Map<number, number>();
  /** Whose outputs have the scale of a class. */
  const owners = new Map<number, LayerScales>();
  for (const scales of layers) {
    const { layer, rows, columns } = scales;
    const own = asked.get(layer) ?? 1;
    const [from, to] = [columns[0] as number, rows[0] as number];
    const [into, outOf] = [classes.find(from), classes.find(to)];
    const before = classes.isFixed(into) ? 1 : (factors.get(into) ?? 1);
    // What only constants make stays as it is.
    factors.set(into, before);
    const product = before * own;
    const after = Math.abs(product - 1) <= FLOAT32 ? 1 : product;
    const why = classes.whyFixed(outOf);
    const needed = why === undefined ? factors.get(outOf) : 1;
    if (needed === undefined) {
      factors.set(outOf, after);
      owners.set(outOf, scales);
    } else if (Math.abs(after / needed - 1) > FLOAT32) {
      const other = owners.get(outOf);
      const reason = why ?? meeting(classes, to, other ? other.rows[0] : from, other?.layer.name);
      throw new UsageError(
        `layer ${layer.name}: its outputs would be multiplied by ${text(after)}, expected ${text(needed)}: ${reason}. ` +
          `With ${layer.name}=${text(needed / before)} the factors on its way multiply to that.`,
      );
    }
  }
  return factors;
}

/** Where a layer's outputs meet what is scaled already. */
function meeting(classes: ScaleClasses, rows: number, other: number | undefined, name: string | undefined): string {
  const who = classes.whoJoined(rows, other ?? rows);
  return `${who} joins them with ${name === undefined ? "what it reads" : `those of layer ${name}`}`;
}

/** Short, and a fraction where it is the inverse of a whole number. */
function text(factor: number): string {
  const inverse = Math.round(1 / factor);
  if (inverse > 1 && Math.abs(factor * inverse - 1) < FLOAT32) return `1/${inverse}`;
  return String(Number(factor.toPrecision(6)));
}
