import { mixesPositions } from "../calculus/position-mixing.ts";
import type { Dataset } from "../data/dataset.ts";
import { DataError, ModelError, UnsupportedOperatorError } from "../errors.ts";
import { fuse } from "../graph/fusion.ts";
import type { Graph } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { defaultMeasures, measuresNamed } from "../measures/catalog.ts";
import { directionCount } from "../measures/layer-curvature.ts";
import type { Form, IterativeEstimate, Iteration, Task } from "../measures/measure.ts";
import type { Runtime } from "../runtime/session.ts";
import { version } from "../version.ts";
import { bindInputs } from "./binding.ts";
import { chooseLayers, chooseLoss, labelField } from "./choice.ts";
import { columnsPass } from "./columns-pass.ts";
import { columnBatch, columnCost, evenChunk, largestValue, probeBatch, sweepSize } from "./cost.ts";
import { withOperator } from "./curvature-operator.ts";
import { exactHessianPass, probedHessianPass, type SweptLayer } from "./hessian-pass.ts";
import { CORRECT, LOSS } from "./names.ts";
import type { MeasureOptions } from "./options.ts";
import type { Pass } from "./pass.ts";
import { formsOf, planRows, type PlannedForm, type PlannedRow, type RefusedLayer } from "./plan.ts";
import { prepare, type Preparation, type Prepared } from "./prepare.ts";
import type { PerSample, Result } from "./result.ts";
import { checkRewriting } from "./rewriting.ts";
import { finite, layerRow, perSampleOf, resultRow } from "./rows.ts";
import { runPass, Totals, type Source } from "./run.ts";
import { UnknownShapes } from "./unknown-shapes.ts";
import { warningsOf } from "./warnings.ts";

/** A model to measure. */
export interface Subject {
  readonly graph: Graph;
  readonly file: string;
  readonly sha256: string;
  readonly opset: number;
}

/** The samples of a data set that are measured on. */
export interface Sampled {
  readonly data: Dataset;
  readonly indices: Int32Array;
  readonly description: string;
}

export interface Measurement {
  readonly result: Result;
  /** A value per sample, where they were asked for. */
  readonly perSample: readonly PerSample[];
}

/** Samples at once where a forward pass is all that is run. */
const FORWARD_BATCH = 64;
/** Columns that one run takes. */
const LARGEST_COLUMN_CHUNK = 80;
const PRODUCT_BATCH = 64;
const PROBES = 4;
const PAIRED_SAMPLES = 256;
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
  const { seed = 0, provider = "cpu", threads = runtime.cores, labels = "y" } = options;
  if (indices.length === 0) throw new DataError(`${data.source}: expected at least one sample, have none`);
  checkWeights(subject.graph, subject.file);
  const graph = fuse(subject.graph);
  const session = { provider, threads };
  const binding = bindInputs(graph, data, options.inputs);
  const field = labelField(data, labels);
  const loss = chooseLoss(field, options.loss);
  const measures = measuresNamed(options.measures ?? defaultMeasures);
  const shapes = new UnknownShapes();
  const known = (batch: number) => shapes.get(batch);
  const preparation: Preparation = {
    graph,
    loss,
    labels: field.dims,
    output: options.output,
    types: binding.types,
    known,
  };
  const prepared = async (batch: number) => {
    await shapes.find(graph, binding, data, indices, batch, runtime, session);
    return prepare(preparation, batch);
  };

  const plan = (at: Prepared, before?: readonly RefusedLayer[]) => {
    const layers = chooseLayers(at, options.layers ?? "all");
    const task = taskOf(at, layers, options, indices.length);
    return { at, layers, task, ...planRows(layers, measures, task, before) };
  };
  // Once to see what the methods are, once at the batch size that suits them.
  const sketch = plan(await prepared(1));
  const forms = formsOf(sketch.rows);
  const chunk = evenChunk(loss.columnCount(sketch.task.terms), LARGEST_COLUMN_CHUNK);
  const largest = largestValue(sketch.at);
  const limit = (batch: number) => Math.min(indices.length, options.batch ?? batch);
  const main = await prepared(limit(mainBatch(forms, loss.estimatedCount(sketch.task.terms), chunk, largest)));
  const { layers, task, rows, refused } = plan(main, sketch.refused);
  checkMeasurable(main, rows, refused);
  const planned = formsOf(rows);

  const passes: (() => Promise<Pass>)[] = [async () => columnsPass(main, planned, chunk, seed)];
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
      const probes = options.probes ?? PROBES;
      const at = await prepared(limit(probeBatch(probes, largest)));
      return probedHessianPass(at, within(at, swept), probes, seed);
    });
  }

  if (main.rewritten.length > 0) await checkRewriting(graph, main, binding, data, indices, runtime, session);
  const built = performance.now();
  const { ignoreIndex = IGNORED } = options;
  const source: Source = { data, indices, binding, loss, terms: main.terms, labels, ignoreIndex };
  const totals = new Totals(indices.length, options.perSample ?? false);
  const n = indices.length;
  let loading = 0;
  for (const [index, build] of passes.entries()) {
    const onBatch = (done: number) =>
      options.onProgress?.(index * indices.length + done, passes.length * indices.length);
    loading += await runPass(await build(), source, totals, {
      runtime,
      session,
      signal: options.signal,
      pairedSamples: options.pairedSamples ?? PAIRED_SAMPLES,
      onBatch,
    });
  }

  const losses = totals.moments.get(LOSS);
  if (!losses || !Number.isFinite(losses.mean)) {
    throw new ModelError(
      `${subject.file}: the loss on ${data.source} is ${losses?.mean}; expected a finite number: are the outputs raw scores, and is the input scaled as in training?`,
    );
  }
  const iteration: Iteration = {
    seed,
    async withOperator(among, run) {
      const at = await prepared(limit(PRODUCT_BATCH));
      const running = { runtime, session, signal: options.signal, pairedSamples: 0, onBatch: () => undefined };
      return withOperator(at, among, task.curvature, source, n * losses.meanTerms, running, run);
    },
  };
  const iterated = new Map<PlannedRow, IterativeEstimate>();
  for (const row of rows) if (row.plan.kind === "iterative") iterated.set(row, await row.plan.run(iteration));
  const correct = totals.moments.get(CORRECT);
  const finished = performance.now();
  const results = rows.map((row) => resultRow(row, totals, n, iterated.get(row)));
  const result: Result = {
    schema: 1,
    model: {
      file: subject.file,
      sha256: subject.sha256,
      opset: subject.opset,
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
    },
    loss: {
      kind: loss.name,
      value: losses.mean,
      standardError: finite(losses.standardError),
      ...(correct && { accuracy: correct.mean }),
    },
    layers: layers.map((layer) => layerRow(layer, refused.find((entry) => entry.layer === layer)?.reason)),
    results,
    warnings: warningsOf({ prepared: main, rows, results, n, regression: !loss.classification, iterated }),
    environment: { flatness: version, onnxruntime: runtime.version, provider, threads, batch: main.batch, seed },
    seconds: {
      build: (built - started) / 1000,
      load: loading,
      run: (finished - built) / 1000 - loading,
      total: (finished - started) / 1000,
    },
  };
  return { result, perSample: perSampleOf(rows, totals) };
}

