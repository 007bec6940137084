import type { Builder } from "../graph/builder.ts";
import type { ValueId } from "../graph/graph.ts";
import { add, div, mul, sqrt } from "../graph/operators.ts";

/** Where a sharpness-aware step takes its gradient. */
export interface Perturbation {
  readonly key: string;
  /** @param weights [P] @param gradient at them */
  point(b: Builder, weights: ValueId, gradient: ValueId, number: (name: string) => ValueId): ValueId;
}

const TINY = 1e-12;

function length(b: Builder, vector: ValueId): ValueId {
  return add(b, sqrt(b, b.add("ReduceSumSquare", [vector, b.integers([0])], { keepdims: 0 })), b.scalar(TINY));
}

/** w + ρ g/‖g‖ (Foret et al. 2021). */
export const sam: Perturbation = {
  key: "sam",
  point: (b, weights, gradient, number) =>
    add(b, weights, mul(b, gradient, div(b, number("sam radius"), length(b, gradient)))),
};

/** w + ρ T² g/‖T g‖ with T = |w| + η of each parameter: unchanged when parameters are rescaled (Kwon et al. 2021). */
export const asam: Perturbation = {
  key: "asam",
  point(b, weights, gradient, number) {
    const scale = add(b, b.add("Abs", [weights]), number("asam offset"));
    const scaled = mul(b, scale, gradient);
    const factor = div(b, number("sam radius"), length(b, scaled));
    return add(b, weights, mul(b, mul(b, scale, scaled), factor));
  },
};
