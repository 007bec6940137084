import { ModelError } from "../errors.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { replaceWeights } from "../graph/replace-weights.ts";
import { Tensor } from "../graph/tensor.ts";
import { transposed } from "../graph/weights.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { areSame, turnedOrder } from "./layouts.ts";
import { type Mapping, mapWeights, type Match } from "./mapping.ts";
import { checkMapping } from "./misfit.ts";

/**
 * The model with the weights of a file: every parameter replaced, rounded to the model's own precision.
 *
 * @param file what messages call the model
 * @throws ModelError where model and file do not fit, with both sides; and for a weight that is NaN
 */
export function applyCheckpoint(
  graph: Graph,
  file: string,
  checkpoint: Checkpoint,
): { graph: Graph; mapping: Mapping } {
  const mapping = mapWeights(graph, checkpoint);
  checkMapping(mapping, file, checkpoint);
  const tensorOf = ({ tensor }: Match) => checkpoint.tensors.get(tensor) as Tensor;
  const matches = new Map(mapping.matches.map((match) => [match.parameter.name, match]));
  const replacements = new Map<ValueId, Tensor>();
  for (const match of mapping.matches) {
    const root = matches.get(match.parameter.mergedInto ?? "");
    // One matrix under two names in the file too: what is tied stays tied.
    if (root && root.layout === match.layout && areSame(tensorOf(root), tensorOf(match))) continue;
    replacements.set(match.parameter.name, replacement(match, tensorOf(match), checkpoint.file));
  }
  return { graph: replaceWeights(graph, replacements), mapping };
}

function replacement({ parameter, tensor: name, layout }: Match, tensor: Tensor, file: string): Tensor {
  const { type, dims } = parameter;
  if (type !== "float32" && type !== "float64") {
    throw new ModelError(
      `${parameter.name} is ${type} in the model: expected float32 to put the weights of ${file} in; export it so.`,
    );
  }
  const numbers = tensor.numbers() as Float32Array | Float64Array;
  const bad = numbers.findIndex(Number.isNaN);
  if (bad >= 0)
    throw new ModelError(`${file}: ${name} has NaN at element ${bad}; expected numbers: did training diverge?`);
  const values = layout === "turned" ? transposed(numbers, tensor.dims, turnedOrder(tensor.dims)) : numbers;
  return Tensor.of(type, dims, type === "float32" ? asFloat32(values) : Float64Array.from(values));
}

function asFloat32(values: Float32Array | Float64Array): Float32Array {
  return values instanceof Float32Array ? values : Float32Array.from(values);
}
