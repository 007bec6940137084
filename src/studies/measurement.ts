import { measureModel, type Subject } from "../evaluation/measure-model.ts";
import type { Result } from "../evaluation/result.ts";
import type { Dataset } from "../data/dataset.ts";
import type { Runtime } from "../runtime/session.ts";
import { randomTwin } from "./random-twin.ts";
import type { MeasureChoice } from "./schema.ts";
import type { MeasuredValue, Origin } from "./study-run.ts";
import type { StudyData } from "./training-data.ts";

/** One thread a task: two processes with one each are faster than one with two, and results do not depend on how many run. */
const THREADS = 1;

export interface Measured {
  readonly facts: Readonly<Record<string, number | null>>;
  readonly values: readonly MeasuredValue[];
  readonly origin: Origin;
}

/**
 * Measures a network on its training data, and its loss and accuracy on both: train-loss, test-loss, generalization-gap (test − train
 * loss) with its standard error, train-accuracy, test-accuracy, accuracy-gap (train − test).
 * With `reparameterize` the measures are of a random twin of the same function.
 */
export async function measureNetwork(
  subject: Subject,
  { train, test }: StudyData,
  choice: MeasureChoice,
  seed: number,
  runtime: Runtime,
): Promise<Measured> {
  const { reparameterize } = choice;
  const measured = reparameterize ? randomTwin(subject, train, reparameterize, seed) : subject;
  const { layers, measures, curvature, method } = choice;
  const options = {
    layers,
    measures,
    seed,
    threads: THREADS,
    ...(curvature && { curvature }),
    ...(method && { method }),
  };
  const samples = Math.min(choice.samples ?? train.n, train.n);
  const { result } = await measureModel(measured, sampled(train, samples), options, runtime);
  const whole = samples === train.n && measured === subject;
  const own = whole ? result : await lossOf(subject, train, runtime);
  const unseen = await lossOf(subject, test, runtime);
  return { facts: factsOf(own.loss, unseen.loss), values: valuesOf(result), origin: originOf(result) };
}

function sampled(data: Dataset, n: number) {
  return { data, indices: Int32Array.from({ length: n }, (_, index) => index), description: `first ${n}` };
}

/** Loss and accuracy, by a forward pass: a norm needs none of its own. */
async function lossOf(subject: Subject, data: Dataset, runtime: Runtime): Promise<Result> {
  const options = { layers: "last", measures: ["squared-weight-norm"], threads: THREADS } as const;
  return (await measureModel(subject, sampled(data, data.n), options, runtime)).result;
}

function factsOf(train: Result["loss"], test: Result["loss"]): Record<string, number | null> {
  const gapError = Math.hypot(train.standardError ?? Number.NaN, test.standardError ?? Number.NaN);
  return {
    "train-loss": train.value,
    "test-loss": test.value,
    "generalization-gap": test.value - train.value,
    "gap-standard-error": gapError,
    ...(train.accuracy !== undefined &&
      test.accuracy !== undefined && {
        "train-accuracy": train.accuracy,
        "test-accuracy": test.accuracy,
        "accuracy-gap": train.accuracy - test.accuracy,
      }),
  };
}

function valuesOf({ results, warnings }: Result): MeasuredValue[] {
  return results.map((row) => ({
    layer: row.layer,
    measure: row.measure,
    value: row.value,
    errorData: row.standardError?.data ?? null,
    errorProbe: row.standardError?.probe ?? null,
    n: row.n,
    method: row.method,
    curvature: row.curvature,
    options: row.options,
    warnings: [
      ...new Set(warnings.filter(({ layer }) => layer === undefined || layer === row.layer).map(({ code }) => code)),
    ],
  }));
}

function originOf({ model, data, environment }: Result): Origin {
  const { flatness, onnxruntime, provider, threads, batch, seed } = environment;
  return { model: model.sha256, data: data.sha256, flatness, onnxruntime, provider, threads, batch, seed };
}
