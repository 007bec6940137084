import { obstacle } from "../calculus/above.ts";
import { DataError, ModelError } from "../errors.ts";
import { fuse } from "../graph/fusion.ts";
import type { Graph } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import type { HalfPrecision } from "../graph/widening.ts";
import { defaultMeasures, measuresNamed } from "../measures/catalog.ts";
import { generalizationGap } from "../measures/generalization-gap.ts";
import { directionCount } from "../measures/layer-curvature.ts";
import type { Form, Task } from "../measures/measure.ts";
import type { Runtime } from "../runtime/session.ts";
import { version } from "../version.ts";
import type { Source } from "./batches.ts";
import { bindInputs } from "./binding.ts";
import { checkMeasurable, checkWeights } from "./checks.ts";
import { chooseLayers, chooseLoss, labelField } from "./choice.ts";
import { columnsPass } from "./columns-pass.ts";
import {
  columnBatch,
  evenChunk,
  forwardBatch,
  gradientBatch,
  largestValue,
  probeBatch,
  PROBES,
  productBatch,
  sweepSize,
} from "./cost.ts";
import { featureSpreads, scalesOf, type FeatureSpread } from "./feature-deviations.ts";
import { exactHessianPass, probedHessianPass, type SweptLayer } from "./hessian-pass.ts";
import { iterate } from "./iteration.ts";
import { CORRECT, LOSS } from "./names.ts";
import { observationPass, spreadSamples } from "./observations/apart.ts";
import { observe } from "./observations/observe.ts";
import type { MeasureOptions } from "./options.ts";
import type { Pass } from "./pass.ts";
import { formsOf, planRows, type PlannedForm, type Refused } from "./plan.ts";
import { prepare, type Preparation, type Prepared } from "./prepare.ts";
import { progressOf } from "./progress.ts";
import type { PerSample, Result } from "./result.ts";
import { checkRewriting } from "./rewriting.ts";
import { finite, layerRow, perSampleOf, resultRow } from "./rows.ts";
import { runPass, type RunOptions } from "./run.ts";
import type { Sampled } from "./sampled.ts";
import { stacked, stackedBatchCount } from "./stacking.ts";
import { taskOf } from "./task.ts";
import { runTest, testSource } from "./test-data.ts";
import { Totals } from "./totals.ts";
import { UnknownShapes } from "./unknown-shapes.ts";
import { warningsOf } from "./warnings.ts";

export type { Sampled } from "./sampled.ts";

/** A model to measure. */
export interface Subject {
  readonly graph: Graph;
  readonly file: string;
  readonly sha256: string;
  readonly opset: number;
  readonly precision?: HalfPrecision;
}

export interface Measurement {
  readonly result: Result;
  /** A value per sample, where they were asked for. */
  readonly perSample: readonly PerSample[];
}

/** Columns that one run takes. */
const LARGEST_COLUMN_CHUNK = 80;
const PAIRED_SAMPLES = 160;
const IGNORED = -100;

/**
 * Measures a model on data: every requested measure of every requested layer, in one pass for all that the columns of the loss
 * give, and one for each layer whose Hessian needs a sweep of its own.
 *
 * @throws ModelError, DataError, UsageError for what the user can mend; UnsupportedOperatorError when nothing that was asked for can
 *   be had for want of a derivative rule
 */
