import { setFolder } from "./fetch-set.ts";
import { filesBelow, type Settings } from "./files.ts";
import { hubAddress } from "./hub-address.ts";
import { knownSets } from "./known-sets.ts";

/** Something in the cache, and what `--data` or a model's place names it by. */
export interface CachedSource {
  readonly name: string;
  readonly folder: string;
  readonly files: number;
  /** Of the files that are whole. */
  readonly bytes: number;
  /** Bytes of files that are not whole yet. */
  readonly unfinished: number;
  /** Files that are still to come, where it is known. */
  readonly missing?: number;
}

/** What is in the cache: sets by name, and the hub's repositories by commit. */
export async function cachedSources(settings: Settings): Promise<CachedSource[]> {
  const sources: CachedSource[] = [];
  for (const set of knownSets) {
    const folder = setFolder(set, settings);
    const found = summary(await filesBelow(folder));
    const missing = set.files.length - found.files;
    if (found.files > 0 || found.unfinished > 0) sources.push({ name: set.name, folder, ...found, missing });
  }
  const hub = `${settings.cache}/hub`;
  const commits = new Map<string, { path: string; bytes: number }[]>();
  for (const file of await filesBelow(hub)) {
    const [, folder] = /^((?:models|datasets)\/[^/]+\/[^/]+\/files\/[0-9a-f]{40})\//.exec(file.path) ?? [];
    if (folder !== undefined) commits.set(folder, [...(commits.get(folder) ?? []), file]);
  }
  for (const [folder, files] of commits) {
    const [kind, owner, repository, , revision] = folder.split("/") as ["models" | "datasets", ...string[]];
    const name = hubAddress({ kind, repository: `${owner}/${repository}`, revision: revision!, path: "" });
    sources.push({ name, folder: `${hub}/${folder}`, ...summary(files) });
  }
  return sources;
}

function summary(all: readonly { path: string; bytes: number }[]) {
  const parts = all.filter(({ path }) => /\.part\/\w+$/.test(path));
  const whole = all.filter((file) => !parts.includes(file));
  const sum = (files: typeof all) => files.reduce((bytes, file) => bytes + file.bytes, 0);
  return {
    files: whole.length,
    bytes: sum(whole),
    unfinished: sum(parts.filter(({ path }) => path.endsWith("/content"))),
  };
}
