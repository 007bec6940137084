import { average } from "./loss.ts";
import type { Measure } from "./measure.ts";

/** The share of samples (tokens, pixels) whose largest score is at the label; of outputs on the right side, for binary ones. */
export const accuracy: Measure = {
  name: "accuracy",
  symbol: "acc",
  title: "accuracy",
  equation: "acc = (1/n) Σ_i [argmax f(x_i) = y_i]",
  source: "the share of largest scores that are at the label",
  scope: "network",
  needs: ["labels of classes"],
  exactness: "exact",
  cost: "passes",
  invariances: [
    "layer-wise rescaling",
    "neuron-wise rescaling of its outputs",
    "neuron-wise rescaling of its inputs",
    "softmax shift (last layer)",
  ],
  planNetwork(_layers, { loss }) {
    const { correct } = loss;
    if (!correct) return { kind: "refusal", reason: `loss ${loss.name} has no accuracy` };
    return {
      kind: "samples",
      method: "forward",
      emit: (b, { scores, labels }) => correct(b, scores, labels),
      finish: average,
    };
  },
};
