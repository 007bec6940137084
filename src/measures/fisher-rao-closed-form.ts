import { reshape, square } from "../graph/operators.ts";
import { rootMeanSquare } from "./fisher-rao-norm.ts";
import type { Measure } from "./measure.ts";

/**
 * P · √(mean_i ⟨f_i, ∂ℓ_i/∂f⟩²), of cross-entropy P · √(mean_i (⟨p_i, f_i⟩ − f_{i,y})²): the Fisher-Rao norm of a network without
 * biases whose layers are linear and activations homogeneous, with P its number of layers with weights (Liang et al. 2019, Theorem
 * 3.1). Of any other network it is another quantity; published code has P one larger, which `prefactor` gives.
 */
export const fisherRaoClosedForm: Measure = {
  name: "fisher-rao-closed-form",
  symbol: "‖θ‖_FR,P",
  title: "Fisher–Rao norm, closed form",
  equation: "P √( (1/n) Σ_i ⟨f_i, ∂ℓ_i/∂f⟩² ), P layers with weights unless --prefactor",
  source: "Liang et al. 2019, Theorem 3.1",
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
  planNetwork(layers, { prefactor = layers.length }) {
    return {
      kind: "samples",
      method: "forward",
      emit(b, { loss, scores, labels }) {
        const [batch] = b.dims(scores) as [number];
        const along = reshape(b, scores, [1, ...b.dims(scores)]);
        return square(b, reshape(b, loss.firstOrder(b, scores, labels, along), [batch]));
      },
      finish: (data) => rootMeanSquare(data, prefactor),
      options: { prefactor },
    };
  },
};
