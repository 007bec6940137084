import type { Batch, Dataset, NamedArray } from "../data/dataset.ts";
import type { ValueId } from "../graph/graph.ts";
import type { LabelOptions, Loss, Terms } from "../losses/loss.ts";
import type { RuntimeArray } from "../runtime/session.ts";
import { padded, type Binding } from "./binding.ts";
import { LABELS } from "./names.ts";

/** The data and how it goes into a graph, whatever the pass. */
export interface Source {
  readonly data: Dataset;
  readonly indices: Int32Array;
  readonly binding: Binding;
  readonly loss: Loss;
  readonly terms: Terms;
  /** Name of the array of labels. */
  readonly labels: string;
  readonly ignoreIndex: number;
}

/** Some samples as they go into a graph. */
export interface FedBatch {
  /** Where the batch begins, and how many samples of it are not padding. */
  readonly start: number;
  readonly n: number;
  readonly feeds: Map<ValueId, RuntimeArray>;
}

/** The samples of a source, a batch at a time; memory is that of a batch. */
export function fedBatches(
  source: Source,
  batch: number,
  signal: AbortSignal | undefined,
  indices: Int32Array = source.indices,
): AsyncGenerator<FedBatch> {
  const arrays = [...source.binding.arrays, source.labels];
  return readBatches(source, { arrays, batch, signal, indices }, (read, chosen) =>
    feedsOf(source, read, chosen, batch),
  );
}

/** The samples of a source without their labels, a batch at a time. */
export function inputBatches(
  source: Source,
  batch: number,
  signal: AbortSignal | undefined,
  indices: Int32Array,
): AsyncGenerator<FedBatch> {
  const { binding } = source;
  return readBatches(source, { arrays: binding.arrays, batch, signal, indices }, (read) => binding.feeds(read, batch));
}

interface Reading {
  readonly arrays: readonly string[];
  readonly batch: number;
  readonly signal: AbortSignal | undefined;
  readonly indices: Int32Array;
}

async function* readBatches(
  { data }: Source,
  { arrays, batch, signal, indices }: Reading,
  feedsOfBatch: (read: Batch, chosen: Int32Array) => Map<ValueId, RuntimeArray>,
): AsyncGenerator<FedBatch> {
  let read: Batch | undefined;
  for (let start = 0; start < indices.length; start += batch) {
    signal?.throwIfAborted();
    const chosen = indices.subarray(start, start + batch);
    read = await data.read(chosen, arrays, read);
    yield { start, n: chosen.length, feeds: feedsOfBatch(read, chosen) };
  }
}

/** 1 for each sample of a batch, 0 for its padding. */
export function sampleWeights(n: number, batch: number, type: "float32" | "float64" = "float32"): RuntimeArray {
  const data = (type === "float32" ? new Float32Array(batch) : new Float64Array(batch)).fill(1, 0, n);
  return { type, dims: [batch], data };
}

/** What goes into a graph at a batch size: inputs and labels of the samples `indices`, which have been read. */
export function feedsOf(source: Source, read: Batch, indices: Int32Array, batch: number): Map<ValueId, RuntimeArray> {
  return source.binding.feeds(read, batch).set(LABELS, labelsOf(source, read, indices, batch));
}

/** Labels of the samples `indices`, which have been read, as a loss takes them, padded to the batch. */
export function labelsOf(source: Source, read: Batch, indices: Int32Array, batch: number): RuntimeArray {
  const { loss, terms, labels, ignoreIndex } = source;
  const given = read.get(labels) as NamedArray;
  const options: LabelOptions = { ignoreIndex, sample: (index) => indices[index] as number };
  const { type, dims, data } = loss.prepare(given, terms, options);
  return { type, dims: [batch, ...dims.slice(1)], data: padded(data, indices.length, batch) };
}

/** What of the feeds a graph reads. */
export function fedTo(
  inputs: ReadonlySet<ValueId>,
  ...feeds: readonly ReadonlyMap<ValueId, RuntimeArray>[]
): Map<ValueId, RuntimeArray> {
  const fed = new Map<ValueId, RuntimeArray>();
  for (const map of feeds) for (const [name, array] of map) if (inputs.has(name)) fed.set(name, array);
  return fed;
}