function taskOf(at: Prepared, layers: readonly Layer[], options: MeasureOptions, samples: number): Task {
  const { method = "auto", curvature = "hessian" } = options;
  const throughColumns = layers.filter((layer) => {
    const { kind } = at.above(layer);
    return kind === "piecewise-linear" || (kind !== "logits" && curvature === "gauss-newton");
  });
  const columns = at.loss.columnCount(at.terms);
  const mixing = new Map<Layer, boolean>();
  return {
    b: at.b,
    loss: at.loss,
    terms: at.terms,
    scores: at.scores,
    layers: at.layers,
    method,
    curvature,
    samples,
    above: at.above,
    mixes(layer) {
      const found = mixing.get(layer) ?? (layer.positions > 1 && mixesPositions(at.b, layer, at.scores));
      mixing.set(layer, found);
      return found;
    },
    columnCost: throughColumns.length === 0 ? 1 : columnCost(at.layers, throughColumns, columns),
  };
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
  return methods.includes("gauss-newton-probes") ? columnBatch(estimated, largest) : FORWARD_BATCH;
}

/** @throws UnsupportedOperatorError or ModelError when nothing of what was asked for can be had */
function checkMeasurable(at: Prepared, rows: readonly PlannedRow[], refused: readonly RefusedLayer[]): void {
  if (rows.some(({ plan }) => plan.kind !== "weights") || refused.length === 0) return;
  const reasons = new Map(refused.map(({ layer, reason }) => [layer.name, `layer ${layer.name}: ${reason}`]));
  const message = [...reasons.values()].join("; ");
  const unsupported = refused.some(({ layer }) => at.above(layer).kind === "unsupported");
  throw unsupported ? new UnsupportedOperatorError(message) : new ModelError(message);
}

/** Weights that are no numbers make every result one. */
function checkWeights(graph: Graph, file: string): void {
  for (const [name, tensor] of graph.constants) {
    if (tensor.type !== "float32" || tensor.external) continue;
    const bad = (tensor.data as Float32Array).findIndex(Number.isNaN);
    if (bad >= 0)
      throw new ModelError(
        `${file}: weight ${name} has NaN at element ${bad}; expected numbers: did training diverge?`,
      );
  }
}
