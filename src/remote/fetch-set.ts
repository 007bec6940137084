import { UsageError } from "../errors.ts";
import type { DownloadOptions } from "./download.ts";
import { fetchFile, type Settings, sizeOf } from "./files.ts";
import { type KnownFile, type KnownSet, knownSets } from "./known-sets.ts";

export interface FetchedSet {
  readonly set: KnownSet;
  readonly folder: string;
  /** The files that were not there before. */
  readonly fetched: readonly KnownFile[];
}

export interface FetchSetOptions extends DownloadOptions {
  /** Where the files go instead of the cache. */
  readonly folder?: string;
  /** Where files of the same names lie, instead of at the publisher's. */
  readonly mirror?: string;
}

/** The set of that name. @throws UsageError naming those that there are */
export function knownSet(name: string): KnownSet {
  const set = knownSets.find((each) => each.name === name);
  if (set) return set;
  throw new UsageError(`${name}: no such data set. There are: ${knownSets.map((each) => each.name).join(", ")}.`);
}

/** The set's folder in the cache. */
export function setFolder({ name }: KnownSet, { cache }: Settings): string {
  return `${cache}/data/${name}`;
}

/** What is to be opened of a set whose files lie in `folder`. */
export function openedPath({ opened, files }: KnownSet, folder: string): string {
  return opened === "folder" ? folder : `${folder}/${files[0]!.name}`;
}

/** Whether all files of a set are in a folder. */
export function isWhole({ files }: KnownSet, folder: string): boolean {
  return files.every(({ name, bytes }) => sizeOf(`${folder}/${name}`) === bytes);
}

/**
 * Fetches what is not there of a set's files, and compares their checksums with the publisher's.
 *
 * @throws DownloadError, UsageError, Interruption
 */
export async function fetchSet(set: KnownSet, settings: Settings, options: FetchSetOptions = {}): Promise<FetchedSet> {
  const folder = options.folder ?? setFolder(set, settings);
  const base = parsedUrl(options.mirror ?? set.url);
  const fetched: KnownFile[] = [];
  for (const file of set.files) {
    const { name, bytes, sha256 } = file;
    const source = { name, bytes, url: new URL(name, base).href };
    const checksum = { algorithm: "sha256" as const, hex: sha256 };
    if (await fetchFile(source, checksum, `${folder}/${name}`, options)) fetched.push(file);
  }
  return { set, folder, fetched };
}

function parsedUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new UsageError(`${text}: expected an address that begins with http:// or https://.`);
  }
  if (!url.pathname.endsWith("/")) url.pathname += "/";
  return url;
}
