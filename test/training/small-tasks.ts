import type { Graph } from "../../src/graph/graph.ts";
import { replaceWeights } from "../../src/graph/replace-weights.ts";
import { count } from "../../src/graph/tensor.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import type { Loss } from "../../src/losses/loss.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { runningStatistics } from "../../src/training/batch-statistics.ts";
import { initialized } from "../../src/training/initialization.ts";
import type { Model } from "../../src/training/models/network.ts";
import { LABELS, STATISTICS, WEIGHTS, newSlotName, numberName, slotName } from "../../src/training/names.ts";
import { optimizerOf } from "../../src/training/optimizers.ts";
import { flatten, layoutOf } from "../../src/training/parameters.ts";
import type { Task } from "../../src/training/scored.ts";
import { stepGraph, type StepDesign } from "../../src/training/step.ts";
import { normals } from "../sketch.ts";

/** A built-in model with random weights and a batch of random samples. */
export interface SmallTask {
  readonly task: Task;
  readonly weights: Float32Array;
  readonly batch: number;
  readonly x: RuntimeArray;
  readonly labels: BigInt64Array;
  /** Label terms of a sample. */
  readonly terms: number;
}

/** @param tokens the vocabulary, where the model reads tokens */
export function smallTask(
  model: Model,
  input: readonly number[],
  classes: number,
  batch: number,
  seed: number,
): SmallTask {
  const values = initialized(model.trainable, { name: "torch", scale: 1 }, seed);
  const normal = normals(seed);
  // Normalizations that do nothing would hide an error.
  for (const { name, kind } of model.trainable) {
    if (kind !== "scale" && kind !== "shift" && kind !== "embedding") continue;
    const tensor = values.get(name)!;
    (tensor.data as Float32Array).forEach((value, index, all) => (all[index] = value + 0.3 * normal()));
  }
  const graph = replaceWeights(model.graph, values);
  const tokens = graph.inputs[0]!.type === "int64";
  const terms = tokens ? input[0]! : 1;
  return {
    task: taskOf(graph, model, input, tokens ? [terms] : []),
    weights: flatten(layoutOf(model.trainable), graph.constants),
    batch,
    x: tokens
      ? { type: "int64", dims: [batch, ...input], data: classIndices(batch * terms, classes, 5) }
      : { type: "float32", dims: [batch, ...input], data: Float32Array.from({ length: batch * count(input) }, normal) },
    labels: classIndices(batch * terms, classes, 3),
    terms,
  };
}

function classIndices(length: number, classes: number, stride: number): BigInt64Array {
  return BigInt64Array.from({ length }, (_, index) => BigInt((index * stride + (index >> 1)) % classes));
}

export function taskOf(
  graph: Graph,
  { trainable }: Pick<Model, "trainable">,
  input: readonly number[],
  labels: readonly number[],
  loss: Loss = crossEntropy,
): Task {
  const statistics = runningStatistics(graph);
  const type = graph.inputs[0]!.type!;
  return {
    key: "",
    graph,
    layout: layoutOf(trainable),
    statistics,
    statisticsLayout: layoutOf(statistics),
    loss,
    labels,
    types: (batch) => new Map([[graph.inputs[0]!.name, { type, dims: [batch, ...input] }]]),
  };
}

export const plainSgd = { name: "sgd", learningRate: 1, momentum: 0.5, nesterov: false, weightDecay: 0 } as const;

export interface StepResult {
  /** Read from the momentum after the first step. */
  readonly gradient: Float32Array;
  readonly outputs: ReadonlyMap<string, RuntimeArray>;
}

type More = Readonly<Record<string, number | Float32Array>>;

/** One step of a small task. @param more numbers, and vectors of signs, that the design reads */
export async function stepOf(small: SmallTask, design: Partial<StepDesign> = {}, more: More = {}): Promise<StepResult> {
  const [result] = await stepsOf(small, design, [more]);
  return result!;
}

/** Several steps, each from the start. */
export async function stepsOf(
  { task, weights, batch, x, labels, terms }: SmallTask,
  design: Partial<StepDesign>,
  each: readonly More[],
): Promise<StepResult[]> {
  const optimizer = optimizerOf(plainSgd);
  const graph = stepGraph({ task, optimizer, penalties: [], clips: false, ...design }, batch);
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  const vector = (data: Float32Array): RuntimeArray => ({ type: "float32", dims: [data.length], data });
  const scalar = (value: number): RuntimeArray => ({ type: "float32", dims: [], data: Float32Array.of(value) });
  const feeds = new Map<string, RuntimeArray>([
    [WEIGHTS, vector(weights)],
    [slotName("momentum"), vector(new Float32Array(weights.length))],
    [numberName("momentum"), scalar(0.5)],
    [numberName("learning-rate"), scalar(1)],
    [task.graph.inputs[0]!.name, x],
    [LABELS, { type: "int64", dims: [batch, terms], data: labels }],
  ]);
  if (task.statisticsLayout.size > 0) {
    feeds.set(STATISTICS, vector(flatten(task.statisticsLayout, task.graph.constants)));
  }
  const results: StepResult[] = [];
  try {
    for (const more of each) {
      for (const [name, value] of Object.entries(more)) {
        if (typeof value === "number") feeds.set(numberName(name), scalar(value));
        else feeds.set(name, vector(value));
      }
      const outputs = await session.run(feeds);
      results.push({ gradient: outputs.get(newSlotName("momentum"))!.data as Float32Array, outputs });
    }
  } finally {
    await session.release();
  }
  return results;
}
