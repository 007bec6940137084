import { planCurvature } from "./layer-curvature.ts";
import type { Measure } from "./measure.ts";

/** Tr(H), the trace of the empirical risk's Hessian in the weights of one layer. Changes when the layer is rescaled. */
export const hessianTrace: Measure = {
  name: "hessian-trace",
  symbol: "Tr(H)",
  title: "Hessian trace",
  equation: "Tr(H), H = ∂²R/∂W∂W",
  source: "trace of the mean loss's Hessian in the layer's weights",
  scope: "layer",
  needs: ["derivative rules"],
  exactness: "exact or estimated",
  cost: "passes",
  invariances: ["softmax shift (last layer)"],
  plan: (layer, task) => planCurvature(layer, task, "trace"),
};
