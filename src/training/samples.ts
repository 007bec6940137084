import type { Dataset } from "../data/dataset.ts";
import { bindInputs, padded } from "../evaluation/binding.ts";
import type { Graph, ValueId } from "../graph/graph.ts";
import { count, type TypedArray } from "../graph/tensor.ts";
import type { Loss, Terms } from "../losses/loss.ts";
import type { RuntimeArray } from "../runtime/session.ts";
import { LABELS } from "./names.ts";

/** Samples in memory as the graphs read them: each input of the model, and the labels. */
export interface Samples {
  readonly n: number;
  readonly arrays: ReadonlyMap<ValueId, RuntimeArray>;
}

const IGNORED = -100;

/** @throws DataError, UsageError when inputs or labels do not fit the model or the loss */
export async function readSamples(
  graph: Graph,
  data: Dataset,
  indices: Int32Array,
  { labels, loss, terms }: { labels: string; loss: Loss; terms: Terms },
): Promise<Samples> {
  const binding = bindInputs(graph, data);
  const batch = await data.read(indices, [...new Set([...binding.arrays, labels])]);
  const given = batch.get(labels) as RuntimeArray;
  const options = { ignoreIndex: IGNORED, sample: (index: number) => indices[index] as number };
  const prepared = loss.prepare(given, terms, options);
  return { n: indices.length, arrays: new Map([...binding.feeds(batch, indices.length), [LABELS, prepared]]) };
}

/** `n` samples from `start` on, as many as `size` with the last repeated; views of the samples where none is repeated. */
export function range({ arrays }: Samples, start: number, n: number, size: number): Map<ValueId, RuntimeArray> {
  return new Map(
    [...arrays].map(([name, { type, dims, data }]) => {
      const own = dims.slice(1);
      const length = count(own);
      const part = data.subarray(start * length, (start + n) * length) as Float32Array;
      return [name, { type, dims: [size, ...own], data: padded(part, n, size) }];
    }),
  );
}

/** Samples in another order, each written by `write`. */
export function rearranged(
  { dims, type, data }: RuntimeArray,
  indices: Int32Array,
  write: (source: Float32Array, target: Float32Array, row: number) => void = (source, target) => target.set(source),
): RuntimeArray {
  const own = dims.slice(1);
  const length = count(own);
  const source = data as Float32Array;
  const chosen = new (source.constructor as new (size: number) => TypedArray)(indices.length * length) as Float32Array;
  for (const [row, index] of indices.entries()) {
    write(
      source.subarray(index * length, (index + 1) * length),
      chosen.subarray(row * length, (row + 1) * length),
      row,
    );
  }
  return { type, dims: [indices.length, ...own], data: chosen };
}
