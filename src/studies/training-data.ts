import { arrayDataset } from "../data/array-dataset.ts";
import type { Dataset, NamedArray } from "../data/dataset.ts";
import { openDataset } from "../data/open.ts";
import { chosenSamples } from "../data/samples.ts";
import { DataError, UsageError } from "../errors.ts";
import { RandomStream, shuffled } from "../statistics/random.ts";
import { canonical } from "../store/content-key.ts";
import type { DataChoice, Sampling } from "./schema.ts";

/** What networks are trained and measured on, and what they never see. */
export interface StudyData {
  readonly train: Dataset;
  readonly test: Dataset;
}

const untouched: Sampling = { labelNoise: 0, seed: 0 };
/** Data sets that a worker keeps for its next task. */
const KEPT = 4;
const kept = new Map<string, Promise<StudyData>>();

/** The data of a recipe in memory, sampled as the study says; kept for the next task with the same. */
export function dataOf(
  { data, test }: { data: Choice & { labels?: string }; test?: Partial<Choice> },
  sampling = untouched,
): Promise<StudyData> {
  const key = canonical([data, test, sampling]);
  const known = kept.get(key);
  if (known) return known;
  const { labels = "y" } = data;
  const opened = (async () => {
    if (!test) throw new UsageError("the recipe: test: expected data that the networks never see.");
    const [train, unseen] = await Promise.all([
      read(data, labels),
      read({ ...data, samples: undefined, ...test }, labels),
    ]);
    return { train: noisy(subset(ofClasses(train, sampling), sampling), sampling), test: ofClasses(unseen, sampling) };
  })().then(({ train, test: unseen }) => ({ train: dataset(train, labels), test: dataset(unseen, labels) }));
  kept.set(key, opened);
  for (const old of [...kept.keys()].slice(0, -KEPT)) kept.delete(old);
  return opened;
}

/** Samples in memory: the input and the labels. */
interface Read {
  readonly origin: Dataset;
  readonly x: NamedArray;
  readonly y: NamedArray;
}

type Choice = Omit<DataChoice, "samples"> & {
  readonly samples?: number | string;
  readonly subset?: number;
  readonly holdOut?: number;
  readonly labelNoise?: number;
};

async function read(choice: Choice, labels: string): Promise<Read> {
  for (const key of ["subset", "holdOut", "labelNoise"] as const) {
    if (!choice[key]) continue;
    throw new UsageError(`the recipe: data.${key}: expected the study's sampling, which is the same for all networks.`);
  }
  const origin = await openDataset(choice.source, { split: choice.split, preprocess: choice.preprocess, labels });
  const text = choice.samples === undefined ? undefined : String(choice.samples);
  const { indices } = await chosenSamples(text, origin.n);
  const batch = await origin.read(indices, ["x", labels]);
  return { origin, x: batch.get("x")!, y: batch.get(labels)! };
}

function dataset({ origin, x, y }: Read, labels: string): Dataset {
  const { source, sha256, split } = origin;
  const classes = origin.classes && { classes: origin.classes };
  return { ...arrayDataset({ source, sha256, split, ...classes }, [x, y], { labels }), preprocess: origin.preprocess };
}

function ofClasses(given: Read, { classes }: Sampling): Read {
  if (!classes) return given;
  const labels = wholeLabels(given);
  const chosen = [...labels.keys()].filter((index) => classes.includes(labels[index]!));
  const { origin, x, y } = taken(given, chosen);
  const names = origin.classes && classes.map((each) => origin.classes![each] ?? String(each));
  const renumbered = Array.from(chosen, (index) => classes.indexOf(labels[index]!));
  return { origin: { ...origin, classes: names }, x, y: withLabels(y, renumbered) };
}

function subset(given: Read, { subset: size, seed }: Sampling): Read {
  if (size === undefined) return given;
  const n = given.x.dims[0]!;
  if (size > n) {
    throw new UsageError(`sampling.subset ${size}: expected a whole number from 1 to ${n}, the samples there are.`);
  }
  const order = shuffled(
    Int32Array.from({ length: n }, (_, index) => index),
    seed,
    "subset",
  );
  return taken(given, [...order.subarray(0, size)]);
}

/** Of a share of the samples, drawn at random, the label is one of the classes, each as likely; the old one among them. */
function noisy(given: Read, { labelNoise, seed }: Sampling): Read {
  if (labelNoise === 0) return given;
  const labels = wholeLabels(given);
  const count = given.origin.classes?.length ?? Math.max(...labels) + 1;
  const everyone = Int32Array.from({ length: labels.length }, (_, index) => index);
  const stream = new RandomStream(seed, "label noise");
  // Samples in one order for every share: more noise hits the same samples and more.
  const order = shuffled(everyone, seed, "label noise");
  for (const index of order.subarray(0, Math.round(labelNoise * labels.length))) labels[index] = stream.below(count);
  return { ...given, y: withLabels(given.y, labels) };
}

function wholeLabels({ origin, y }: Read): number[] {
  if (y.type !== "float32" && y.type !== "float64") return Array.from(y.data as ArrayLike<number | bigint>, Number);
  throw new DataError(`${origin.source}: sampling: expected classes as labels, came ${y.type}.`);
}

function withLabels(y: NamedArray, labels: readonly number[]): NamedArray {
  return { ...y, type: "int64", data: BigInt64Array.from(labels, BigInt) };
}

function taken(given: Read, indices: readonly number[]): Read {
  const of = (array: NamedArray): NamedArray => {
    const size = array.dims.slice(1).reduce((product, dim) => product * dim, 1);
    const source = array.data as Float32Array;
    const data = new (source.constructor as Float32ArrayConstructor)(indices.length * size);
    for (const [place, index] of indices.entries()) {
      data.set(source.subarray(index * size, (index + 1) * size), place * size);
    }
    return { ...array, dims: [indices.length, ...array.dims.slice(1)], data };
  };
  return { ...given, x: of(given.x), y: of(given.y) };
}
