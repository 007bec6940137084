import { planCurvature } from "./layer-curvature.ts";
import type { Measure } from "./measure.ts";

/** Tr(H), the trace of the empirical risk's Hessian in the weights of one layer. Changes when the layer is rescaled. */
export const hessianTrace: Measure = {
  name: "hessian-trace",
  symbol: "Tr(H)",
  title: "Hessian trace",
  source: "trace of the risk's Hessian in W",
  scope: "layer",
  invariances: ["softmax shift (last layer)"],
  plan: (layer, task) => planCurvature(layer, task, "trace"),
};
