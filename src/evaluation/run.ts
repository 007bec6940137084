import type { Batch, Dataset, NamedArray } from "../data/dataset.ts";
import type { LabelOptions, Loss, Terms } from "../losses/loss.ts";
import type { ValueId } from "../graph/graph.ts";
import type { Runtime, RuntimeArray, Session, SessionOptions } from "../runtime/session.ts";
import { padded, type Binding } from "./binding.ts";
import { Draws } from "./draws.ts";
import { LABELS, SPREAD } from "./names.ts";
import type { Pass, QuantityKey } from "./pass.ts";
import type { Totals } from "./totals.ts";

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

export interface RunOptions {
  readonly runtime: Runtime;
  readonly session: SessionOptions;
  readonly signal: AbortSignal | undefined;
  /** About so many samples have random quantities drawn twice, so that the random part's own variance is known. */
  readonly pairedSamples: number;
  /** Told how many samples are done. */
  onBatch(done: number): void;
}

/** A pass that can run. */
interface Running {
  readonly pass: Pass;
  readonly session: Session;
  readonly prologue: Session | undefined;
}

/** Runs a pass over the samples, a batch at a time; memory is that of a batch. Returns the seconds that opening took. */
export async function runPass(pass: Pass, source: Source, totals: Totals, options: RunOptions): Promise<number> {
  const opening = performance.now();
  const session = await options.runtime.open(pass.graph, options.session);
  let prologue: Session | undefined;
  let opened: number;
  try {
    prologue = pass.prologue && (await options.runtime.open(pass.prologue.graph, options.session));
    opened = (performance.now() - opening) / 1000;
    const running = { pass, session, prologue };
    const { terms } = source.terms;
    const { random } = pass;
    const draws = random.size > 0 ? new Draws(random, source.indices.length, options.pairedSamples) : undefined;
    for await (const { start, n, values } of batches(running, source, options.signal)) {
      draws?.add(values, start, n, values.get(SPREAD));
      for (const key of [SPREAD, ...random]) values.delete(key);
      totals.add(values, start, n, terms);
      options.onBatch(start + n);
    }
    if (draws) {
      const { twice } = draws;
      for await (const { start, n, values } of batches(running, source, options.signal, twice)) {
        draws.addAgain(values, start, n);
      }
      totals.addDrawn(random, draws, terms);
    }
  } finally {
    await session.release();
    await prologue?.release();
  }
  return opened;
}

interface BatchValues {
  /** Where the batch begins, and how many samples of it are not padding. */
  readonly start: number;
  readonly n: number;
  readonly values: Map<QuantityKey, Float64Array>;
}

/** The values of all samples, or a second draw of those at the places `again`. */
async function* batches(
  { pass, session, prologue }: Running,
  source: Source,
  signal: AbortSignal | undefined,
  again?: Int32Array,
): AsyncGenerator<BatchValues> {
  const { data, binding, labels } = source;
  const indices = again ? again.map((place) => source.indices[place] as number) : source.indices;
  let read: Batch | undefined;
  for (let start = 0; start < indices.length; start += pass.batch) {
    signal?.throwIfAborted();
    const chosen = indices.subarray(start, start + pass.batch);
    read = await data.read(chosen, [...binding.arrays, labels], read);
    const feeds = feedsOf(source, read, chosen, pass.batch);
    if (prologue && pass.prologue) {
      const known = new Set(pass.prologue.graph.inputs.map((input) => input.name));
      const outputs = await prologue.run(new Map([...feeds].filter(([name]) => known.has(name))));
      for (const [name, array] of pass.prologue.derive(outputs)) feeds.set(name, array);
    }
    const n = chosen.length;
    yield { start, n, values: await runBatch(session, pass, feeds, n, again?.subarray(start, start + n)) };
  }
}

/** What goes into a graph at a batch size: inputs and labels of the samples `indices`, which have been read. */
export function feedsOf(source: Source, read: Batch, indices: Int32Array, batch: number): Map<ValueId, RuntimeArray> {
  const { binding, loss, terms, labels, ignoreIndex } = source;
  const feeds = binding.feeds(read, batch);
  const given = read.get(labels) as NamedArray;
  const options: LabelOptions = { ignoreIndex, sample: (index) => indices[index] as number };
  const prepared = loss.prepare(given, terms, options);
  const data = padded(prepared.data, indices.length, batch);
  feeds.set(LABELS, { type: prepared.type, dims: [batch, ...prepared.dims.slice(1)], data });
  return feeds;
}

/** All runs of a batch, their values added in float64. */
async function runBatch(
  session: Session,
  pass: Pass,
  feeds: ReadonlyMap<ValueId, RuntimeArray>,
  n: number,
  again: Int32Array | undefined,
): Promise<Map<QuantityKey, Float64Array>> {
  const sums = new Map<QuantityKey, Float64Array>();
  for (const run of pass.runs(n, again)) {
    const outputs = await session.run(new Map([...feeds, ...run.feeds].filter(([name]) => pass.inputs.has(name))));
    for (const [output, keys] of run.takes) {
      const data = outputs.get(output)?.data as Float32Array;
      for (const key of keys) {
        const known = sums.get(key);
        if (!known) sums.set(key, new Float64Array(data));
        else
          for (let index = 0; index < known.length; index++)
            known[index] = (known[index] as number) + (data[index] as number);
      }
    }
  }
  return sums;
}
