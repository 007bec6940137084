import type { Batch, Dataset } from "../src/data/dataset.ts";
import { bindInputs } from "../src/evaluation/binding.ts";
import { measureModel, type Subject } from "../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../src/evaluation/options.ts";
import type { Result } from "../src/evaluation/result.ts";
import { instantiate } from "../src/graph/instantiate.ts";
import { nodeRuntime } from "../src/runtime/node.ts";
import { median } from "./row.ts";

const oneThread = { provider: "cpu", threads: 1 };
/** Samples at once of a plain forward pass: where it runs fastest on the models here. */
const FORWARD_BATCH = 32;

export interface Compared {
  /** Measuring, in forward passes of the same data: the median of pairwise ratios. */
  readonly ratio: number;
  readonly seconds: number;
  readonly forwardSeconds: number;
  readonly result: Result;
}

/** Seconds of a plain forward pass over the data by a session of its own, reading and feeding included. */
export async function forwardSeconds(subject: Subject, data: Dataset, indices: Int32Array): Promise<number> {
  const binding = bindInputs(subject.graph, data);
  const size = Math.min(FORWARD_BATCH, indices.length);
  const { builder } = instantiate(subject.graph, binding.types(size));
  const output = subject.graph.outputs[0]?.name as string;
  const session = await nodeRuntime.open(builder.graph(new Map([["outputs", output]])), oneThread);
  const started = performance.now();
  let batch: Batch | undefined;
  for (let start = 0; start < indices.length; start += size) {
    batch = await data.read(indices.subarray(start, start + size), binding.arrays, batch);
    await session.run(binding.feeds(batch, size));
  }
  const seconds = (performance.now() - started) / 1000;
  await session.release();
  return seconds;
}

export interface Repeats {
  /** Measurements that count. */
  readonly runs?: number;
  readonly warmups?: number;
  /** Forward passes before each measurement, and after the last: a long measurement is held against the mean around it. */
  readonly forwards?: number;
}

/** A measurement against plain forward passes, in turn, one thread; sessions are opened anew, and opening is not counted. */
export async function compare(
  subject: Subject,
  data: Dataset,
  indices: Int32Array,
  options: MeasureOptions,
  { runs = 7, warmups = 1, forwards = 1 }: Repeats = {},
): Promise<Compared> {
  const pairs: { forward: number; measured: number }[] = [];
  let result: Result | undefined;
  const forward = async () => {
    let sum = 0;
    for (let time = 0; time < forwards; time++) sum += await forwardSeconds(subject, data, indices);
    return sum / forwards;
  };
  let before = await forward();
  for (let run = 0; run < runs + warmups; run++) {
    const sampled = { data, indices, description: "" };
    ({ result } = await measureModel(subject, sampled, { ...options, threads: 1 }, nodeRuntime));
    const after = await forward();
    if (run >= warmups) pairs.push({ forward: (before + after) / 2, measured: result.seconds["run"] as number });
    before = after;
  }
  return {
    ratio: median(pairs.map(({ forward, measured }) => measured / forward)),
    seconds: median(pairs.map(({ measured }) => measured)),
    forwardSeconds: median(pairs.map(({ forward }) => forward)),
    result: result as Result,
  };
}
