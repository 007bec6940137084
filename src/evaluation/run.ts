import type { Batch, Dataset, NamedArray } from "../data/dataset.ts";
import type { LabelOptions, Loss, Terms } from "../losses/loss.ts";
import type { ValueId } from "../graph/graph.ts";
import { Moments } from "../runtime/moments.ts";
import type { Runtime, RuntimeArray, Session, SessionOptions } from "../runtime/session.ts";
import { padded, type Binding } from "./binding.ts";
import { COUNTED, LABELS } from "./names.ts";
import type { Pass, QuantityKey } from "./pass.ts";

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

/** Where the numbers of all passes go. */
export class Totals {
  readonly #n: number;
  readonly #keep: boolean;
  /** Terms that count, of each sample; absent while all samples have the same number. */
  #counted: Float32Array | undefined;
  readonly moments = new Map<QuantityKey, Moments>();
  /** Half the squared difference of two independent draws, per sample: the random part's variance. */
  readonly randomVariance = new Map<QuantityKey, Moments>();
  readonly perSample = new Map<QuantityKey, Float32Array>();

  constructor(n: number, keepSamples: boolean) {
    this.#n = n;
    this.#keep = keepSamples;
  }

  /** The values of one batch, whose first sample stands at `start`. */
  add(values: ReadonlyMap<QuantityKey, Float64Array>, start: number, n: number, terms: number): void {
    const counted = values.get(COUNTED);
    if (counted) {
      this.#counted ??= new Float32Array(this.#n).fill(terms);
      for (let index = 0; index < n; index++) this.#counted[start + index] = counted[index] as number;
    }
    for (const [key, list] of values) {
      if (key === COUNTED) continue;
      const sums = this.#of(this.moments, key);
      for (let index = 0; index < n; index++) {
        sums.add(list[index] as number, this.#counted?.[start + index] ?? terms);
      }
      if (!this.#keep) continue;
      const kept = this.perSample.get(key) ?? new Float32Array(this.#n);
      this.perSample.set(key, kept);
      for (let index = 0; index < n; index++) kept[start + index] = list[index] as number;
    }
  }

  addPair(key: QuantityKey, one: Float64Array, other: Float64Array, n: number): void {
    const sums = this.#of(this.randomVariance, key);
    for (let index = 0; index < n; index++) sums.add(((one[index] as number) - (other[index] as number)) ** 2 / 2);
  }

  #of(map: Map<QuantityKey, Moments>, key: QuantityKey): Moments {
    const known = map.get(key) ?? new Moments();
    map.set(key, known);
    return known;
  }
}

export interface RunOptions {
  readonly runtime: Runtime;
  readonly session: SessionOptions;
  readonly signal: AbortSignal | undefined;
  /** About so many samples have random quantities drawn twice, so that the random part's own variance is known. */
  readonly pairedSamples: number;
  /** Told how many samples are done. */
  onBatch(done: number): void;
}

/** Runs a pass over the samples, a batch at a time; memory is that of a batch. Returns the seconds that opening took. */
export async function runPass(pass: Pass, source: Source, totals: Totals, options: RunOptions): Promise<number> {
  const opening = performance.now();
  const session = await options.runtime.open(pass.graph, options.session);
  let before: Session | undefined;
  let opened: number;
  try {
    before = pass.prologue && (await options.runtime.open(pass.prologue.graph, options.session));
    opened = (performance.now() - opening) / 1000;
    const { data, indices, binding, labels, terms } = source;
    const { batch } = pass;
    // Spread over the data: what a few samples have of the random part is no measure of the rest.
    const everyth = Math.max(1, Math.floor(indices.length / options.pairedSamples));
    let read: Batch | undefined;
    for (let start = 0; start < indices.length; start += batch) {
      options.signal?.throwIfAborted();
      const chosen = indices.subarray(start, start + batch);
      const n = chosen.length;
      read = await data.read(chosen, [...binding.arrays, labels], read);
      const feeds = feedsOf(source, read, start, batch);
      if (before && pass.prologue) {
        const known = new Set(pass.prologue.graph.inputs.map((input) => input.name));
        const outputs = await before.run(new Map([...feeds].filter(([name]) => known.has(name))));
        for (const [name, array] of pass.prologue.derive(outputs)) feeds.set(name, array);
      }
      const values = await runBatch(session, pass, feeds, n, 0);
      totals.add(values, start, n, terms.terms);
      if (pass.random.size > 0 && (start / batch) % everyth === 0) {
        const again = await runBatch(session, pass, feeds, n, 1);
        for (const key of pass.random) {
          totals.addPair(key, values.get(key) as Float64Array, again.get(key) as Float64Array, n);
        }
      }
      options.onBatch(start + n);
    }
  } finally {
    await session.release();
    await before?.release();
  }
  return opened;
}

export function feedsOf(source: Source, read: Batch, start: number, batch: number): Map<ValueId, RuntimeArray> {
  const { binding, loss, indices, terms, labels, ignoreIndex } = source;
  const feeds = binding.feeds(read, batch);
  const given = read.get(labels) as NamedArray;
  const n = given.dims[0] as number;
  const options: LabelOptions = { ignoreIndex, sample: (index) => indices[start + index] as number };
  const prepared = loss.prepare(given, terms, options);
  const data = padded(prepared.data, n, batch);
  feeds.set(LABELS, { type: prepared.type, dims: [batch, ...prepared.dims.slice(1)], data });
  return feeds;
}

/** All runs of a batch, their values added in float64. */
async function runBatch(
  session: Session,
  pass: Pass,
  feeds: ReadonlyMap<ValueId, RuntimeArray>,
  n: number,
  draw: 0 | 1,
): Promise<Map<QuantityKey, Float64Array>> {
  const sums = new Map<QuantityKey, Float64Array>();
  for (const run of pass.runs(n, draw)) {
    const outputs = await session.run(new Map([...feeds, ...run.feeds].filter(([name]) => pass.inputs.has(name))));
    for (const [output, keys] of run.takes) {
      const data = outputs.get(output)?.data as Float32Array;
      for (const key of keys) {
        const known = sums.get(key);
        if (!known) sums.set(key, Float64Array.from(data));
        else
          for (let index = 0; index < known.length; index++)
            known[index] = (known[index] as number) + (data[index] as number);
      }
    }
  }
  return sums;
}
