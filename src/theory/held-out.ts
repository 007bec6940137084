import type { Batch } from "../data/dataset.ts";
import { DataError, UsageError } from "../errors.ts";
import type { Sampled } from "../evaluation/measure-model.ts";

/** Samples read at once. */
const CHUNK = 256;
/** From this share of known samples on, data are no held-out data. */
const MOST_SEEN = 0.5;

/** What is known of the held-out data. */
export interface HeldOut {
  /** How many of its samples are in the training data too, element by element. */
  readonly seen: number;
}

/**
 * Checks that data can stand for what the model never saw: E(f) cannot be estimated from the training data, nor from folds of it.
 *
 * @param inputs the arrays that the model reads
 * @param labels the array of class labels; undefined for a regression
 * @throws UsageError where half of the samples or more are in the training data, or all are of the source of the training data and some
 *   are in it; DataError where a class is missing in one of them
 */
export async function checkHeldOut(
  train: Sampled,
  test: Sampled,
  inputs: readonly string[],
  labels: string | undefined,
): Promise<HeldOut> {
  const known = await digest(train, inputs, labels);
  const held = await digest(test, inputs, labels);
  const seen = held.samples.filter((sample) => known.set.has(sample)).length;
  if (seen >= MOST_SEEN * held.samples.length) {
    throw new UsageError(
      `--test ${test.data.source}: ${seen} of its ${held.samples.length} samples are in the training data ${train.data.source}; expected samples that the model never saw, as the risk cannot be estimated from those it was fitted to, nor from folds of them.`,
    );
  }
  if (
    seen > 0 &&
    train.data.sha256 !== "" &&
    train.data.sha256 === test.data.sha256 &&
    train.data.split === test.data.split
  ) {
    throw new UsageError(
      `--test ${held.source}: it is what the training data are taken from, ${seen} of its ${held.samples.length} samples are among these; expected other data, that the model never saw: neither more samples of the training set nor folds of it tell the risk.`,
    );
  }
  for (const [one, other] of [
    [known, held],
    [held, known],
  ] as const) {
    const missing = [...other.classes.keys()].find((label) => !one.classes.has(label));
    if (missing === undefined) continue;
    throw new DataError(
      `${one.source}: class ${missing} is empty: expected samples of each class, ${other.source} has ${other.classes.get(missing)} of it.`,
    );
  }
  return { seen };
}

interface Digest {
  readonly source: string;
  readonly samples: readonly string[];
  readonly set: ReadonlySet<string>;
  readonly classes: ReadonlyMap<number, number>;
}

/** A fingerprint of each sample's inputs, and how many samples each class has. */
async function digest(
  { data, indices }: Sampled,
  inputs: readonly string[],
  labels: string | undefined,
): Promise<Digest> {
  const samples: string[] = [];
  const classes = new Map<number, number>();
  let read: Batch | undefined;
  for (let start = 0; start < indices.length; start += CHUNK) {
    const chosen = indices.subarray(start, start + CHUNK);
    read = await data.read(chosen, [...inputs, ...(labels === undefined ? [] : [labels])], read);
    for (let index = 0; index < chosen.length; index++) {
      samples.push(inputs.map((name) => fingerprint(read as Batch, name, index, chosen.length)).join());
    }
    const array = labels === undefined ? undefined : read.get(labels);
    for (const value of (array?.data ?? []) as ArrayLike<number | bigint> & Iterable<number | bigint>) {
      const label = Number(value);
      if (label >= 0) classes.set(label, (classes.get(label) ?? 0) + 1);
    }
  }
  const split = data.split === undefined ? "" : ` (${data.split})`;
  return { source: `${data.source}${split}`, samples, set: new Set(samples), classes };
}

/** Two FNV-1a hashes of a sample's bytes: 64 bits. */
function fingerprint(batch: Batch, name: string, index: number, n: number): string {
  const { data } = batch.get(name)!;
  const size = data.byteLength / n;
  const bytes = new Uint8Array(data.buffer, data.byteOffset + index * size, size);
  let [one, other] = [0x811c9dc5, 0x01234567];
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 0x01000193);
    other = Math.imul(other ^ byte, 0x85ebca6b) + 1;
  }
  return `${one >>> 0}.${other >>> 0}`;
}
