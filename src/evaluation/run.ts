import type { Batch, Dataset, NamedArray } from "../data/dataset.ts";
import type { Loss } from "../losses/loss.ts";
import { Moments } from "../runtime/moments.ts";
import type { RuntimeArray, Session } from "../runtime/session.ts";
import { RandomStream } from "../statistics/random.ts";
import { padded, type Binding } from "./binding.ts";
import type { Pass } from "./plan.ts";
import { COLUMN_NUMBERS, COLUMN_WEIGHTS, LABELS, SIGNS } from "./prepare.ts";

/** Samples for which the estimate is drawn twice, so that the probe's own variance is known. */
const PAIRED_SAMPLES = 256;

/** Where the numbers of a pass go. */
export interface Totals {
  readonly moments: ReadonlyMap<string, Moments>;
  /** Half the squared differences of two independent draws: the probe's variance of one sample. */
  readonly probeVariance: ReadonlyMap<string, Moments>;
  readonly perSample: ReadonlyMap<string, Float32Array>;
}

export interface RunSettings {
  readonly session: Session;
  readonly pass: Pass;
  readonly loss: Loss;
  readonly labels: string;
  readonly binding: Binding;
  readonly data: Dataset;
  readonly indices: Int32Array;
  readonly batch: number;
  /** Dims of the network's outputs, the batch first. */
  readonly outputs: readonly number[];
  readonly seed: number;
  readonly keepSamples: boolean;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Runs a pass over the samples, a batch at a time; memory is that of a batch. */
export async function runPass(settings: RunSettings): Promise<Totals> {
  const { pass, data, indices, batch, outputs, seed } = settings;
  const names = pass.graph.outputs.map((output) => output.name);
  const moments = new Map(names.map((name) => [name, new Moments()]));
  const probeVariance = new Map<string, Moments>();
  const perSample = new Map<string, Float32Array>();
  const classes = outputs[1] ?? 1;
  const first = new RandomStream(seed, "columns");
  const second = new RandomStream(seed, "columns, second draw");
  if (settings.keepSamples) for (const name of names) perSample.set(name, new Float32Array(indices.length));
  let read: Batch | undefined;
  for (let start = 0; start < indices.length; start += batch) {
    settings.signal?.throwIfAborted();
    const chosen = indices.subarray(start, start + batch);
    const n = chosen.length;
    read = await data.read(chosen, [...settings.binding.arrays, settings.labels], read);
    const feeds = feedsOf(settings, read, start);
    const draw = (stream: RandomStream) => {
      if (pass.estimated) feeds.set(SIGNS, signs(stream, n, batch, classes));
    };
    draw(first);
    const values = await runColumns(settings, feeds);
    for (const [name, list] of values) {
      const sums = moments.get(name) as Moments;
      const kept = perSample.get(name);
      for (let index = 0; index < n; index++) {
        sums.add(list[index] as number);
        if (kept) kept[start + index] = list[index] as number;
      }
    }
    if (pass.estimated && start < PAIRED_SAMPLES) {
      draw(second);
      const again = await runColumns(settings, feeds);
      for (const [name, list] of values) {
        const sums = probeVariance.get(name) ?? new Moments();
        probeVariance.set(name, sums);
        for (let index = 0; index < n; index++) {
          sums.add(((list[index] as number) - ((again.get(name) as Float64Array)[index] as number)) ** 2 / 2);
        }
      }
    }
    settings.onProgress?.(start + n, indices.length);
  }
  return { moments, probeVariance, perSample };
}

function feedsOf(settings: RunSettings, read: Batch, start: number): Map<string, RuntimeArray> {
  const { binding, batch, loss, indices, outputs, labels } = settings;
  const feeds = binding.feeds(read, batch);
  const given = read.get(labels) as NamedArray;
  const n = given.dims[0] as number;
  const prepared = loss.prepare(given, [n, ...outputs.slice(1)], (index) => indices[start + index] as number);
  const data = padded(prepared.data, n, batch);
  feeds.set(LABELS, { type: prepared.type, dims: [batch, ...prepared.dims.slice(1)], data });
  return feeds;
}

function signs(stream: RandomStream, n: number, batch: number, classes: number): RuntimeArray {
  const data = new Float32Array(batch * classes).fill(1);
  stream.fillSigns(data, 0, n * classes);
  return { type: "float32", dims: [batch, classes], data };
}

/** One run, or one for each chunk of columns with the chunks' values added in float64. */
async function runColumns(
  { session, pass }: RunSettings,
  feeds: Map<string, RuntimeArray>,
): Promise<Map<string, Float64Array>> {
  const { total, perRun } = pass.columns;
  const chunked = pass.graph.inputs.some((input) => input.name === COLUMN_NUMBERS);
  const sums = new Map<string, Float64Array>();
  for (let column = 0; column < (chunked ? total : 1); column += perRun) {
    if (chunked) {
      const numbers = BigInt64Array.from({ length: perRun }, (_, index) => BigInt(Math.min(column + index, total - 1)));
      const weights = Float32Array.from({ length: perRun }, (_, index) => Number(column + index < total));
      feeds.set(COLUMN_NUMBERS, { type: "int64", dims: [perRun], data: numbers });
      feeds.set(COLUMN_WEIGHTS, { type: "float32", dims: [perRun], data: weights });
    }
    for (const [name, { data }] of await session.run(feeds)) {
      const known = sums.get(name);
      const plan = pass.outputs.get(name)?.plan;
      const additive = plan?.kind === "per-sample" && plan.columns === "exact";
      if (!known) sums.set(name, Float64Array.from(data as Float32Array));
      else if (additive)
        for (let index = 0; index < known.length; index++)
          known[index] = (known[index] as number) + Number(data[index]);
    }
  }
  return sums;
}
