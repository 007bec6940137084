import { planCurvature } from "./layer-curvature.ts";
import type { Measure } from "./measure.ts";
import { squaredNorm } from "./squared-weight-norm.ts";

/**
 * ‖W‖_F² · Tr(H): what some papers and code call relative flatness. It bounds κ for a positive semidefinite Hessian and, unlike κ,
 * changes when single neurons are rescaled.
 */
export const normTrace: Measure = {
  name: "norm-trace",
  symbol: "‖W‖²·Tr(H)",
  title: "squared norm × trace",
  equation: "‖W‖_F² Tr(H)",
  source: "a bound of κ where the Hessian is positive semidefinite",
  scope: "layer",
  needs: ["derivative rules"],
  exactness: "exact or estimated",
  cost: "passes",
  invariances: ["layer-wise rescaling"],
  plan: (layer, task) => planCurvature(layer, task, "trace", squaredNorm(layer)),
};

/** ‖W‖_F · Tr(H), the norm not squared: `layerwise_trace` of the FAM code. Changes when the layer is rescaled. */
export const normTraceUnsquared: Measure = {
  name: "norm-trace-unsquared",
  symbol: "‖W‖·Tr(H)",
  title: "norm × trace",
  equation: "‖W‖_F Tr(H)",
  source: "layerwise_trace of the code of FAM",
  scope: "layer",
  needs: ["derivative rules"],
  exactness: "exact or estimated",
  cost: "passes",
  invariances: [],
  plan: (layer, task) => planCurvature(layer, task, "trace", Math.sqrt(squaredNorm(layer))),
};
