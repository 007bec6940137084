import { arrayDataset } from "../data/array-dataset.ts";
import { syntheticProblem } from "../data/synthetic/problem.ts";
import { measureModel } from "../evaluation/measure-model.ts";
import type { Runtime } from "../runtime/session.ts";
import { contentKey } from "../store/content-key.ts";
import { RandomStream } from "../statistics/random.ts";
import { RadialKernel } from "../theory/radial-kernel.ts";
import { density, fitted, labelConstancy, representativeness, risk } from "./head-risk.ts";
import type { MeasuredValue, StudyRun } from "./study-run.ts";
import type { SyntheticTask } from "./tasks.ts";

/** σ of the kernel of the paper's eq. 6. */
const SIGMA = 1;
const LAYER = "head";
/** What is measured of each data set. */
export const SYNTHETIC_MEASURES = [
  "relative-flatness",
  "flatness-term",
  "representativeness-refitted",
  "gap-estimate",
  "kde-log-loss",
] as const satisfies readonly string[];

/**
 * A batch of synthetic data sets. Each has its own clusters and samples; a head is fitted to the features of the training samples,
 * and κ is measured by the engine through φ, where there is one. Risks are exact sums in float64. The values:
 *
 * - `relative-flatness` κ;
 * - `flatness-term` δ²E[s²]κ/2m, the second-order expected loss of the kernel's perturbation, δ = n^(−1/(4+m));
 * - `representativeness-refitted`: over random halves A, B of the training samples and a head fitted to A, its risk on B less its mean
 *   loss on A's features perturbed by the kernel, labels kept (eq. 3 with what training data alone can tell);
 * - `gap-estimate`: the two terms' sum, an estimate of the gap from training data alone (eq. 5);
 * - `kde-log-loss`: mean −log density of B under a kernel density estimate of A, the paper's practical approximation.
 */
export async function runSyntheticTask(task: SyntheticTask, runtime: Runtime): Promise<StudyRun[]> {
  const runs: StudyRun[] = [];
  for (let index = task.first; index < task.first + task.count; index++) runs.push(await run(task, index, runtime));
  return runs;
}

async function run({ make, separation }: SyntheticTask, repetition: number, runtime: Runtime): Promise<StudyRun> {
  const { head: kind, penalty, samples, testSamples, phi, seed: base, draws, splits, kind: _, ...distribution } = make;
  // Repetitions of different base seeds have nothing in common.
  const seed = base * 1_000_000 + repetition;
  const given = penalty ?? (kind === "ridge" ? 1 : 0.01);
  const problem = syntheticProblem({
    distribution: { ...distribution, separation, seed },
    phi,
    samples,
    testSamples,
    seed,
    ...(kind === "ridge" ? { ridgePenalty: given } : { logisticPenalty: given }),
  });
  const { train, test } = problem;
  const head = problem[kind];
  const arrays = Object.values(problem.arrays(train));
  const labels = kind === "ridge" ? "target" : "y";
  const data = arrayDataset({ source: "synthetic", sha256: contentKey({ make, separation, seed }) }, arrays, {
    labels,
  });
  const graph = problem.models[kind];
  const { result } = await measureModel(
    { graph, file: kind, sha256: "", opset: graph.opset },
    { data, indices: Int32Array.from({ length: train.n }, (_, index) => index), description: `all ${train.n}` },
    { layers: [LAYER], measures: ["relative-flatness"], labels, threads: 1, seed },
    runtime,
  );
  const [row] = result.results;
  const kappa = row!.value;
  const kernel = new RadialKernel(train.m, SIGMA);
  const delta = train.n ** (-1 / (4 + train.m));
  const kernelled = (name: string) => ({ kernel, delta, draws, stream: new RandomStream(seed, name) });
  const own = risk(kind, head, train);
  const unseen = risk(kind, head, test);
  const refit = (part: typeof train) => fitted(kind, part, given);
  const rep = representativeness(kind, train, refit, splits, kernelled("study representativeness"));
  const term = (delta ** 2 * kernel.secondMoment * kappa) / (2 * train.m);
  const value = (
    measure: (typeof SYNTHETIC_MEASURES)[number],
    number: number,
    errorData: number | null,
    method: string,
  ): MeasuredValue => ({
    layer: LAYER,
    measure,
    value: number,
    errorData,
    errorProbe: null,
    n: train.n,
    method,
    curvature: null,
    options: {},
    warnings: [],
  });
  const { flatness, onnxruntime, provider, threads, batch } = result.environment;
  return {
    run: `c${separation}-${String(repetition).padStart(3, "0")}`,
    epoch: null,
    settings: { separation, repetition },
    facts: {
      "train-loss": own.loss,
      "test-loss": unseen.loss,
      "generalization-gap": unseen.loss - own.loss,
      "gap-standard-error": Math.hypot(own.error, unseen.error),
      "train-accuracy": own.accuracy,
      "test-accuracy": unseen.accuracy,
      "accuracy-gap": own.accuracy - unseen.accuracy,
      "label-change-loss": labelConstancy(kind, head, train, problem.distribution, kernelled("study label constancy")),
    },
    values: [
      {
        ...value("relative-flatness", kappa, row!.standardError?.data ?? null, row!.method),
        curvature: row!.curvature,
      },
      value("flatness-term", term, null, "second-order"),
      value("representativeness-refitted", rep.value, rep.error, "splits"),
      value("gap-estimate", rep.value + term, rep.error, "splits"),
      value("kde-log-loss", density(train, splits, new RandomStream(seed, "study density")), null, "splits"),
    ],
    origin: { model: null, data: data.sha256, flatness, onnxruntime, provider, threads, batch, seed },
  };
}
