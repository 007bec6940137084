import { gradientSketch } from "../../calculus/gradient-sketch.ts";
import { pullBack } from "../../calculus/vjp.ts";
import type { ValueId } from "../../graph/graph.ts";
import type { Layer } from "../../graph/layers.ts";
import { reshape } from "../../graph/operators.ts";
import type { RuntimeArray } from "../../runtime/session.ts";
import { RandomStream } from "../../statistics/random.ts";
import { SAMPLE_WEIGHTS } from "../names.ts";
import type { Prepared } from "../prepare.ts";
import type { ResultRow, Warning } from "../result.ts";
import type { Observation, Seen } from "./observation.ts";

/** The mean gradient counts as more than the samples' scatter from three standard errors on. */
const SIGNIFICANT = 3;
/**
 * The relative perturbation δ of the features below which the slope moves the loss more than the curvature does. At a minimum it is
 * 0; of LeNet5 with random weights it is 0.4 to 0.8.
 */
const NOTABLE = 0.1;

/** Sums over the samples of one layer's sketches. */
interface Sums {
  readonly sum: Float64Array;
  squares: number;
}

/**
 * The gradient at each layer against its curvature, as perturbed features see them: with G = Wᵀ∂R/∂W a random rotation of the features
 * by the fraction δ moves the mean loss R by δ‖G‖/√m (root mean square) to first order, and by δ²κ/(2m) on average to second. They are
 * equal at δ = 2√m‖G‖/κ, which no rescaling of layers or of the layer's neurons changes.
 *
 * Cost: the loss pulled back once.
 */
export function observeGradient(prepared: Prepared, layers: readonly Layer[], seed: number): Observation {
  const { b, batch, loss, scores, labels } = prepared;
  const weights = b.input(SAMPLE_WEIGHTS, "float32", [batch]);
  const targets = layers.flatMap(({ uses }) => uses.map((use) => use.preactivation));
  const each = reshape(b, weights, [1, batch]);
  const pulled = pullBack(b, new Map([[loss.perSample(b, scores, labels), each]]), targets, 1);
  const values = new Map<string, ValueId>();
  const sums = new Map<Layer, Sums>();
  for (const layer of layers) {
    if (!layer.uses.some(({ preactivation }) => pulled.has(preactivation))) continue;
    const { sum, squares } = gradientSketch(b, layer, pulled, new RandomStream(seed, `gradient ${layer.name}`));
    values.set(sumKey(layer), sum);
    values.set(squaresKey(layer), squares);
    sums.set(layer, { sum: new Float64Array(b.dims(sum)[0] as number), squares: 0 });
  }
  let n = 0;
  return {
    values,
    add(outputs, count) {
      n += count;
      for (const [layer, known] of sums) {
        const own = (outputs.get(sumKey(layer)) as RuntimeArray).data as Float32Array;
        own.forEach((value, place) => (known.sum[place] = (known.sum[place] as number) + value));
        const [squares = 0] = (outputs.get(squaresKey(layer)) as RuntimeArray).data as Float32Array;
        known.squares += squares;
      }
    },
    warnings: ({ results, meanTerms }: Seen) =>
      [...sums].flatMap(([layer, known]) => {
        const isKappa = (row: ResultRow) => row.layer === layer.name && row.measure === "relative-flatness";
        const row = results.find(isKappa);
        if (!row) return [];
        const kappa = row.options["perFeature"] === true ? layer.m * row.value : row.value;
        return warningOf(layer, kappa, known, n, meanTerms);
      }),
  };
}

function sumKey({ name }: Layer): string {
  return `flatness/gradient ${name}`;
}

function squaresKey({ name }: Layer): string {
  return `flatness/squared gradient ${name}`;
}

function warningOf({ name, m }: Layer, kappa: number, { sum, squares }: Sums, n: number, terms: number): Warning[] {
  if (n < 2) return [];
  // Of the mean over samples: its squared length, and what of that is the samples' scatter.
  const length = sum.reduce((total, value) => total + (value / n) ** 2, 0);
  const scatter = (squares / n - length) / (n - 1);
  if (!(length > SIGNIFICANT ** 2 * scatter)) return [];
  const gradient = Math.sqrt(length - scatter) / terms;
  const equal = (2 * Math.sqrt(m) * gradient) / kappa;
  if (kappa > 0 && equal < NOTABLE) return [];
  const below = kappa > 0 ? `up to δ of about ${equal.toPrecision(1)}` : "at every δ, as κ is not positive";
  const text = `the network is not at a minimum of the loss on these data: perturbing the layer's features by the fraction δ, the gradient moves the loss more than the curvature does ${below}`;
  return [{ code: "gradient-not-small", layer: name, text }];
}
