import { type ParquetSet, parquetSets } from "../data/parquet/splits.ts";
import { DownloadError, UsageError } from "../errors.ts";
import { externalFiles } from "../graph/external-data/locations.ts";
import { readBytes } from "./files.ts";
import { hubAddress } from "./hub-address.ts";
import { folderOf, type HubEntry } from "./hub-entry.ts";
import type { HubRepository } from "./hub.ts";

/**
 * Fetches the model at `path`, or the only one in the folder at `path`, with the files that hold its data.
 * Resolves to its path on this machine and in the repository.
 */
export async function fetchModel(repository: HubRepository, path: string): Promise<{ local: string; path: string }> {
  const entry = await modelAt(repository, path);
  const local = await repository.fetch(entry);
  const inside = folderOf(entry.path);
  for (const file of externalFiles(readBytes(local))) {
    const data = await find(repository, joined(inside, file));
    // One that is not there is the reader's to refuse, which names the tensor's file.
    if (data?.type === "file") await repository.fetch(data);
  }
  return { local, path: entry.path };
}

async function modelAt(repository: HubRepository, path: string): Promise<HubEntry> {
  const entry = path === "" ? undefined : await found(repository, path);
  if (entry?.type === "file") return entry;
  const files = (await repository.list(path, true)).filter(
    ({ type, path: name }) => type === "file" && /\.onnx$/i.test(name),
  );
  const [only, ...others] = files;
  if (only && others.length === 0) return only;
  const have = only ? `it has ${files.map(({ path: name }) => name).join(", ")}: name one of them` : "it has none";
  throw new UsageError(`${at(repository, path)}: expected one .onnx file, ${have}.`);
}

/**
 * Fetches the file at `path`, or the Parquet files of one split from the folder at `path`.
 * Resolves to the file, or to the folder that holds the split, and to what was taken in the repository.
 */
export async function fetchData(
  repository: HubRepository,
  path: string,
  split: string | undefined,
): Promise<{ local: string; path: string }> {
  const entry = path === "" ? undefined : await found(repository, path);
  if (entry?.type === "file") return { local: await repository.fetch(entry), path };
  const files = (await repository.list(path, true)).filter(
    ({ type, path: name }) => type === "file" && /\.parquet$/i.test(name),
  );
  if (files.length === 0) {
    throw new UsageError(
      `${at(repository, path)}: no Parquet files: name a file, or the hub's own conversion, ` +
        `${hubAddress({ ...repository.address, revision: "refs/convert/parquet", path: "" })}.`,
    );
  }
  const set = setWithSplit(repository, path, parquetSets(files.map(({ path: name }) => name)), split);
  const wanted = new Set(set.files.map((name) => (set.folder === "" ? name : `${set.folder}/${name}`)));
  for (const file of files) if (wanted.has(file.path)) await repository.fetch(file);
  const { folder } = set;
  return { local: folder === "" ? repository.folder : `${repository.folder}/${folder}`, path: folder };
}

/** The one set that has the split, by default train where there are several. */
function setWithSplit(
  repository: HubRepository,
  path: string,
  sets: readonly ParquetSet[],
  asked: string | undefined,
): { readonly folder: string; readonly files: readonly string[] } {
  const having = sets.flatMap(({ folder, splits }) => {
    const files = splits.get(asked ?? (splits.size === 1 && splits.has(undefined) ? undefined : "train"));
    return files ? [{ folder, files }] : [];
  });
  const [only, ...others] = having;
  if (only && others.length === 0) return only;
  if (only) {
    const names = having.map(({ folder }) => at(repository, folder)).join(", ");
    throw new UsageError(`${at(repository, path)}: it has several configurations: name one of ${names}.`);
  }
  const known = [...new Set(sets.flatMap(({ splits }) => [...splits.keys()]))].filter((name) => name !== undefined);
  const have = known.length === 0 ? "It has no splits: leave it out" : `It has: ${known.sort().join(", ")}`;
  throw new UsageError(`${at(repository, path)}: no split ${asked ?? "train"}. ${have}.`);
}

async function found(repository: HubRepository, path: string): Promise<HubEntry> {
  const entry = await find(repository, path);
  if (entry) return entry;
  let folder = folderOf(path);
  while (folder !== "" && (await find(repository, folder))?.type !== "folder") folder = folderOf(folder);
  const names = (await repository.list(folder)).map((each) => nameOf(each.path));
  const shown = `${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}`;
  throw new DownloadError(`${at(repository, path)}: no such file. ${folder || "The repository"} has: ${shown}.`);
}

/** Looks in folders only that the folder above has, as the hub does not tell one that is absent from a wrong commit. */
async function find(repository: HubRepository, path: string): Promise<HubEntry | undefined> {
  const folder = folderOf(path);
  if (folder !== "" && (await find(repository, folder))?.type !== "folder") return undefined;
  return (await repository.list(folder)).find((each) => each.path === path);
}

function at(repository: HubRepository, path: string): string {
  return hubAddress({ ...repository.address, path });
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** A path beside a file of `folder`, without `.` and `..`; it begins with `..` when it leaves the repository. */
function joined(folder: string, path: string): string {
  const parts: string[] = folder === "" ? [] : folder.split("/");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== ".." || parts.length === 0 || parts.at(-1) === "..") parts.push(part);
    else parts.pop();
  }
  return parts.join("/");
}
