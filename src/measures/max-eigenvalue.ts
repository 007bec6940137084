import { obstacle } from "../calculus/above.ts";
import type { Layer } from "../graph/layers.ts";
import { lanczos, type Ritz } from "../statistics/lanczos.ts";
import { RandomStream } from "../statistics/random.ts";
import type { CurvatureOperator, IterativeEstimate, Measure, Plan, Refusal, Task } from "./measure.ts";

/** Products at most; the residual bound says when fewer are enough. */
const STEPS = 60;
/** Relative error at which the largest eigenvalue is taken as found. */
const ACCURACY = 1e-5;

/** The largest eigenvalue of an operator, by Lanczos from a random start. */
export async function largestEigenvalue({ size, apply }: CurvatureOperator, seed: number): Promise<IterativeEstimate> {
  const found = (ritz: Ritz) => ritz.residual <= ACCURACY * Math.abs(ritz.values.at(-1) ?? 0);
  const ritz = await lanczos(apply, randomSigns(size, seed, "eigenvalue"), STEPS, found);
  const value = ritz.values.at(-1) as number;
  const warning =
    found(ritz) || ritz.steps >= size
      ? undefined
      : `${ritz.steps} products leave an error bound of ${ritz.residual.toPrecision(2)}`;
  return { value, ...(warning !== undefined && { warning }) };
}

export function randomSigns(size: number, seed: number, name: string): Float64Array {
  const stream = new RandomStream(seed, name);
  return Float64Array.from({ length: size }, () => stream.sign());
}

/** A refusal where a layer's curvature cannot be had, or its weight is also another layer's. */
export function refusalOf(layer: Layer, task: Task): Refusal | undefined {
  const reason = obstacle(task.above(layer));
  if (reason !== undefined) return { kind: "refusal", reason };
  const other = task.layers.find((known) => known !== layer && known.initializer === layer.initializer);
  if (!other) return undefined;
  return {
    kind: "refusal",
    reason: `its weight ${layer.initializer} is layer ${other.name} too, in another orientation`,
  };
}

function plan(layers: readonly Layer[], task: Task): Plan {
  return {
    kind: "iterative",
    method: "lanczos",
    curvature: task.curvature,
    run: ({ seed, withOperator }) => withOperator(layers, (operator) => largestEigenvalue(operator, seed)),
  };
}

/** λ_max(H), the largest eigenvalue of the empirical risk's Hessian in one layer's weights, or in all layers' together. */
export const maxEigenvalue: Measure = {
  name: "max-eigenvalue",
  symbol: "λ_max",
  title: "largest eigenvalue",
  equation: "λ_max(H)",
  source: "the sharpness of the optimization literature, by Lanczos",
  scope: "layer and network",
  needs: ["derivative rules"],
  exactness: "exact",
  cost: "many passes",
  invariances: ["softmax shift (last layer)"],
  plan: (layer, task) => refusalOf(layer, task) ?? plan([layer], task),
  planNetwork(layers, task) {
    const measurable = layers.filter((layer) => obstacle(task.above(layer)) === undefined);
    return measurable.length > 0 ? plan(measurable, task) : { kind: "refusal", reason: "no layer can be measured" };
  },
};
