import { UsageError } from "../errors.ts";
import { rawOutputs } from "../evaluation/outputs.ts";
import type { Builder } from "../graph/builder.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { div, mul, reduceSum, scale } from "../graph/operators.ts";
import type { Dims } from "../graph/tensor.ts";
import type { Loss, Terms } from "../losses/loss.ts";
import { type RunningStatistics, withBatchStatistics } from "./batch-statistics.ts";
import { CORRECT, COUNTED, LABELS, LOSSES, SAMPLE_WEIGHTS, STATISTICS, WEIGHTS } from "./names.ts";
import { type Layout, splitVector } from "./parameters.ts";

/** A model with its loss, at any batch size. */
export interface Task {
  /** Equal for tasks with the same graphs. */
  readonly key: string;
  /** The model at inference. */
  readonly graph: Graph;
  /** The constants that are trained. */
  readonly layout: Layout;
  readonly statistics: readonly RunningStatistics[];
  readonly statisticsLayout: Layout;
  readonly loss: Loss;
  /** Dims of one sample's labels. */
  readonly labels: Dims;
  /** Types of the model's inputs at a batch size. */
  types(batch: number): ReadonlyMap<ValueId, ValueType>;
}

/** The model at a batch size with its weights as an input, and the loss of each sample. */
export interface Scored {
  readonly b: Builder;
  readonly loss: Loss;
  readonly terms: Terms;
  readonly scores: ValueId;
  readonly labels: ValueId;
  /** Σ over the terms of each sample, [B]. */
  readonly losses: ValueId;
}

/** The same model in operators that are faster forwards and backwards; what is an output keeps its name. */
export type Lowering = (forward: Graph) => Builder;

/**
 * The model with its loss. Inputs: the weights [P], STATISTICS [Q], the model's own, LABELS.
 *
 * @param weights what the input of the weights is called
 * @param training whether batch normalizations go by the batch
 * @param needed values of the model that are read besides its output
 */
export function scored(
  task: Task,
  batch: number,
  {
    weights = WEIGHTS,
    training = false,
    needed = [],
    lower,
  }: {
    readonly weights?: ValueId;
    readonly training?: boolean;
    readonly needed?: readonly ValueId[];
    readonly lower?: Lowering | undefined;
  } = {},
): Scored {
  const { layout, statistics, statisticsLayout, loss, labels, types } = task;
  const graph = training ? withBatchStatistics(task.graph, statistics) : task.graph;
  const { builder } = instantiate(graph, types(batch), new Map(), (begun) => {
    splitVector(begun, begun.input(weights, "float32", [layout.size]), layout);
    const { size } = statisticsLayout;
    if (size > 0) splitVector(begun, begun.input(STATISTICS, "float32", [size]), statisticsLayout);
  });
  // Where the loss contains the softmax itself, the model's own is not part of training.
  const { value: output, output: named } = rawOutputs(builder, graph, undefined, loss.ofScores);
  const dims = builder.dims(output);
  if (dims.length < 2 || dims[0] !== batch) {
    throw new UsageError(
      `output ${named}: expected outputs of shape [samples, outputs], the model gives [${dims.join(", ")}] for ${batch} samples`,
    );
  }
  const b = lower ? lower(builder.graph(new Map([output, ...needed].map((value) => [value, value])))) : builder;
  const terms = loss.terms(dims, labels);
  const scores = terms.arrange(b, output);
  const label = loss.classification
    ? b.input(LABELS, "int64", [batch, terms.terms])
    : b.input(LABELS, "float32", [batch, terms.terms, terms.classes]);
  return { b, loss, terms, scores, labels: label, losses: loss.perSample(b, scores, label) };
}

/** A sum over samples [B] divided by how many terms count: the mean over the batch where every sample has one. */
export function meanOverTerms({ b, loss, terms, scores, labels }: Scored, values: ValueId): ValueId {
  const total = reduceSum(b, values, [0]);
  const counted = loss.counted?.(b, scores, labels);
  if (counted === undefined) return scale(b, total, 1 / ((b.dims(values)[0] as number) * terms.terms));
  return div(b, total, b.add("Max", [reduceSum(b, counted, [0]), b.scalar(1)]));
}

/** Loss of each sample with the given weights. Outputs: LOSSES [B]; CORRECT [B] for a classifier; COUNTED [B] where terms may not count. */
export function evaluationGraph(task: Task, batch: number): Graph {
  const { b, scores, labels, losses } = scored(task, batch);
  const correct = task.loss.correct?.(b, scores, labels);
  const counted = task.loss.counted?.(b, scores, labels);
  return b.graph(
    new Map([
      [LOSSES, losses],
      ...(correct === undefined ? [] : [[CORRECT, correct] as const]),
      ...(counted === undefined ? [] : [[COUNTED, counted] as const]),
    ]),
  );
}

/** Σ over the samples that count of the loss, a scalar. */
export function weightedTotal({ b, losses }: Scored): ValueId {
  const weights = b.input(SAMPLE_WEIGHTS, "float32", b.dims(losses));
  return reduceSum(b, mul(b, losses, weights), [0]);
}
