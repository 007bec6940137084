import { DataError, UnsupportedOperatorError, UsageError } from "../errors.ts";
import type { LayerOptions, OpenedLayer } from "../evaluation/layer-changes.ts";
import { measureModel, type Sampled, type Subject } from "../evaluation/measure-model.ts";
import { openLayer } from "../evaluation/opened-layer.ts";
import type { Result, Warning } from "../evaluation/result.ts";
import { openTeacher, type Teacher } from "../evaluation/teacher.ts";
import { Moments } from "../runtime/moments.ts";
import type { Runtime } from "../runtime/session.ts";
import { type Average, finite } from "./averages.ts";
import { decomposition, decompositionRows } from "./decomposition.ts";
import { type Density, kernelDensity } from "./density.ts";
import { checkHeldOut } from "./held-out.ts";
import { kdeRepresentativeness, SPLITS } from "./kde-representativeness.ts";
import { checkAbove, checkDeltas } from "./measure-robustness.ts";
import type { BoundResult, BoundRow } from "./result.ts";
import type { Flatness } from "./robustness-theory.ts";
import { teacherWarnings } from "./teacher-labels.ts";
import { theoremDelta, theoremSixRows } from "./theorem-six.ts";

/** What is asked of the decomposition of the generalization gap and of the bound. */
export interface BoundOptions extends LayerOptions {
  /** A layer whose features are one vector; default the last. */
  readonly layer?: string;
  /** `auto` is n^(−1/(4+m)); `grid` shows how the parts trade off. Default auto. */
  readonly delta?: number | "auto" | "grid";
  /** σ of the kernel; default 1. */
  readonly sigma?: number;
  /** 1 − Δ; default 0.95. */
  readonly probability?: number;
  /** Vectors for each sample, and matrices; default 200. */
  readonly draws?: number;
  readonly seed?: number;
  /** A network that gives features their labels. */
  readonly teacher?: Pick<Subject, "graph" | "file">;
  /** The density of features, where it is known. Without it, an estimate up to ten dimensions. */
  readonly density?: Density;
  readonly onProgress?: (done: number, total: number) => void;
}

/** Besides auto's. */
const GRID = [0.01, 0.03, 0.1, 0.3];
/** In more dimensions a density estimate says nothing. */
const MOST_DIMENSIONS = 10;

/**
 * The generalization gap of a model taken apart in one layer's feature space (Petzka et al. 2021, eq. 5), gap = representativeness +
 * feature robustness (+ what constant labels leave out), and the terms of Theorem 6.
 *
 * @param train the data that the model was fitted to
 * @param test data that it never saw, from which E(f) is estimated
 * @throws UsageError for held-out data that is training data, and for a layer whose features are not one vector
 */
export async function measureBound(
  subject: Subject,
  train: Sampled,
  test: Sampled,
  options: BoundOptions,
  runtime: Runtime,
): Promise<BoundResult> {
  const started = performance.now();
  const { layer = "last", delta = "auto", sigma = 1, probability = 0.95, draws = 200, seed = 0 } = options;
  if (typeof delta === "number") checkDeltas([delta]);
  checkAbove("sigma", sigma);
  if (!(probability > 0 && probability < 1))
    throw new UsageError(`probability ${probability}: expected a number between 0 and 1, such as 0.95.`);
  if (draws < 2) throw new UsageError(`draws ${draws}: expected at least 2, as errors come from their spread.`);
  const opened = await openLayer(subject, train, layer, options, runtime);
  let held: OpenedLayer | undefined;
  let teacher: Teacher | undefined;
  try {
    if (opened.noVector !== undefined) throw new UsageError(opened.noVector);
    const { name, d, m } = opened.layer;
    const labels = opened.loss.classification ? (options.labels ?? "y") : undefined;
    const { seen } = await checkHeldOut(train, test, opened.arrays, labels);
    held = await openLayer(subject, test, name, options, runtime);
    if (options.teacher) {
      const session = { provider: options.provider ?? "cpu", threads: options.threads ?? runtime.cores };
      teacher = await openTeacher(options.teacher, m, opened.loss.classification, runtime, session);
    }
    const { result, flatness } = await flatnessOf(subject, train, options, name, runtime);
    const [onTrain, onTest] = [await risk(opened), await risk(held)];
    const { n } = opened;
    const auto = theoremDelta(n, m);
    const deltas = delta === "grid" ? [...GRID, auto].sort((a, b) => a - b) : [delta === "auto" ? auto : delta];
    const rows: BoundRow[] = gapRows(onTrain, onTest);
    let zeroFeatures = 0;
    const label = teacher?.label.bind(teacher);
    const disagreements = label ? await teacherWarnings(opened, label) : [];
    for (const [index, each] of deltas.entries()) {
      const parts = await decomposition(opened, onTrain.mean, onTest, flatness, {
        delta: each,
        sigma,
        draws,
        seed,
        ...(label && { labelFunction: label }),
        onProgress: (done, total) => options.onProgress?.(index * total + done, deltas.length * total),
      });
      ({ zeroFeatures } = parts);
      rows.push(...decompositionRows(parts, teacher !== undefined));
    }
    const largestLoss = Math.max(onTrain.largest, onTest.largest);
    const features = await allFeatures(opened);
    rows.push(densityRow(features, m, seed));
    const density = options.density ?? (await estimatedDensity(features, m));
    rows.push(...(await theoremSixRows({ n, m, sigma, probability, largestLoss, flatness, density, seed })));
    const { model, data, loss, warnings, environment } = result;
    return {
      schema: 1,
      kind: "bound",
      model,
      data,
      test: dataOf(test),
      loss,
      layer: { name, d, m },
      sigma,
      probability,
      draws,
      teacher: options.teacher?.file ?? null,
      zeroFeatures,
      rows,
      warnings: [...warnings, ...disagreements, ...warningsOf(seen, test, teacher !== undefined)],
      environment: { ...environment, seed },
      seconds: { total: (performance.now() - started) / 1000 },
    };
  } finally {
    await opened.close();
    await held?.close();
    await teacher?.close();
  }
}

