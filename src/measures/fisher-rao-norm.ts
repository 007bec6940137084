import { derivativeAlong } from "../calculus/directional-derivative.ts";
import { square } from "../graph/operators.ts";
import type { Layer } from "../graph/layers.ts";
import type { Measure, Refusal, SampleMean, Task } from "./measure.ts";

/** factor · √(mean of squares), and its standard error by the first-order rule. A sample's number is over its mean number of terms. */
export function rootMeanSquare({ mean, standardError, meanTerms }: SampleMean, factor: number) {
  const value = factor * Math.sqrt(mean / meanTerms);
  // At zero every sample is zero.
  return { value, standardError: mean === 0 ? 0 : (value * standardError) / (2 * mean) };
}

/** A refusal where a derivative through some layer cannot be had. */
export function withoutRule(layers: readonly Layer[], task: Task): Refusal | undefined {
  for (const layer of layers) {
    const above = task.above(layer);
    if (above.kind !== "unsupported") continue;
    const reason = `no derivative rule for operator ${above.op} of node ${above.node} above layer ${layer.name}`;
    return { kind: "refusal", reason };
  }
  return undefined;
}

/**
 * √(mean_i ⟨θ, ∇_θ ℓ_i⟩²), the Fisher-Rao norm (Liang, Poggio, Rakhlin, Stokes 2019, Definition 2, with the data's own labels), θ all
 * weight matrices, or with `biases` these too. By a derivative along θ, so that any network has it; the closed form of their Theorem
 * 3.1 is a measure of its own. Of a sample with several loss terms ℓ_i is the sum over them by their mean number.
 */
export const fisherRaoNorm: Measure = {
  name: "fisher-rao-norm",
  symbol: "‖θ‖_FR",
  title: "Fisher–Rao norm",
  equation: "√( (1/n) Σ_i ⟨θ, ∇_θ ℓ_i⟩² ), θ all weight matrices",
  source: "Liang et al. 2019, Definition 2",
  scope: "network",
  needs: ["derivative rules"],
  exactness: "exact",
  cost: "passes",
  invariances: [
    "layer-wise rescaling",
    "neuron-wise rescaling of its outputs",
    "neuron-wise rescaling of its inputs",
    "softmax shift (last layer)",
  ],
  planNetwork(layers, task) {
    const { parameters, biases } = task;
    return (
      withoutRule(layers, task) ?? {
        kind: "samples",
        method: "directional-derivative",
        emit: (b, scored) => square(b, derivativeAlong(b, scored, parameters)),
        finish: (data) => rootMeanSquare(data, 1),
        ...(biases && { options: { biases } }),
      }
    );
  },
};
