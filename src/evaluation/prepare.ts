import { classifyAbove, type Above } from "../calculus/above.ts";
import type { Scored } from "../calculus/hessian-form.ts";
import { unscaled, withScaledFeatures } from "../calculus/scaled-features.ts";
import { ModelError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { findLayers, type Layer } from "../graph/layers.ts";
import type { Loss, Terms } from "../losses/loss.ts";
import type { Dims } from "../graph/tensor.ts";
import { LABELS } from "./names.ts";
import { rawOutputs, type Outputs } from "./outputs.ts";

/** A model at one batch size with its layers found and its loss attached. */
export interface Prepared extends Scored {
  readonly b: Builder;
  readonly batch: number;
  readonly outputs: Outputs;
  readonly terms: Terms;
  readonly layers: readonly Layer[];
  readonly rewritten: readonly string[];
  above(layer: Layer): Above;
}

/** Makes a model ready at a batch size. */
export interface Preparation {
  readonly graph: Graph;
  readonly loss: Loss;
  /** Dims of one sample's labels. */
  readonly labels: Dims;
  readonly output: string | undefined;
  /** Types of the inputs at a batch size. */
  types(batch: number): ReadonlyMap<ValueId, ValueType>;
  /** σ of the features of layers, by their names, where they are to be scaled. */
  readonly scales?: ReadonlyMap<string, Float64Array>;
  /** Types behind operators without a shape rule at a batch size, found by running the model. */
  known(batch: number): ReadonlyMap<ValueId, ValueType>;
}

/** @throws ModelError when the outputs are nothing that the loss can be of */
export function prepare(preparation: Preparation, batch: number): Prepared {
  const { graph, loss, labels, output, scales, types, known } = preparation;
  const { builder: b, rewritten } = instantiate(graph, types(batch), known(batch));
  const outputs = rawOutputs(b, graph, output, loss.ofScores);
  const terms = loss.terms(checkedDims(b, outputs, batch), labels);
  const scores = terms.arrange(b, outputs.value);
  const label = loss.classification
    ? b.input(LABELS, "int64", [batch, terms.terms])
    : b.input(LABELS, "float32", [batch, terms.terms, terms.classes]);
  const kinds = new Map<Layer, Above>();
  const layers = findLayers(b).map((layer) => {
    const own = scales?.get(layer.name);
    return own ? withScaledFeatures(layer, own) : layer;
  });
  return {
    b,
    batch,
    outputs,
    loss,
    terms,
    scores,
    labels: label,
    layers,
    rewritten,
    above(layer) {
      const own = unscaled(layer);
      const found = kinds.get(own) ?? classifyAbove(b, own, scores);
      kinds.set(own, found);
      return found;
    },
  };
}

function checkedDims(b: Builder, outputs: Outputs, batch: number): Dims {
  const type = b.typeIfKnown(outputs.value);
  if (!type)
    throw new ModelError(`output ${outputs.output}: its shape is unknown, as an operator before it has no shape rule`);
  const { dims } = type;
  if (type.type !== "float32") {
    throw new ModelError(
      `output ${outputs.output}: expected float32, the model gives ${type.type}; export it in float32`,
    );
  }
  if (dims.length < 2) {
    throw new ModelError(
      `output ${outputs.output}: expected outputs of shape [samples, outputs], the model gives [${dims.join(", ")}]; choose another with --output`,
    );
  }
  if (dims[0] !== batch) {
    throw new ModelError(
      `output ${outputs.output}: expected the samples as its first axis, the model gives [${dims.join(", ")}] for ${batch} samples; choose another with --output`,
    );
  }
  return dims;
}
