import { DataError, UsageError } from "../errors.ts";
import { type ArrayOptions, arrayDataset } from "./array-dataset.ts";
import { type ByteFile, type Files, readAll } from "./byte-file.ts";
import type { Dataset, NamedArray } from "./dataset.ts";
import { digitsClasses, digitsSplits, parseDigits } from "./digits.ts";
import { disk } from "./files.ts";
import { idxClasses, idxSplits, readIdxSplit } from "./idx.ts";
import { parseNpy } from "./npy.ts";
import { parseNpz } from "./npz.ts";

const supported =
  "an .npz file with the arrays x and y, an .npy file of inputs, a directory of MNIST's IDX files " +
  "(train-images-idx3-ubyte.gz …), or example:digits";

/**
 * The data set that `source` names: `example:digits`, a directory of IDX files, an .npz or an .npy file.
 *
 * @param options.split the part of a source that has parts; a source that consists of parts only (IDX files; an .npz
 *   of x_train, y_train, x_test, y_test and no x) gives `train` without it, whose mean is the empirical risk.
 *   `Dataset.split` says which was taken. The digits give all samples without it.
 * @param options.preprocess the language of `preprocess.ts`, for the input
 * @param options.input the array that is the input, default x; `options.labels` that of the labels, default y
 * @param files where paths lead; the disk unless a page has something else
 * @throws DataError when the data is absent or damaged; UsageError for a split or a step that does not exist
 */
export async function openDataset(source: string, options: ArrayOptions = {}, files: Files = disk): Promise<Dataset> {
  if (source.startsWith("example:")) return openExample(source, options, files);
  const names = await files.list(source);
  if (names) return openIdx(source, names, options, files);
  if (!/\.np[yz]$/i.test(source)) throw new DataError(`${source}: not a data set: expected ${supported}.`);
  const file = await files.open(source);
  const bytes = await readAll(file);
  const { arrays, split } = /z$/i.test(source) ? npzArrays(bytes, source, options) : npyArray(bytes, source, options);
  return arrayDataset({ source, sha256: await files.sha256([file]), split }, arrays, options);
}

async function openExample(source: string, options: ArrayOptions, files: Files): Promise<Dataset> {
  if (source !== "example:digits") throw new UsageError(`${source}: no such example. There is: example:digits.`);
  const split = chosenSplit(source, Object.keys(digitsSplits), options.split);
  const file = await files.example("digits.csv.gz");
  const arrays = parseDigits(await readAll(file), file.name, split);
  return arrayDataset({ source, sha256: await files.sha256([file]), classes: digitsClasses, split }, arrays, options);
}

async function openIdx(
  source: string,
  names: readonly string[],
  options: ArrayOptions,
  files: Files,
): Promise<Dataset> {
  const splits = idxSplits(names);
  if (splits.size === 0) throw new DataError(`${source}: no data set in this directory: expected ${supported}.`);
  const split = chosenSplit(source, [...splits.keys()], options.split ?? "train")!;
  const { images, labels } = splits.get(split)!;
  const pair: [ByteFile, ByteFile] = [await files.open(images, source), await files.open(labels, source)];
  const sha256 = await files.sha256(pair);
  return arrayDataset({ source, sha256, classes: idxClasses(source), split }, await readIdxSplit(...pair), options);
}

interface Part {
  readonly arrays: NamedArray[];
  readonly split?: string;
}

/** The arrays of a split under their bare names (x of x_train), or all arrays when the file has no splits. */
function npzArrays(bytes: Uint8Array, source: string, options: ArrayOptions): Part {
  const { input = "x", labels = "y" } = options;
  const npz = parseNpz(bytes, source);
  const splits = npz.names
    .filter((name) => name.startsWith(`${input}_`))
    .map((name) => name.slice(input.length + 1))
    .filter((split) => npz.names.includes(`${labels}_${split}`));
  const whole = npz.names.includes(input) || splits.length === 0;
  const split = chosenSplit(source, splits, options.split ?? (whole ? undefined : "train"));
  const suffix = split === undefined ? "" : `_${split}`;
  const arrays: NamedArray[] = [];
  for (const member of npz.names.filter((each) => each.endsWith(suffix))) {
    const name = member.slice(0, member.length - suffix.length);
    try {
      arrays.push({ ...npz.array(member), name });
    } catch (error) {
      // Beside the data there may be what we cannot read, such as the class names.
      if (name === input || name === labels) throw error;
    }
  }
  return { arrays, split };
}

function npyArray(bytes: Uint8Array, source: string, options: ArrayOptions): Part {
  chosenSplit(source, [], options.split);
  return { arrays: [parseNpy(bytes, source)] };
}

function chosenSplit(source: string, splits: readonly string[], asked: string | undefined): string | undefined {
  if (asked === undefined || splits.includes(asked)) return asked;
  if (splits.length === 0)
    throw new UsageError(`${source}: no split ${asked}: this source has no splits; leave it out.`);
  throw new UsageError(`${source}: no split ${asked}. It has: ${splits.join(", ")}.`);
}
