import { arrayDataset } from "../data/array-dataset.ts";
import type { Dataset, NamedArray } from "../data/dataset.ts";
import { UsageError } from "../errors.ts";
import type { Graph, ValueId, ValueInfo } from "../graph/graph.ts";
import { consumers } from "../graph/graph.ts";
import { count, type Dims } from "../graph/tensor.ts";
import { RandomStream } from "../statistics/random.ts";

/** Moves indices, and makes nothing of them. */
const moves = new Set([
  "Identity",
  "Cast",
  "Reshape",
  "Flatten",
  "Squeeze",
  "Unsqueeze",
  "Transpose",
  "Slice",
  "Concat",
]);

/**
 * Random samples of a model's input shapes: standard normal numbers; where they are integers, each as likely of those that index
 * every table which reads them, else 0 or 1.
 *
 * @param shapes of one sample of an input, where the model leaves sizes open
 * @throws UsageError for an open size that no shape is given for, and an input of another type
 */
export function generatedInputs(
  graph: Graph,
  n: number,
  seed: number,
  shapes: Readonly<Record<ValueId, Dims>> = {},
): Dataset {
  const unknown = Object.keys(shapes).find((name) => !graph.inputs.some((input) => input.name === name));
  if (unknown !== undefined) {
    const names = graph.inputs.map(({ name }) => name).join(", ");
    throw new UsageError(`input ${unknown}: no such input. The model has: ${names}.`);
  }
  const arrays = graph.inputs.map((input) => array(graph, input, n, seed, shapes[input.name]));
  const [first, last] = [arrays[0]?.name, arrays.at(-1)?.name];
  return arrayDataset({ source: `generated, seed ${seed}`, sha256: "" }, arrays, { input: first, labels: last });
}

function array(graph: Graph, input: ValueInfo, n: number, seed: number, given: Dims | undefined): NamedArray {
  const { name, type = "float32" } = input;
  const declared = input.dims?.slice(1) ?? [];
  const fits =
    !given ||
    !input.dims ||
    (given.length === declared.length &&
      declared.every((size, axis) => typeof size !== "number" || size === given[axis]));
  const shape = given ?? declared;
  const open = shape.some((size) => typeof size !== "number");
  if (!fits || open) {
    const wanted = declared.map((size) => size ?? "?").join("x");
    const came = given ? `came ${given.join("x")}` : "which the model leaves open";
    throw new UsageError(
      `input ${name}: expected the shape of one sample, ${wanted}, ${came}: --input-shape ${name}=… gives it, or --data real samples.`,
    );
  }
  const dims = [n, ...(shape as Dims)];
  const stream = new RandomStream(seed, `input ${name}`);
  const size = count(dims);
  if (type === "float32") return { name, type, dims, data: Float32Array.from({ length: size }, () => stream.normal()) };
  if (type === "float64") return { name, type, dims, data: Float64Array.from({ length: size }, () => stream.normal()) };
  const limit = indexLimit(graph, name);
  const next = () => stream.below(limit);
  if (type === "int64") return { name, type, dims, data: BigInt64Array.from({ length: size }, () => BigInt(next())) };
  if (type === "int32") return { name, type, dims, data: Int32Array.from({ length: size }, next) };
  if (type === "bool") return { name, type, dims, data: Uint8Array.from({ length: size }, () => stream.below(2)) };
  throw new UsageError(`input ${name}: samples of type ${type} cannot be generated; give real ones with --data.`);
}

/** Below which whole numbers all tables are that an input indexes. */
function indexLimit(graph: Graph, input: ValueId): number {
  const read = consumers(graph.nodes);
  const sizes: number[] = [];
  const followed = new Set([input]);
  for (const value of followed) {
    for (const node of read.get(value) ?? []) {
      if (node.op === "Gather" && node.inputs[1] === value) {
        const axis = node.attributes["axis"];
        const table = graph.constants.get(node.inputs[0] ?? "");
        const size = table?.dims.at(axis?.kind === "int" ? axis.value : 0);
        if (size !== undefined) sizes.push(size);
      } else if (moves.has(node.op)) for (const output of node.outputs) followed.add(output);
    }
  }
  return sizes.length > 0 ? Math.min(...sizes) : 2;
}