/** The mean loss, its errors, and the largest loss of a sample. */
async function risk(opened: OpenedLayer): Promise<Average & { readonly largest: number }> {
  const moments = new Moments();
  let largest = 0;
  for await (const batch of opened.batches()) {
    (await batch.losses()).forEach((value, index) => {
      moments.add(value, batch.terms[index]!);
      largest = Math.max(largest, value / batch.terms[index]!);
    });
  }
  return { mean: moments.mean, drawError: null, dataError: finite(moments.standardError), largest };
}

function gapRows(train: Average, test: Average): BoundRow[] {
  const shared = { delta: null } as const;
  return [
    {
      ...shared,
      quantity: "empirical risk",
      value: train.mean,
      standardError: null,
      status: "exact",
      note: "mean loss on the training data",
    },
    {
      ...shared,
      quantity: "E(f)",
      value: test.mean,
      standardError: test.dataError,
      status: "estimated",
      note: "mean loss on the held-out data",
    },
    {
      ...shared,
      quantity: "gap",
      value: test.mean - train.mean,
      standardError: test.dataError,
      status: "estimated",
      note: "E(f) less the empirical risk",
    },
  ];
}

async function flatnessOf(
  subject: Subject,
  sampled: Sampled,
  { onProgress: _, teacher: __, delta: ___, density: ____, draws: _____, ...options }: BoundOptions,
  layer: string,
  runtime: Runtime,
): Promise<{ result: Result; flatness: Flatness | undefined }> {
  const measure = (name: string) =>
    measureModel(subject, sampled, { ...options, layers: [layer], measures: [name] }, runtime);
  try {
    const { result } = await measure("relative-flatness");
    const row = result.results.find((each) => each.measure === "relative-flatness");
    return { result, flatness: row && { value: row.value, probeError: row.standardError?.probe ?? 0 } };
  } catch (error) {
    // What has no derivative can still be taken apart.
    if (!(error instanceof UnsupportedOperatorError)) throw error;
    return { result: (await measure("squared-weight-norm")).result, flatness: undefined };
  }
}

/** φ of all samples, [n, m]. */
async function allFeatures(opened: OpenedLayer): Promise<Float32Array> {
  const all = new Float32Array(opened.n * opened.layer.m);
  for await (const batch of opened.batches()) all.set(await batch.features(), batch.start * opened.layer.m);
  return all;
}

function densityRow(features: Float32Array, m: number, seed: number): BoundRow {
  const found = kdeRepresentativeness(features, m, seed);
  return {
    quantity: "kde-representativeness",
    delta: null,
    value: found?.value ?? null,
    standardError: found?.error ?? null,
    status: "estimated",
    note: found
      ? `error of a density estimate of φ on ${SPLITS} random splits, in nats; no part of the gap`
      : "cannot be had: fewer than four samples, or features that do not vary",
  };
}

/** A density estimate of the features, or why there is none. */
async function estimatedDensity(features: Float32Array, m: number): Promise<Density | string> {
  if (m > MOST_DIMENSIONS)
    return `the density of ${m} features is not known, and can be estimated up to ${MOST_DIMENSIONS}`;
  try {
    return await kernelDensity(features, m);
  } catch (error) {
    if (error instanceof DataError) return error.message;
    throw error;
  }
}

function dataOf({ data, indices, description }: Sampled): Result["data"] {
  return {
    source: data.source,
    sha256: data.sha256,
    n: indices.length,
    ...(data.split !== undefined && { split: data.split }),
    ...(data.preprocess !== "" && { preprocess: data.preprocess }),
    samples: description,
  };
}

function warningsOf(seen: number, test: Sampled, known: boolean): Warning[] {
  const warnings: Warning[] = [];
  if (seen > 0) {
    warnings.push({
      code: "held-out-seen",
      text: `${seen} of the ${test.indices.length} held-out samples are in the training data: E(f) is estimated too low`,
    });
  }
  if (!known) {
    warnings.push({
      code: "labels-unknown",
      text: "the labels of moved features are not known, and each sample's own was taken: what is called representativeness holds the label term, and that the parts make the gap is an identity, no evidence",
    });
  }
  return warnings;
}
