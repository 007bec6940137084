import type { Layer } from "../graph/layers.ts";
import { obstacle } from "../calculus/above.ts";
import { lanczos } from "../statistics/lanczos.ts";
import { randomSigns, refusalOf } from "./max-eigenvalue.ts";
import type { Measure, Plan, Task } from "./measure.ts";

/** Random starts, and products for each. */
const STARTS = 4;
const STEPS = 40;

function plan(layers: readonly Layer[], task: Task): Plan {
  return {
    kind: "iterative",
    method: "stochastic-lanczos",
    curvature: task.curvature,
    run: ({ seed, withOperator }) =>
      withOperator(layers, async ({ size, apply }) => {
        const values: number[] = [];
        const weights: number[] = [];
        for (let start = 0; start < STARTS; start++) {
          const ritz = await lanczos(apply, randomSigns(size, seed, `density ${start}`), STEPS);
          values.push(...ritz.values);
          weights.push(...ritz.weights.map((weight) => weight / STARTS));
        }
        const order = values.map((_, index) => index).sort((a, b) => (values[a] as number) - (values[b] as number));
        const density = {
          values: order.map((index) => values[index] as number),
          weights: order.map((index) => weights[index] as number),
          size,
        };
        return { value: density.values.at(-1) as number, density };
      }),
  };
}

/**
 * The density of the Hessian's eigenvalues by stochastic Lanczos quadrature: nodes and weights that integrate like it,
 * Σ_k weight_k f(value_k) ≈ Tr f(H) / size (Ghorbani et al. 2019). The row's value is the largest node.
 */
export const spectralDensity: Measure = {
  name: "spectral-density",
  symbol: "ρ(λ)",
  title: "spectral density",
  equation: "Σ_k weight_k f(value_k) ≈ Tr f(H) / size",
  source: "stochastic Lanczos quadrature with full reorthogonalization",
  scope: "layer and network",
  needs: ["derivative rules"],
  exactness: "estimated",
  cost: "many passes",
  invariances: ["softmax shift (last layer)"],
  plan: (layer, task) => refusalOf(layer, task) ?? plan([layer], task),
  planNetwork(layers, task) {
    const measurable = layers.filter((layer) => obstacle(task.above(layer)) === undefined);
    return measurable.length > 0 ? plan(measurable, task) : { kind: "refusal", reason: "no layer can be measured" };
  },
};
