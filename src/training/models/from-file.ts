import { ModelError, UsageError } from "../../errors.ts";
import type { Graph, ValueId } from "../../graph/graph.ts";
import { parameters } from "../../graph/parameters.ts";
import { count } from "../../graph/tensor.ts";
import type { Trainable } from "../parameters.ts";
import type { Model } from "./network.ts";

/**
 * A model that a file holds, with its weights as the start. Trained are weights, biases, normalizations and embeddings, but not the
 * running statistics of a batch normalization; or what is named: a constant, or all of a layer's (`fc1` is the weight of layer fc1 and
 * what is called `fc1.bias`).
 *
 * @param layers the weights of the layers by their names
 * @throws UsageError for a name that is no constant of floats, ModelError where there is nothing to train
 */
export function fromFile(
  graph: Graph,
  file: string,
  train: readonly string[] | undefined,
  layers: () => ReadonlyMap<string, ValueId>,
): Model {
  const running = new Set(
    graph.nodes.filter(({ op }) => op === "BatchNormalization").flatMap(({ inputs }) => inputs.slice(3, 5)),
  );
  const known = parameters(graph).filter(({ name, mergedInto, type }) => {
    return type === "float32" && mergedInto === undefined && !running.has(name) && graph.constants.has(name);
  });
  const chosen =
    train === undefined
      ? known.filter(({ role }) => role !== "constant")
      : train.flatMap((wanted) => {
          const weight = layers().get(wanted);
          const found = known.filter(({ name }) => name === wanted || name === weight || name.startsWith(`${wanted}.`));
          if (found.length > 0) return found;
          const names = known.map(({ name }) => name).join(", ");
          throw new UsageError(`train ${wanted}: no such constant of ${file}, which has ${names}`);
        });
  if (chosen.length === 0) throw new ModelError(`${file}: expected weights to train, found none`);
  const trainable = [...new Set(chosen)].map(({ name, dims }): Trainable => ({
    name,
    dims,
    kind: "weight",
    fanIn: count(dims.slice(1)),
    fanOut: dims[0] ?? 1,
  }));
  return { graph, trainable };
}
