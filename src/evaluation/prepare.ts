import { classifyAbove, type Above } from "../calculus/above.ts";
import type { Dataset } from "../data/dataset.ts";
import { DataError, UsageError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { findLayers, type Layer } from "../graph/layers.ts";
import { lossNamed } from "../losses/catalog.ts";
import type { Loss } from "../losses/loss.ts";
import type { Binding } from "./binding.ts";
import { rawOutputs, type Outputs } from "./outputs.ts";

/** A model at one batch size with its layers found and its loss attached. */
export interface Prepared {
  readonly b: Builder;
  readonly batch: number;
  readonly outputs: Outputs;
  readonly layers: readonly Layer[];
  readonly rewritten: readonly string[];
  above(layer: Layer): Above;
}

export function prepare(
  graph: Graph,
  binding: Binding,
  batch: number,
  output: string | undefined,
  loss: Loss,
): Prepared {
  return prepareTypes(graph, binding.types(batch), batch, output, loss.classification);
}

/**
 * The same where the types of the inputs are known without data.
 *
 * @param scores whether the loss is one of raw scores
 */
export function prepareTypes(
  graph: Graph,
  inputs: ReadonlyMap<ValueId, ValueType>,
  batch: number,
  output: string | undefined,
  scores = true,
): Prepared {
  const { builder: b, rewritten } = instantiate(graph, inputs);
  const outputs = rawOutputs(b, graph, output, scores);
  const kinds = new Map<Layer, Above>();
  return {
    b,
    batch,
    outputs,
    layers: findLayers(b),
    rewritten,
    above(layer) {
      const known = kinds.get(layer) ?? classifyAbove(b, layer, outputs.value);
      kinds.set(layer, known);
      return known;
    },
  };
}

/**
 * The layers that the user asks for.
 *
 * @throws UsageError naming the layers that there are
 */
export function chooseLayers(
  prepared: Pick<Prepared, "layers" | "above">,
  asked: "all" | "last" | readonly string[],
): Layer[] {
  const { layers } = prepared;
  if (asked === "all") return [...layers];
  if (asked === "last") {
    const last = layers.find((layer) => prepared.above(layer).kind === "logits") ?? layers.at(-1);
    if (!last) throw new UsageError("the model has no layer with weights");
    return [last];
  }
  const chosen = asked.map((name) => {
    const layer = layers.find(
      (candidate) =>
        candidate.name === name ||
        candidate.initializer === name ||
        candidate.node === name ||
        `${candidate.name}.weight` === name,
    );
    if (layer) return layer;
    throw new UsageError(
      `layer ${name}: no such layer. The model has: ${layers.map((known) => known.name).join(", ")}.`,
    );
  });
  return layers.filter((layer) => chosen.includes(layer));
}

const integers = /^(u?int\d+|bool)$/;

/** The loss by name, else by the labels' type: cross-entropy for integers, squared-error-mean for numbers. */
export function chooseLoss(data: Dataset, labels: string, name: string | undefined): Loss {
  const field = data.fields.find((candidate) => candidate.name === labels);
  if (!field) {
    const names = data.fields.map((candidate) => candidate.name).join(", ");
    throw new DataError(`${data.source}: no labels: expected an array ${labels}, found ${names}`);
  }
  if (name !== undefined) return lossNamed(name);
  return lossNamed(integers.test(field.type) ? "cross-entropy" : "squared-error-mean");
}

/** What the labels are called in the pass's graph. */
export const LABELS: ValueId = "flatness/labels";
/** Random signs of the estimate's probe, [B, C]. */
export const SIGNS: ValueId = "flatness/signs";
/** Numbers and weights of the columns of this run, where they are taken in chunks. */
export const COLUMN_NUMBERS: ValueId = "flatness/columns";
export const COLUMN_WEIGHTS: ValueId = "flatness/column-weights";
