import { lossPlan } from "./loss.ts";
import type { Measure } from "./measure.ts";

/**
 * The mean loss on test data less that on the data: an estimate of the generalization gap where the latter is what the network was
 * trained on. The two standard errors add up as of independent samples.
 */
export const generalizationGap: Measure = {
  name: "generalization-gap",
  symbol: "R_test − R",
  title: "generalization gap",
  equation: "R_test − R",
  source: "mean loss on --test less mean loss on --data",
  scope: "network",
  needs: ["test data"],
  exactness: "exact",
  cost: "passes",
  invariances: [
    "layer-wise rescaling",
    "neuron-wise rescaling of its outputs",
    "neuron-wise rescaling of its inputs",
    "softmax shift (last layer)",
  ],
  planNetwork(_layers, { tested }) {
    if (!tested || lossPlan.kind !== "samples")
      return { kind: "refusal", reason: "expected data to test on; --test gives it" };
    return {
      ...lossPlan,
      onTest: true,
      finish(data, test) {
        if (!test) throw new TypeError("generalization-gap: the test data was not run");
        return { value: test.mean - data.mean, standardError: Math.hypot(data.standardError, test.standardError) };
      },
    };
  },
};
