import type { Graph, ValueId } from "../graph/graph.ts";
import type { Runtime, RuntimeArray, Session, SessionOptions } from "../runtime/session.ts";
import { fedBatches, fedTo, type FedBatch, type Source } from "./batches.ts";
import { Draws } from "./draws.ts";
import { SPREAD } from "./names.ts";
import { inputsOf, type Pass, type QuantityKey } from "./pass.ts";
import { stackedBatches } from "./stacking.ts";
import type { Totals } from "./totals.ts";

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
  readonly trunk: Session | undefined;
}

/** Runs a pass over the samples, a batch at a time; memory is that of a batch. Returns the seconds that sessions took to open and close. */
export async function runPass(pass: Pass, source: Source, totals: Totals, options: RunOptions): Promise<number> {
  const opening = performance.now();
  const sessions: Session[] = [];
  const open = async (graph: Graph) => {
    const session = await options.runtime.open(graph, options.session);
    sessions.push(session);
    return session;
  };
  let [loading, closing] = [0, 0];
  try {
    const running: Running = {
      pass,
      session: await open(pass.graph),
      prologue: pass.prologue && (await open(pass.prologue.graph)),
      trunk: pass.trunk && (await open(pass.trunk.graph)),
    };
    loading = performance.now() - opening;
    const { terms } = source.terms;
    const { random } = pass;
    const pairs = wholeBatches(options.pairedSamples, pass.batch);
    const draws = random.size > 0 ? new Draws(random, source.indices.length, pairs) : undefined;
    for await (const { start, n, values } of batches(running, source, options)) {
      draws?.add(values, start, n, values.get(SPREAD));
      for (const key of [SPREAD, ...random]) values.delete(key);
      totals.add(values, start, n, terms);
      options.onBatch(start + n);
    }
    if (draws) {
      const { twice } = draws;
      const quiet = { ...options, onBatch: () => undefined };
      for await (const { start, n, values } of batches(running, source, quiet, twice)) {
        draws.addAgain(values, start, n);
      }
      totals.addDrawn(random, draws, terms);
    }
  } finally {
    closing = performance.now();
    for (const session of sessions) await session.release();
  }
  return (loading + performance.now() - closing) / 1000;
}

/** About so many samples without padding in their last batch. */
function wholeBatches(samples: number, batch: number): number {
  return samples < batch ? samples : samples - (samples % batch);
}

interface BatchValues {
  /** Where the batch begins, and how many samples of it are not padding. */
  readonly start: number;
  readonly n: number;
  readonly values: Map<QuantityKey, Float64Array>;
}

/** The values of all samples, or a second draw of those at the places `again`. */
async function* batches(
  running: Running,
  source: Source,
  options: RunOptions,
  again?: Int32Array,
): AsyncGenerator<BatchValues> {
  const { pass, session, prologue } = running;
  const indices = again ? again.map((place) => source.indices[place] as number) : source.indices;
  const known = pass.prologue && inputsOf(pass.prologue.graph);
  for await (const { start, n, feeds } of fed(running, source, indices, options)) {
    if (prologue && pass.prologue && known) {
      for (const [name, array] of pass.prologue.derive(await prologue.run(fedTo(known, feeds)))) feeds.set(name, array);
    }
    yield { start, n, values: await runBatch(session, pass, feeds, n, again?.subarray(start, start + n)) };
  }
}

function fed(
  { pass, trunk }: Running,
  source: Source,
  indices: Int32Array,
  { signal, onBatch }: RunOptions,
): AsyncGenerator<FedBatch> {
  return pass.trunk && trunk
    ? stackedBatches(source, pass, pass.trunk, trunk, { signal, onBatch }, indices)
    : fedBatches(source, pass.batch, signal, indices);
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
  let isFirst = !again;
  for (const run of pass.runs(n, again)) {
    const outputs = await session.run(fedTo(pass.inputs, feeds, run.feeds));
    if (isFirst) pass.observe?.(outputs, n);
    isFirst = false;
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
