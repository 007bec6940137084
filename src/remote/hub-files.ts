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
  const shards = shardsOfSplit(repository, path, files, split);
  const folders = [...new Set(shards.map(({ folder }) => folder))];
  const [folder, ...others] = folders;
  if (folder === undefined || others.length > 0) {
    const names = folders.map((name) => at(repository, name)).join(", ");
    throw new UsageError(`${at(repository, path)}: it has several configurations: name one of ${names}.`);
  }
  for (const { entry: file } of shards) await repository.fetch(file);
  return { local: folder === "" ? repository.folder : `${repository.folder}/${folder}`, path: folder };
}

/** A file with the split that it is a part of, and the folder of all its splits. */
interface Shard {
  readonly entry: HubEntry;
  readonly split: string | undefined;
  readonly folder: string;
}

function shardsOfSplit(
  repository: HubRepository,
  path: string,
  files: readonly HubEntry[],
  asked: string | undefined,
): readonly Shard[] {
  const shards = files.map(shardOf);
  const splits = [...new Set(shards.flatMap(({ split }) => split ?? []))];
  if (splits.length === 0 && asked === undefined) return shards;
  const chosen = shards.filter(({ split }) => split === (asked ?? "train"));
  if (chosen.length > 0) return chosen;
  const have = splits.length === 0 ? "It has no splits: leave it out" : `It has: ${splits.join(", ")}`;
  throw new UsageError(`${at(repository, path)}: no split ${asked ?? "train"}. ${have}.`);
}

const splitNames = "train|validation|valid|val|dev|test";

/** `data/train-00000-of-00002.parquet`, `train.parquet`, or files in the folder of a split: `default/train/0000.parquet`. */
function shardOf(entry: HubEntry): Shard {
  const folder = folderOf(entry.path);
  const [name, above] = [nameOf(entry.path), nameOf(folder)];
  const [, split] = /^(.+)-\d{5}-of-\d{5}\b/.exec(name) ?? new RegExp(`^(${splitNames})\\.`).exec(name) ?? [];
  if (split !== undefined) return { entry, split, folder };
  const inSplit = new RegExp(`^(${splitNames})$`).test(above) || (/^\d+\.parquet$/.test(name) && above !== "");
  return inSplit ? { entry, split: above, folder: folderOf(folder) } : { entry, split: undefined, folder };
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