export async function measureModel(
  subject: Subject,
  sampled: Sampled,
  options: MeasureOptions,
  runtime: Runtime,
): Promise<Measurement> {
  const started = performance.now();
  const { data, indices } = sampled;
  const n = indices.length;
  const { seed = 0, provider = "cpu", threads = runtime.cores, labels = "y", signal, test, normalize } = options;
  if (n === 0) throw new DataError(`${data.source}: expected at least one sample, have none`);
  checkWeights(subject.graph, subject.file);
  const graph = fuse(subject.graph);
  const session = { provider, threads };
  const binding = bindInputs(graph, data, options.inputs);
  const field = labelField(data, labels);
  const loss = chooseLoss(field, options.loss);
  const measures = measuresNamed(options.measures ?? [...defaultMeasures, ...(test ? [generalizationGap.name] : [])]);
  const shapes = new UnknownShapes();
  const { types } = binding;
  let scales: Preparation["scales"] = new Map();
  const prepared = async (batch: number) => {
    await shapes.find(graph, binding, data, indices, batch, runtime, session);
    const { dims } = field;
    const known = (size: number) => shapes.get(size);
    return prepare({ graph, loss, labels: dims, output: options.output, scales, types, known }, batch);
  };
  const { probes = PROBES, pairedSamples = PAIRED_SAMPLES, ignoreIndex = IGNORED } = options;
  const progress = progressOf(options);
  const running: RunOptions = { runtime, session, signal, pairedSamples, onBatch: progress.onBatch };
  const sourceAt = ({ terms }: Prepared): Source => ({ data, indices, binding, loss, terms, labels, ignoreIndex });
  // Equal batches: what pads a last one is computed for nothing.
  const limit = (batch: number, of = n) => Math.min(of, options.batch ?? evenChunk(of, batch));

  const first = await prepared(1);
  const largest = largestValue(first);
  const chosen = chooseLayers(first, options.layers ?? "all");
  const spreads = new Map<string, FeatureSpread>();
  if (normalize) {
    const at = await prepared(limit(forwardBatch(largest)));
    const names = chosen.map(({ name }) => name);
    const scaled = at.layers.filter((layer) => names.includes(layer.name) && obstacle(at.above(layer)) === undefined);
    for (const [name, spread] of await featureSpreads(at, scaled, sourceAt(at), running)) spreads.set(name, spread);
    scales = scalesOf(spreads, normalize);
  }

  const plan = (at: Prepared, before?: readonly Refused[]) => {
    const layers = chooseLayers(at, options.layers ?? "all");
    const task = taskOf(at, graph, layers, options, n);
    return { at, layers, task, ...planRows(layers, measures, task, before) };
  };
  // Once to see what the methods are, once at the batch size that suits them.
  const sketch = plan(normalize ? await prepared(1) : first);
  const forms = formsOf(sketch.rows);
  const chunk = evenChunk(loss.columnCount(sketch.task.terms), LARGEST_COLUMN_CHUNK);
  const batch = limit(mainBatch(forms, loss.estimatedCount(sketch.task.terms), chunk, largest));
  const stack = shapes.found ? 1 : stackedBatchCount(sketch.at, sketch.rows, batch, n);
  const main = await prepared(stack * batch);
  const network = stack > 1 ? await prepared(batch) : main;
  const { layers, task, rows, refused } = plan(main, sketch.refused);
  checkMeasurable(main, rows, refused);
  const planned = formsOf(rows);

  const { inPassing, apart } = observe(main, rows, seed);
  const columns = async () => {
    const pass = columnsPass(main, planned, rows, inPassing, chunk, seed);
    return stack > 1 ? stacked(pass, main, rows, network) : pass;
  };
  const passes: (() => Promise<Pass>)[] = [columns];
  for (const swept of sweptLayers(planned, "taylor-exact", task)) {
    passes.push(async () => {
      const count = Math.max(...swept.forms.map((form) => directionCount(swept.layer, form, swept.mixes)));
      const { perRun, batch } = sweepSize(count, largest);
      const at = await prepared(limit(batch));
      return exactHessianPass(at, within(at, swept), perRun);
    });
  }
  for (const swept of sweptLayers(planned, "taylor-probes", task)) {
    passes.push(async () => {
      const at = await prepared(limit(probeBatch(probes, largest)));
      return probedHessianPass(at, within(at, swept), { probes, samples: n, seed });
    });
  }

  if (main.rewritten.length > 0) await checkRewriting(graph, network, binding, data, indices, runtime, session);
  let building = performance.now() - started;
  const source = sourceAt(main);
  const totals = new Totals(n, options.perSample ?? false);
  const tested = test && testSource(test, graph, source, options.inputs);
  const observed = apart.length > 0 ? spreadSamples(indices, seed) : indices.subarray(0, 0);
  progress.expect(passes.length * n + observed.length + (tested?.indices.length ?? 0));
  let loading = 0;
  for (const build of passes) {
    const begun = performance.now();
    const pass = await build();
    building += performance.now() - begun;
    loading += await runPass(pass, source, totals, running);
    progress.next(n);
  }
  if (apart.length > 0) {
    const some: Source = { ...source, indices: observed };
    loading += await runPass(observationPass(main, apart), some, totals, running);
    progress.next(observed.length);
  }

  const losses = totals.moments.get(LOSS);
  if (!losses || !Number.isFinite(losses.mean)) {
    throw new ModelError(
      `${subject.file}: the loss on ${data.source} is ${losses?.mean}; expected a finite number: are the outputs raw scores, and is the input scaled as in training?`,
    );
  }
  const onTest =
    tested &&
    (await runTest(await prepared(limit(forwardBatch(largest), tested.indices.length)), rows, tested, running));
  const { iterated, refused: unfound } = await iterate(rows, {
    task,
    source,
    seed,
    meanTerms: losses.meanTerms,
    running: { ...running, onBatch: () => undefined },
    note: progress.note,
    prepared: async () => prepared(limit(productBatch(largest))),
  });
  const correct = totals.moments.get(CORRECT);
  const finished = performance.now();
  const measured = { totals, test: onTest?.totals, n, probes, normalize, iterated };
  const found = rows.filter((row) => row.plan.kind !== "iterative" || iterated.has(row));
  const results = found.map((row) => resultRow(row, measured));
  const skipped = [...refused, ...unfound];
  const result: Result = {
    schema: 1,
    model: {
      file: subject.file,
      sha256: subject.sha256,
      opset: subject.opset,
      ...(subject.precision && { precision: subject.precision }),
      output: main.outputs.output,
      ...(main.outputs.activation && { activation: main.outputs.activation }),
    },
    data: {
      source: data.source,
      sha256: data.sha256,
      ...(data.hashed !== undefined && { hashed: data.hashed }),
      n,
      ...(data.split !== undefined && { split: data.split }),
      ...(data.preprocess !== "" && { preprocess: data.preprocess }),
      samples: sampled.description,
      ...(data.classes && { classes: data.classes }),
    },
    loss: {
      kind: loss.name,
      value: losses.mean,
      standardError: finite(losses.standardError),
      ...(correct && { accuracy: correct.mean }),
    },
    ...(onTest && { test: onTest.test }),
    layers: layers.map((layer) =>
      layerRow(layer, skipped.find((entry) => entry.layer === layer)?.reason, spreads.get(layer.name)?.still),
    ),
    results,
    ...skippedMeasures(skipped),
    warnings: warningsOf({
      observations: [...apart, ...inPassing],
      indices,
      meanTerms: losses.meanTerms,
      prepared: main,
      batch,
      rows,
      results,
      n,
      regression: loss.correct === undefined,
      iterated,
      precision: subject.precision,
      normalize,
      spreads,
    }),
    environment: { flatness: version, onnxruntime: runtime.version, provider, threads, batch, seed },
    seconds: {
      build: building / 1000,
      load: loading,
      run: (finished - started - building) / 1000 - loading,
      total: (finished - started) / 1000,
    },
  };
  return { result, perSample: perSampleOf(rows, totals) };
}

