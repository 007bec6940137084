import { weightScales } from "../calculus/scaled-features.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { Initial, Measure, Plan, Task } from "./measure.ts";

/** ‖W‖_F², biases not counted. */
export function squaredNorm(layer: Layer): number {
  return sumOfSquares(layer.matrix());
}

/** ‖w‖² of all weights of the network, or ‖w − w₀‖². */
export function squaredNetworkNorm({ b, parameters }: Task, initial?: Initial): number {
  return parameters.reduce((sum, id) => sum + sumOfSquares(difference(stored(b, id), initial?.values(id))), 0);
}

/** A weight as its initializer stores it. */
export function stored(b: Task["b"], initializer: ValueId): ArrayLike<number> {
  const tensor = b.constantOf(initializer);
  if (!tensor) throw new TypeError(`${initializer}: not a constant`);
  return tensor.numbers();
}

function distance(layer: Layer, { b }: Task, initial: Initial): number {
  const moved = difference(stored(b, layer.initializer), initial.values(layer.initializer));
  const scales = weightScales(layer);
  return sumOfSquares(
    Float64Array.from(layer.places(), (at, place) => (moved[at] as number) * (scales[place] as number)),
  );
}

function difference(values: ArrayLike<number>, from?: ArrayLike<number>): ArrayLike<number> {
  return from ? Float64Array.from(values, (value, place) => value - (from[place] as number)) : values;
}

function sumOfSquares(values: ArrayLike<number>): number {
  let sum = 0;
  for (let place = 0; place < values.length; place++) sum += (values[place] as number) ** 2;
  return sum;
}

/** The norm and, where there are initial weights, the distance from them. */
function plans(initial: Initial | undefined, value: (from?: Initial) => number, options?: Plan["options"]): Plan[] {
  const norm: Plan = { kind: "weights", value: () => value(), ...(options && { options }) };
  if (!initial) return [norm];
  return [norm, { kind: "weights", value: () => value(initial), options: { ...options, from: initial.file } }];
}

/**
 * ‖W‖_F², the squared Frobenius norm of a layer's weights, and of all weights of the network; with initial weights ‖W − W₀‖_F² beside it.
 * Biases are counted where they are asked for, in the network's number.
 */
export const squaredWeightNorm: Measure = {
  name: "squared-weight-norm",
  symbol: "‖W‖²",
  title: "squared weight norm",
  equation: "‖W‖_F² = Σ w², and ‖W − W₀‖_F² with --init",
  source: "Σ w²",
  scope: "layer and network",
  needs: [],
  exactness: "exact",
  cost: "weights",
  invariances: [],
  plan: (layer, task) => plans(task.initial, (from) => (from ? distance(layer, task, from) : squaredNorm(layer))),
  planNetwork: (_layers, task) =>
    plans(task.initial, (from) => squaredNetworkNorm(task, from), task.biases ? { biases: true } : undefined),
};
