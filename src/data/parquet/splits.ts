import { DataError } from "../../errors.ts";

/** What `datasets` writes: `train-00000-of-00002.parquet`, at times with 16 digits more; or `train.parquet`. */
const shard = /^(.+?)(?:-(\d{5})-of-(\d{5})(?:-[0-9a-f]{16})?)?\.parquet$/i;
const splitNames = /^(train|test|val|valid|validation|eval|dev)/i;

/**
 * The Parquet files among the names in a folder by split, which is what stands before `-00000-of-00002` or `.parquet`.
 * All files are one split without a name where no name says train, test or validation. Throws DataError when a part is missing.
 */
export function splitFiles(folder: string, names: readonly string[]): Map<string | undefined, string[]> {
  const files = names.map((name) => ({ name, found: shard.exec(name) })).filter(({ found }) => found !== null);
  const named = files.some(({ found }) => splitNames.test(found![1]!));
  const splits = new Map<string | undefined, string[]>();
  const expected = new Map<string, Set<string>>();
  for (const { name, found } of files) {
    const [, prefix, part, of] = found as unknown as [string, string, string | undefined, string | undefined];
    const split = named ? prefix : undefined;
    splits.set(split, [...(splits.get(split) ?? []), name].sort());
    if (part !== undefined) {
      const set = `${prefix}-of-${of}`;
      expected.set(set, (expected.get(set) ?? new Set()).add(part));
    }
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
  return splits;
}
