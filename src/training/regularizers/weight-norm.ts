import type { Layer } from "../../graph/layers.ts";
import { add, squaredNorm } from "../../graph/operators.ts";
import type { Penalty } from "./penalty.ts";

/** Σ ‖W‖² over layers: weight decay by the loss, 2 λ w in the gradient, and not of biases. */
export function weightNormPenalty(name: string, layers: readonly Layer[]): Penalty {
  const initializers = [...new Set(layers.map(({ initializer }) => initializer))];
  return {
    name,
    key: `norm ${initializers.join(" ")}`,
    reads: [],
    sweeps: false,
    signs: new Map(),
    value: ({ b }) => initializers.map((weight) => squaredNorm(b, weight, 0)).reduce((sum, each) => add(b, sum, each)),
  };
}
