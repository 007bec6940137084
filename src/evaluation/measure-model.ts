import type { Dataset } from "../data/dataset.ts";
import { DataError, ModelError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { defaultMeasures, measuresNamed } from "../measures/catalog.ts";
import type { Task } from "../measures/measure.ts";
import type { Moments } from "../runtime/moments.ts";
import type { Runtime } from "../runtime/session.ts";
import { version } from "../version.ts";
import { bindInputs } from "./binding.ts";
import { columnCost } from "./cost.ts";
import type { MeasureOptions } from "./options.ts";
import { CORRECT_OUTPUT, LOSS_OUTPUT, buildPass, planRows, type PlannedRow, type RefusedLayer } from "./plan.ts";
import { chooseLayers, chooseLoss, prepare, type Prepared } from "./prepare.ts";
import type { LayerRow, PerSample, Result, ResultRow } from "./result.ts";
import { runPass, type Totals } from "./run.ts";
import { checkRewriting } from "./rewriting.ts";
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

/** Samples at once: without columns a forward pass is what is run; with them, memory and caches favour few. */
const FORWARD_BATCH = 64;
/** Columns × samples at once. */
const LARGEST_FOLDED_BATCH = 160;
/** Columns that one run takes. */
const LARGEST_COLUMN_CHUNK = 80;
const LARGEST_COLUMN_BATCH = 16;

/**
 * Measures a model on data: every requested measure of every requested layer in one pass.
 *
 * @throws ModelError, DataError, UsageError for what the user can mend
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
  const binding = bindInputs(subject.graph, data, options.inputs);
  const loss = chooseLoss(data, labels, options.loss);
  const measures = measuresNamed(options.measures ?? defaultMeasures);

  const plan = (prepared: Prepared, before?: readonly RefusedLayer[]) => {
    const layers = chooseLayers(prepared, options.layers ?? "all");
    const classes = checkOutputs(prepared, loss.name);
    const throughColumns = layers.filter((layer) => prepared.above(layer).kind !== "logits");
    const task: Task = {
      b: prepared.b,
      loss,
      outputs: prepared.outputs.value,
      method: options.method ?? "auto",
      curvature: options.curvature ?? "hessian",
      above: prepared.above,
      exactCost:
        throughColumns.length === 0 ? 1 : columnCost(prepared.layers, throughColumns, loss.columnCount(classes)),
    };
    return { layers, classes, ...planRows(layers, measures, task, before) };
  };

  // Once to see what the methods are, once at the batch size that suits them.
  const sketch = plan(prepare(subject.graph, binding, 1, options.output, loss));
  const chunk = columnChunk(loss.columnCount(sketch.classes));
  const batch = Math.min(
    indices.length,
    options.batch ?? batchFor(sketch.rows, loss.estimatedCount(sketch.classes), chunk),
  );
  const prepared = prepare(subject.graph, binding, batch, options.output, loss);
  const { layers, rows, refused } = plan(prepared, sketch.refused);
  const outputs = prepared.b.dims(prepared.outputs.value);
  const labelType = loss.classification ? ("int64" as const) : ("float32" as const);
  const labelDims = loss.classification ? [batch] : outputs;
  const pass = buildPass(prepared, rows, loss, { type: labelType, dims: labelDims }, chunk);

  const sessionOptions = { provider, threads };
  if (prepared.rewritten.length > 0)
    await checkRewriting(subject.graph, prepared, binding, data, indices, runtime, sessionOptions);
  const built = performance.now();
  const session = await runtime.open(pass.graph, sessionOptions);
  const opened = performance.now();
  let totals: Totals;
  try {
    const { onProgress, signal, perSample: keepSamples = false } = options;
    totals = await runPass({
      session,
      pass,
      loss,
      labels,
      binding,
      data,
      indices,
      batch,
      outputs,
      seed,
      keepSamples,
      onProgress,
      signal,
    });
  } finally {
    await session.release();
  }

  const n = indices.length;
  const lossMoments = totals.moments.get(LOSS_OUTPUT) as Moments;
  if (!Number.isFinite(lossMoments.mean)) {
    throw new ModelError(
      `${subject.file}: the loss on ${data.source} is ${lossMoments.mean}; expected a finite number: are the outputs raw scores, and is the input scaled as in training?`,
    );
  }
  const correct = totals.moments.get(CORRECT_OUTPUT);
  const finished = performance.now();
  const result: Result = {
    schema: 1,
    model: {
      file: subject.file,
      sha256: subject.sha256,
      opset: subject.opset,
      output: prepared.outputs.output,
      ...(prepared.outputs.activation && { activation: prepared.outputs.activation }),
    },
    data: {
      source: data.source,
      sha256: data.sha256,
      n,
      ...(data.split !== undefined && { split: data.split }),
      ...(data.preprocess !== "" && { preprocess: data.preprocess }),
      samples: sampled.description,
    },
    loss: {
      kind: loss.name,
      value: lossMoments.mean,
      standardError: finite(lossMoments.standardError),
      ...(correct && { accuracy: correct.mean }),
    },
    layers: layers.map((layer) => layerRow(layer, refused.find((entry) => entry.layer === layer)?.reason)),
    results: rows.map((row) => resultRow(row, totals, n)),
    warnings: warningsOf({ prepared, rows, n, regression: !loss.classification }),
    environment: { flatness: version, onnxruntime: runtime.version, provider, threads, batch, seed },
    seconds: {
      build: (built - started) / 1000,
      load: (opened - built) / 1000,
      run: (finished - opened) / 1000,
      total: (finished - started) / 1000,
    },
  };
  return { result, perSample: perSampleOf(rows, totals) };
}

function columnChunk(total: number): number {
  return Math.ceil(total / Math.ceil(total / LARGEST_COLUMN_CHUNK));
}

function batchFor(rows: readonly PlannedRow[], estimated: number, chunk: number): number {
  const kinds = rows.map(({ plan }) => (plan.kind === "per-sample" ? plan.columns : undefined));
  const columns = kinds.includes("exact") ? chunk : kinds.includes("estimated") ? estimated : 0;
  if (columns === 0) return FORWARD_BATCH;
  return Math.max(1, Math.min(LARGEST_COLUMN_BATCH, Math.floor(LARGEST_FOLDED_BATCH / columns)));
}

function checkOutputs({ b, batch, outputs }: Prepared, loss: string): number {
  const type = b.typeIfKnown(outputs.value);
  if (!type)
    throw new ModelError(`output ${outputs.output}: its shape is unknown, as an operator before it has no shape rule`);
  const { dims } = type;
  if (type.type !== "float32") {
    throw new ModelError(
      `output ${outputs.output}: expected float32, the model gives ${type.type}; export it in float32`,
    );
  }
  if (dims.length !== 2) {
    throw new ModelError(
      `output ${outputs.output}: loss ${loss} needs outputs of shape [samples, outputs], the model gives [${dims.join(", ")}]; choose another with --output`,
    );
  }
  if (dims[0] !== batch) {
    throw new ModelError(
      `output ${outputs.output}: expected the samples as its first axis, the model gives [${dims.join(", ")}] for ${batch} samples; choose another with --output`,
    );
  }
  return dims[1] as number;
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

function layerRow({ name, node, initializer, d, m, positions, groups }: Layer, skipped: string | undefined): LayerRow {
  return { name, node, initializer, d, m, positions, groups, ...(skipped !== undefined && { skipped }) };
}

function resultRow({ layer, measure, plan }: PlannedRow, totals: Totals, n: number): ResultRow {
  const shared = { layer: layer.name, measure: measure.name, options: {} };
  if (plan.kind === "weights") {
    return { ...shared, value: plan.value(), standardError: null, n, method: "weights", curvature: null };
  }
  const name = `${measure.name}/${layer.name}`;
  const moments = totals.moments.get(name) as Moments;
  const probe = totals.probeVariance.get(name)?.mean ?? 0;
  const perProbe = plan.columns === "estimated" ? probe : 0;
  const standardError = {
    data: finite(Math.sqrt(Math.max(0, moments.variance - perProbe) / n)),
    probe: Math.sqrt(perProbe / n),
  };
  return { ...shared, value: moments.mean, standardError, n, method: plan.method, curvature: plan.curvature };
}

/** One sample has no standard error: NaN is not JSON, and 0 would claim certainty. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function perSampleOf(rows: readonly PlannedRow[], totals: Totals): PerSample[] {
  return rows.flatMap(({ layer, measure }) => {
    const values = totals.perSample.get(`${measure.name}/${layer.name}`);
    return values ? [{ layer: layer.name, measure: measure.name, values }] : [];
  });
}