/** What cannot be had of the whole network. */
function skippedMeasures(refused: readonly Refused[]): Pick<Result, "skipped"> {
  const skipped = refused.filter(({ layer }) => layer === null);
  return skipped.length > 0
    ? { skipped: skipped.map(({ measure, reason }) => ({ measure: measure.name, reason })) }
    : {};
}

/** A layer of one instance in another, by its name. */
function within(at: Prepared, swept: SweptLayer): SweptLayer {
  return { ...swept, layer: at.layers.find((layer) => layer.name === swept.layer.name) as Layer };
}

function sweptLayers(forms: readonly PlannedForm[], method: PlannedForm["method"], task: Task): SweptLayer[] {
  const found = new Map<Layer, Form[]>();
  for (const form of forms) {
    if (form.method === method) found.set(form.layer, [...(found.get(form.layer) ?? []), form.form]);
  }
  return [...found].map(([layer, list]) => ({ layer, forms: list, mixes: task.mixes(layer) }));
}

function mainBatch(forms: readonly PlannedForm[], estimated: number, chunk: number, largest: number): number {
  const methods = forms.map((form) => form.method);
  if (methods.includes("gauss-newton-exact")) return columnBatch(chunk, largest);
  if (methods.includes("gauss-newton-probes")) return columnBatch(estimated, largest);
  return methods.every((method) => method === "closed-form") ? forwardBatch(largest) : gradientBatch(largest);
}
