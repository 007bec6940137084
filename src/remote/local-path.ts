import { UsageError } from "../errors.ts";
import type { DownloadOptions } from "./download.ts";
import { isWhole, openedPath, setFolder } from "./fetch-set.ts";
import { exists, settings as environment, type Settings } from "./files.ts";
import { hubAddress, type HubAddress, isHubAddress, parseHubAddress } from "./hub-address.ts";
import type * as HubFiles from "./hub-files.ts";
import type { HubRepository } from "./hub.ts";
import { knownSets } from "./known-sets.ts";

/** A source on this machine. */
export interface LocalPath {
  /** Where it lies. */
  readonly path: string;
  /** What the result calls it: as the user wrote it, but for a hub's revision, which is the commit. */
  readonly name: string;
}

export interface LocalPathOptions extends DownloadOptions {
  readonly settings?: Settings;
}

/**
 * Where the model lies: a path is itself, and `hf://owner/model/file.onnx@revision` is fetched from the Hugging Face hub
 * with the files that hold its data, unless it is in the cache.
 *
 * @throws DownloadError when it cannot be fetched, UsageError when the address is none, Interruption
 */
export async function localModel(source: string, options: LocalPathOptions = {}): Promise<LocalPath> {
  if (!isHubAddress(source)) return { path: source, name: source };
  const { kind, path } = parseHubAddress(source);
  if (kind !== "models") throw new UsageError(`${source}: a data set: expected a model, hf://owner/model/file.onnx.`);
  return fetched(source, options, ({ fetchModel }, repository) => fetchModel(repository, path));
}

/**
 * Where the data lies: a path is itself, the name of a set is what `flatness data fetch` has left in the cache (unless
 * there is something of that name here), and of `hf://datasets/owner/name@revision` the Parquet files of the split, or the
 * file that it names, are fetched, unless they are in the cache.
 *
 * @param options.split the split that is wanted, default train where there are several
 * @throws DownloadError when it cannot be fetched, UsageError when the address is none or the set was not fetched,
 *   Interruption
 */
export async function localData(
  source: string,
  options: LocalPathOptions & { readonly split?: string } = {},
): Promise<LocalPath> {
  if (isHubAddress(source)) {
    const { kind, path } = parseHubAddress(source);
    if (kind !== "datasets") throw new UsageError(`${source}: a model: expected data, hf://datasets/owner/name.`);
    return fetched(source, options, ({ fetchData }, repository) => fetchData(repository, path, options.split));
  }
  const set = knownSets.find(({ name }) => name === source);
  if (!set || exists(source)) return { path: source, name: source };
  const folder = setFolder(set, options.settings ?? environment());
  if (!isWhole(set, folder)) {
    throw new UsageError(`${source}: not in the cache (${folder}): fetch it once with flatness data fetch ${source}.`);
  }
  return { path: openedPath(set, folder), name: source };
}

async function fetched(
  source: string,
  options: LocalPathOptions,
  fetch: (
    files: typeof HubFiles,
    repository: HubRepository,
  ) => Promise<{ readonly local: string; readonly path: string }>,
): Promise<LocalPath> {
  // Loaded where it is asked for.
  const { openHubRepository } = await import("./hub.ts");
  const repository = await openHubRepository(parseHubAddress(source), options.settings ?? environment(), options);
  const { local, path } = await fetch(await import("./hub-files.ts"), repository);
  const address: HubAddress = { ...repository.address, path };
  return { path: local, name: hubAddress(address) };
}
