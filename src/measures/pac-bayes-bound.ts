import type { Initial, Iteration, Measure, Plan, Task } from "./measure.ts";
import { noiseOptions, withoutNoise } from "./pac-bayes-flatness.ts";
import { squaredNetworkNorm } from "./squared-weight-norm.ts";
import { noiseScale } from "./weight-noise.ts";

async function run(task: Task, iteration: Iteration, initial: Initial | undefined) {
  const noise = await noiseScale(task, iteration);
  if ("kind" in noise) return noise;
  const { sigma, standardError } = noise;
  const squared = squaredNetworkNorm(task, initial);
  const value = squared / (4 * sigma ** 2) + Math.log(task.samples / sigma) + 10;
  const slope = squared / (2 * sigma ** 3) + 1 / sigma;
  const errors = { data: slope * standardError.data, probe: slope * standardError.probe };
  return { value, standardError: errors, noise };
}

/**
 * ‖w‖²/(4σ²) + ln(n/σ) + 10, the complexity term of the PAC-Bayes bound in Jiang et al. 2020 with σ as in `pac-bayes-flatness`; with
 * initial weights ‖w − w₀‖² in the place of ‖w‖² beside it. It is compared between networks, not read as a bound on a risk.
 */
export const pacBayesBound: Measure = {
  name: "pac-bayes-bound",
  symbol: "PB",
  title: "PAC-Bayes bound",
  equation: "‖w‖²/(4σ²) + ln(n/σ) + 10, and the same of w − w₀ with --init",
  source: "Jiang et al. 2020, PAC-Bayes measures",
  scope: "network",
  needs: ["labels of classes"],
  exactness: "estimated",
  cost: "many passes",
  invariances: [],
  planNetwork(layers, task) {
    const refused = withoutNoise(layers, task);
    if (refused) return refused;
    if (task.noise !== "uniform") {
      const reason = "the bound is that of noise of one size for all weights; --noise uniform has it";
      return { kind: "refusal", reason };
    }
    const plan = (initial?: Initial): Plan => ({
      kind: "iterative",
      method: "bisection",
      curvature: null,
      run: (iteration) => run(task, iteration, initial),
      options: { ...noiseOptions(task), ...(initial && { from: initial.file }) },
    });
    return task.initial ? [plan(), plan(task.initial)] : [plan()];
  },
};
