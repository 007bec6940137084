import { weightScales } from "../calculus/scaled-features.ts";
import type { Layer } from "../graph/layers.ts";
import { withoutRule } from "./fisher-rao-norm.ts";
import type { IterativePlan, Measure } from "./measure.ts";

/** A sum of squares' root. */
function norm(values: Iterable<number>): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/** The gradient of the mean loss in one layer's W, d×m row-major: in Wσ, where features are scaled. */
export function layerGradient(layer: Layer, stored: ReadonlyMap<string, Float64Array>): Float64Array {
  const all = stored.get(layer.initializer);
  if (!all) return new Float64Array(layer.d * layer.m);
  const own = Float64Array.from(layer.places(), (place) => all[place] as number);
  if (!layer.scaling) return own;
  const scales = weightScales(layer);
  return own.map((value, place) => (scales[place] === 0 ? 0 : value / (scales[place] as number)));
}

const shared: Omit<IterativePlan, "run"> = { kind: "iterative", method: "gradient", curvature: null };

/** ‖∂R/∂W‖_F, the length of the mean loss's gradient in a layer's weights, and in all weights: near 0 at a minimum. */
export const gradientNorm: Measure = {
  name: "gradient-norm",
  symbol: "‖∇R‖",
  title: "gradient norm",
  equation: "‖∂R/∂W‖_F",
  source: "the gradient of the mean loss, backpropagated",
  scope: "layer and network",
  needs: ["derivative rules"],
  exactness: "exact",
  cost: "passes",
  invariances: ["softmax shift (last layer)"],
  plan: (layer, task) =>
    withoutRule([layer], task) ?? {
      ...shared,
      run: async ({ gradient }) => ({ value: norm(layerGradient(layer, await gradient())) }),
    },
  planNetwork(layers, task) {
    return (
      withoutRule(layers, task) ?? {
        ...shared,
        async run({ gradient }) {
          const found = await gradient();
          return { value: norm([...found.values()].map(norm)) };
        },
        ...(task.biases && { options: { biases: true } }),
      }
    );
  },
};
