import type { Measure, Plan, SampleMean } from "./measure.ts";

/** The value that a pass has per sample, averaged. */
export function average({ mean, standardError }: SampleMean): { value: number; standardError: number } {
  return { value: mean, standardError };
}

export const lossPlan: Plan = {
  kind: "samples",
  method: "forward",
  emit: (b, { loss, scores, labels }) => loss.perSample(b, scores, labels),
  finish: average,
};

/** R, the mean loss over samples (tokens, pixels): the empirical risk whose Hessian the other measures are of. */
export const loss: Measure = {
  name: "loss",
  symbol: "R",
  title: "loss",
  equation: "R = (1/n) Σ_i ℓ_i",
  source: "the empirical risk under --loss",
  scope: "network",
  needs: [],
  exactness: "exact",
  cost: "passes",
  invariances: [
    "layer-wise rescaling",
    "neuron-wise rescaling of its outputs",
    "neuron-wise rescaling of its inputs",
    "softmax shift (last layer)",
  ],
  planNetwork: () => lossPlan,
};
