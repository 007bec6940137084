import { DataError, UsageError } from "../errors.ts";
import type { TypedArray } from "../graph/tensor.ts";
import type { ArrayOptions } from "./array-dataset.ts";
import { type ByteFile, readAll } from "./byte-file.ts";
import { type Column, columnDataset } from "./column-dataset.ts";
import type { Dataset } from "./dataset.ts";
import { chosenSplit, type Format, type Source } from "./format.ts";
import { parseNpz } from "./npz.ts";
import { type PreprocessOption, writtenSteps } from "./preprocess.ts";
import { hashFile } from "./source-hash.ts";
import { type RawType, tokensInMemory, tokensOfBin, tokensOfNpy, type TokenSource } from "./token-source.ts";
import { tokensStep } from "./tokens-step.ts";

/**
 * Tokens for a language model, where the step `tokens` says how they become samples. Files are read where samples are
 * asked for: .bin and .npy files larger than memory will do.
 */
export const tokenFormat: Format = {
  description: "tokens in a .bin, .npy or .npz file with --preprocess tokens=T",
  matches({ path, names }, options) {
    if (names === undefined && /\.bin$/i.test(path)) return true;
    if (!writtenSteps(options.preprocess).some(({ step }) => step === tokensStep)) return false;
    return names === undefined ? /\.np[yz]$/i.test(path) : splitFiles(names).size > 0;
  },
  async open(source, options) {
    const blocks = tokenBlocks(source.path, options.preprocess);
    const { file, split } = await chosenFile(source, options);
    const raw = /\.bin$/i.test(file.name);
    if (blocks.type !== undefined && !raw) {
      throw new UsageError(
        `${blocks.where}: ${file.name} says itself which type its tokens have: leave ${blocks.type} out.`,
      );
    }
    const tokens = await openTokens(file, blocks.type, options);
    const length = blocks.length ?? (tokens.stream ? undefined : tokens.length - 1);
    if (length === undefined) {
      throw new UsageError(
        `${blocks.where}: ${file.name} is one stream of ${tokens.length} tokens: write how many make a sample, tokens=256.`,
      );
    }
    const resolved = `tokens=${length}${raw ? `:${tokens.type}` : ""}`;
    const hash = await hashFile(file, source.files);
    const origin = { source: source.path, ...hash, split, preprocess: resolved };
    return tokenDataset(origin, tokens, length, options);
  },
};

/** What the step says. */
interface TokenBlocks {
  readonly where: string;
  /** Tokens of a sample. */
  readonly length: number | undefined;
  readonly type: RawType | undefined;
}

function tokenBlocks(source: string, option: PreprocessOption | undefined): TokenBlocks {
  const steps = writtenSteps(option);
  const [written] = steps;
  if (written?.step !== tokensStep || steps.length > 1) {
    throw new UsageError(
      `${source}: tokens become samples by --preprocess tokens=T, T how many a sample has, and no other step.`,
    );
  }
  const { value, where } = written;
  const [, digits, type] = /^(\d{1,9})?(?::(uint16|uint32))?$/.exec(value) ?? [];
  if ((value !== "" && digits === undefined) || Number(digits) < 1) {
    throw new UsageError(`${where}: expected a number of tokens, and for a .bin file their type: tokens=256:uint32.`);
  }
  return { where, length: digits === undefined ? undefined : Number(digits), type: type as RawType | undefined };
}

/** The files of a folder that nanoGPT's data has, by split; .bin before .npy. */
function splitFiles(names: readonly string[]): Map<string, string> {
  const files = new Map<string, string>();
  for (const name of [...names].sort()) {
    const [, split] = /^(train|val|test)\.(?:bin|npy)$/.exec(name) ?? [];
    if (split !== undefined && !files.has(split)) files.set(split, name);
  }
  return files;
}

async function chosenFile({ path, names, files }: Source, { split }: ArrayOptions) {
  const parts = splitFiles(names ?? []);
  const chosen = chosenSplit(path, [...parts.keys()], split ?? (names ? "train" : undefined));
  if (chosen === undefined) return { file: await files.open(path) };
  return { file: await files.open(parts.get(chosen)!, path), split: chosen };
}

async function openTokens(file: ByteFile, type: RawType | undefined, { input }: ArrayOptions): Promise<TokenSource> {
  if (/\.bin$/i.test(file.name)) return tokensOfBin(file, type);
  if (/\.npy$/i.test(file.name)) return tokensOfNpy(file);
  const npz = parseNpz(await readAll(file), file.name);
  const only = npz.names.length === 1 ? npz.names[0] : undefined;
  const name = input ?? only ?? ["tokens", "x"].find((each) => npz.names.includes(each)) ?? "tokens";
  return tokensInMemory(npz.array(name), file.name);
}

/** Blocks of T tokens, x, and of the T that follow one place on, y; what is left of a row makes no block. */
function tokenDataset(
  origin: Pick<Dataset, "source" | "sha256" | "hashed" | "split" | "preprocess">,
  tokens: TokenSource,
  length: number,
  { input = "x", labels = "y" }: ArrayOptions,
): Dataset {
  const perRow = Math.floor((tokens.length - 1) / length);
  if (!(perRow >= 1 && tokens.rows >= 1)) {
    const have = tokens.stream ? `${tokens.length}` : `[${tokens.rows}, ${tokens.length}]`;
    throw new DataError(
      `${origin.source}: expected ${length + 1} tokens or more${tokens.stream ? "" : " in a row"} for samples of ${length}, have ${have}.`,
    );
  }
  const shifted = (name: string, by: number): Column => ({
    field: { name, type: tokens.type, dims: [length] },
    read: (indices) =>
      gathered(tokens, indices, length, (sample) => {
        return Math.floor(sample / perRow) * tokens.length + (sample % perRow) * length + by;
      }),
  });
  return columnDataset({ ...origin, n: tokens.rows * perRow }, [shifted(input, 0), shifted(labels, 1)]);
}

/** Blocks one after the other; consecutive samples are read in one go, and are a view of it where nothing is between. */
async function gathered(
  tokens: TokenSource,
  samples: ArrayLike<number>,
  length: number,
  start: (sample: number) => number,
): Promise<TypedArray> {
  const wanted = samples.length * length;
  let blocks: Uint16Array | undefined;
  for (let first = 0; first < samples.length;) {
    let end = first + 1;
    while (end < samples.length && samples[end] === samples[end - 1]! + 1) end++;
    const from = start(samples[first]!);
    const span = (await tokens.read(from, start(samples[end - 1]!) + length - from)) as Uint16Array;
    if (span.length === wanted) return span;
    blocks ??= new (span.constructor as Uint16ArrayConstructor)(wanted);
    for (let place = first; place < end; place++) {
      const at = start(samples[place]!) - from;
      blocks.set(span.subarray(at, at + length), place * length);
    }
    first = end;
  }
  return blocks ?? tokens.read(0, 0);
}
