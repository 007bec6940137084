import { DataError } from "../../errors.ts";

const extension = /\.parquet$/i;
/** What `datasets` writes: `train-00000-of-00002.parquet`, at times with 16 digits more; or `train.parquet`. */
const shard = /^(.+?)(?:-(\d{5})-of-(\d{5})(?:-[0-9a-f]{16})?)?\.parquet$/i;
const splitNames = /^(train|test|val|valid|validation|eval|dev)/i;
/** Where a split is a folder, as in the hub's own conversion: `default/train/0000.parquet`. */
const splitFolder = /^(partial-)?(train|test|val|valid|validation|eval|dev)$/i;

/** Parquet files that are one data set. */
export interface ParquetSet {
  /** The folder of all its splits; "" is where the paths begin. */
  readonly folder: string;
  /** Paths inside the folder, sorted, by split; one without a name where no name says train, test or validation. */
  readonly splits: ReadonlyMap<string | undefined, readonly string[]>;
}

/**
 * The data sets of the Parquet files among the paths, one a folder: a split is what stands before `-00000-of-00002` or
 * `.parquet`, or a folder of that name.
 */
export function parquetSets(paths: readonly string[]): ParquetSet[] {
  const inFolders = new Map<string, { direct: string[]; splits: Map<string | undefined, string[]> }>();
  const at = (folder: string) => {
    const known = inFolders.get(folder) ?? { direct: [], splits: new Map<string | undefined, string[]>() };
    inFolders.set(folder, known);
    return known;
  };
  for (const path of paths.filter((each) => extension.test(each)).sort()) {
    const [folder, name] = parted(path);
    const [above, last] = parted(folder);
    if (mayHoldSplit(folder)) append(at(above).splits, last, `${last}/${name}`);
    else at(folder).direct.push(name);
  }
  return [...inFolders].map(([folder, { direct, splits }]) => {
    const named = splits.size > 0 || direct.some((name) => splitNames.test(name));
    for (const name of direct) append(splits, named ? shard.exec(name)![1] : undefined, name);
    return { folder, splits };
  });
}

/** Whether a folder of this name or path is a split where it has Parquet files. */
export function mayHoldSplit(path: string): boolean {
  return splitFolder.test(parted(path)[1]);
}

/** Throws DataError where one of the files `…-00000-of-00002.parquet` is missing. */
export function checkWhole(folder: string, files: readonly string[]): void {
  const expected = new Map<string, Set<string>>();
  for (const file of files) {
    const [, prefix, part, of] = shard.exec(file) ?? [];
    if (part === undefined) continue;
    const set = `${prefix}-of-${of}`;
    expected.set(set, (expected.get(set) ?? new Set()).add(part));
  }
  for (const [set, have] of expected) {
    const parts = Number(set.slice(-5));
    for (let part = 0; part < parts; part++) {
      const digits = String(part).padStart(5, "0");
      if (have.has(digits)) continue;
      throw new DataError(
        `${folder}: ${set.slice(0, -9)}-${digits}${set.slice(-9)}.parquet is missing, have ${have.size} of ${parts}.`,
      );
    }
  }
}

/** The folder of a path and the name in it. */
function parted(path: string): [folder: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
}

function append(splits: Map<string | undefined, string[]>, split: string | undefined, file: string): void {
  splits.set(split, [...(splits.get(split) ?? []), file]);
}
