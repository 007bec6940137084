import type { Layer } from "../graph/layers.ts";
import type { Measure } from "./measure.ts";

/** ‖W‖_F², biases not counted. */
export function squaredNorm(layer: Layer): number {
  let sum = 0;
  for (const value of layer.matrix()) sum += value * value;
  return sum;
}

/** ‖W‖_F², the squared Frobenius norm of a layer's weights, biases not counted. */
export const squaredWeightNorm: Measure = {
  name: "squared-weight-norm",
  symbol: "‖W‖²",
  title: "squared weight norm",
  source: "Σ w²",
  scope: "layer",
  invariances: [],
  plan: (layer) => ({ kind: "weights", value: () => squaredNorm(layer) }),
};
