import type { Layer } from "../graph/layers.ts";
import type { Iteration, Measure, Plan, Refusal, Task } from "./measure.ts";
import { noiseScale } from "./weight-noise.ts";

/** The options that noise was drawn under, where they are not the default. */
export function noiseOptions({ noise, biases }: Task): Record<string, unknown> {
  return { ...(noise !== "uniform" && { noise }), ...(biases && { biases }) };
}

/** A refusal where there is no accuracy that noise could lower, or nothing that noise could be on. */
export function withoutNoise(layers: readonly Layer[], { b, loss, parameters }: Task): Refusal | undefined {
  if (!loss.correct) return { kind: "refusal", reason: `loss ${loss.name} has no accuracy for noise to lower` };
  if (layers.length === 0) return { kind: "refusal", reason: "the model has no layer with weights" };
  for (const name of parameters) {
    const type = b.constantOf(name)?.type ?? "float32";
    if (type !== "float32")
      return { kind: "refusal", reason: `noise is put on weights in float32, ${name} is ${type}` };
  }
  return undefined;
}

/** 1/σ² with the errors of σ carried over. */
async function run(task: Task, iteration: Iteration) {
  const noise = await noiseScale(task, iteration);
  if ("kind" in noise) return noise;
  const { sigma, standardError } = noise;
  const slope = 2 / sigma ** 3;
  const errors = { data: slope * standardError.data, probe: slope * standardError.probe };
  return { value: 1 / sigma ** 2, standardError: errors, noise };
}

/**
 * 1/σ² with σ the largest standard deviation of Gaussian noise on all weights whose mean drop in accuracy is at most 0.1 (Jiang et al.
 * 2020, PAC-Bayes sharpness). Noise of standard deviation σ: published code that passes σ² for it finds √σ.
 */
export const pacBayesFlatness: Measure = {
  name: "pac-bayes-flatness",
  symbol: "1/σ²",
  title: "PAC-Bayes flatness",
  equation: "1/σ², the largest σ with acc(w) − E acc(w + σξ) ≤ 0.1, ξ standard normal",
  source: "Jiang et al. 2020, PAC-Bayes measures",
  scope: "network",
  needs: ["labels of classes"],
  exactness: "estimated",
  cost: "many passes",
  invariances: ["softmax shift (last layer)"],
  planNetwork(layers, task): Plan | Refusal {
    return (
      withoutNoise(layers, task) ?? {
        kind: "iterative",
        method: "bisection",
        curvature: null,
        run: (iteration) => run(task, iteration),
        options: noiseOptions(task),
      }
    );
  },
};
