import { createHash, randomUUID } from "node:crypto";
import { createReadStream, existsSync, readFileSync, type Stats, statSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DownloadError, UsageError } from "../errors.ts";
import { download, type DownloadOptions, type PartialFile, type RemoteFile } from "./download.ts";

/** What the machine's environment says of downloads. */
export interface Settings {
  /** The folder that downloads are kept in. */
  readonly cache: string;
  /** The hub's address, without a slash at its end. */
  readonly hub: string;
  readonly token?: string;
}

/** $FLATNESS_CACHE, else flatness in $XDG_CACHE_HOME or ~/.cache; $HF_ENDPOINT and $HF_TOKEN as Hugging Face's tools have them. */
export function settings({ env } = process): Settings {
  return {
    cache: env["FLATNESS_CACHE"] || join(env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "flatness"),
    hub: (env["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, ""),
    token: env["HF_TOKEN"] || undefined,
  };
}

/** A checksum: of the bytes, or as git makes it, of "blob", their number and the bytes. */
export interface Checksum {
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

/** A part that nobody wrote to for this long has lost its process: a live connection is given up after five minutes. */
const ABANDONED_MS = 6 * 60_000;

/**
 * Sees to it that `target` is the file, and fetches it where it is not. A file of the right length is taken to be it: its
 * checksum was compared before it got its name. While it is fetched it is a folder beside, `<name>.….part`, that belongs
 * to one process; ended early it becomes `<name>.part`, and the next to come goes on with it.
 *
 * @returns whether it had to be fetched
 * @throws DownloadError when it cannot be fetched or is not what it should be; Interruption; UsageError when the folder
 *   cannot be written to
 */
export async function fetchFile(
  file: RemoteFile,
  checksum: Checksum,
  target: string,
  options: DownloadOptions,
): Promise<boolean> {
  if (sizeOf(target) === file.bytes) return false;
  await writing(dirname(target), () => mkdir(dirname(target), { recursive: true }));
  for (;;) {
    const part = await Part.take(target);
    const resumed = part.bytes > 0;
    let keep = true;
    try {
      await download(file, part, options);
      await part.close();
      const came = await checksumOf(part.content, checksum.algorithm);
      if (came === checksum.hex) {
        await writing(target, () => rename(part.content, target));
        keep = false;
        await rm(`${target}.part`, { recursive: true, force: true });
        return true;
      }
      keep = false;
      // Bytes of another time may have been damaged since; those of one connection were sent so.
      if (!resumed) {
        throw new DownloadError(
          `${file.name}: damaged: expected ${checksum.algorithm} ${checksum.hex}, ${file.url} has ${came}.`,
        );
      }
    } finally {
      await part.close();
      if (keep && part.bytes > 0) await part.leave();
      else await part.discard();
    }
  }
}

/** A folder with the bytes that have come and the version that they are of. */
class Part implements PartialFile {
  readonly content: string;
  readonly #target: string;
  readonly #folder: string;
  #file: Awaited<ReturnType<typeof open>> | undefined;
  bytes = 0;
  validator: string | undefined;

  private constructor(target: string, folder: string) {
    this.#target = target;
    this.#folder = folder;
    this.content = join(folder, "content");
  }

  /** Goes on with the part that somebody left, which no two can take, or begins one. */
  static async take(target: string): Promise<Part> {
    const folder = `${target}.${randomUUID().slice(0, 8)}.part`;
    for (const left of await leftParts(target)) {
      if (
        await rename(left, folder).then(
          () => true,
          () => false,
        )
      )
        break;
    }
    const part = new Part(target, folder);
    await writing(folder, () => mkdir(folder, { recursive: true }));
    part.validator = await readFile(join(folder, "validator"), "utf8").catch(() => undefined);
    part.#file = await writing(part.content, () => open(part.content, "a"));
    part.bytes = (await part.#file.stat()).size;
    return part;
  }

  async restart(validator: string | undefined): Promise<void> {
    const path = join(this.#folder, "validator");
    await writing(this.content, async () => {
      await rm(path, { force: true });
      await this.#file!.truncate(0);
      this.bytes = 0;
      if (validator !== undefined) await writeFile(path, validator);
    });
    this.validator = validator;
  }

  async append(chunk: Uint8Array): Promise<void> {
    await writing(this.content, () => this.#file!.appendFile(chunk));
    this.bytes += chunk.length;
  }

  /** The bytes are on the disk before anything is renamed: a file's name says that it is whole. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    await writing(this.content, () => file.sync());
    await file.close();
  }

  /** For the next to come; where another process left one meanwhile, one is enough. */
  async leave(): Promise<void> {
    await rename(this.#folder, `${this.#target}.part`).catch(() => this.discard());
  }

  async discard(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Parts that were left, and those whose process is gone. */
async function leftParts(target: string): Promise<string[]> {
  const [folder, name] = [dirname(target), basename(target)];
  const parts = (await readdir(folder)).filter((each) => each.startsWith(`${name}.`) && each.endsWith(".part"));
  const left = (path: string) => {
    const { mtimeMs = Date.now() } = status(join(path, "content")) ?? status(path) ?? {};
    return path === `${target}.part` || Date.now() - mtimeMs > ABANDONED_MS;
  };
  return parts.map((each) => join(folder, each)).filter(left);
}

async function writing<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    throw new UsageError(
      `${path}: cannot be written: ${(cause as Error).message}; FLATNESS_CACHE names another folder for downloads.`,
      { cause },
    );
  }
}

async function checksumOf(path: string, algorithm: Checksum["algorithm"]): Promise<string> {
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  if (algorithm === "git-sha1") hash.update(`blob ${(await stat(path)).size}\0`);
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}

/** Bytes of a file; undefined when there is none. */
export function sizeOf(path: string): number | undefined {
  const found = status(path);
  return found?.isFile() ? found.size : undefined;
}

function status(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whether anything has this path. */
export function exists(path: string): boolean {
  return existsSync(path);
}

export function readBytes(path: string): Uint8Array {
  return readFileSync(path);
}

/** Paths below a folder, with slashes, of its files and their bytes; none when there is no folder. */
export async function filesBelow(folder: string): Promise<{ path: string; bytes: number }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .map((path) => ({ path: path.slice(folder.length + 1).replaceAll("\\", "/"), bytes: sizeOf(path) ?? 0 }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** What {@link remember} kept at `path`; undefined when there is nothing, or nothing whole. */
export async function recall(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Keeps what never changes as JSON. */
export async function remember(path: string, value: unknown): Promise<void> {
  await writing(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    const aside = `${path}.${randomUUID().slice(0, 8)}`;
    await writeFile(aside, JSON.stringify(value));
    await rename(aside, path);
  });
}
