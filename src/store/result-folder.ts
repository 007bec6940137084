import {
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import { claimedKey } from "./claims.ts";
import { alive } from "./process-alive.ts";
import { writing } from "./disk-errors.ts";

/** The files of one finished piece of work: name → content. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/**
 * Results as directories, one a piece of work, named by its key. A directory is written aside, its files flushed to the disk, and
 * renamed into place: it is there whole or not at all, whatever is killed and whenever. Two processes may write one key: the first
 * to rename wins, and as the content follows from the key it does not matter which.
 */
export class ResultFolder {
  readonly path: string;

  /** @throws UsageError when the folder cannot be made or written */
  constructor(path: string) {
    this.path = path;
    writing(path, () => {
      mkdirSync(path, { recursive: true });
      this.sweep();
      // The folder may be there and read-only.
      const probe = join(path, asideName("probe"));
      mkdirSync(probe);
      rmSync(probe, { recursive: true });
    });
  }

  /** Takes away what processes of this machine that are no more were writing, and claims on what is finished. */
  sweep(): void {
    for (const name of readdirSync(this.path)) {
      // A runner that was killed did not release what its worker finished.
      const claimed = claimedKey(name);
      const over = claimed === undefined ? isAbandoned(name) : this.has(claimed);
      if (over) rmSync(join(this.path, name), { recursive: true, force: true });
    }
  }

  has(key: string): boolean {
    return existsSync(join(this.path, key));
  }

  /** Keys of all that is finished, sorted. */
  keys(): string[] {
    return readdirSync(this.path)
      .filter((name) => /^[0-9a-f]+$/.test(name))
      .sort();
  }

  /** A file of a finished piece of work; undefined when it is not there. */
  read(key: string, name: string): Uint8Array | undefined {
    try {
      return readFileSync(join(this.path, key, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new UsageError(`${join(this.path, key, name)}: cannot be read: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /** Where a file of a finished piece of work is. */
  pathOf(key: string, name: string): string {
    return join(this.path, key, name);
  }

  /** @throws UsageError when it cannot be written: a full disk, a folder that has become read-only */
  commit(key: string, files: Files): void {
    const aside = join(this.path, asideName(key));
    const place = join(this.path, key);
    try {
      writing(this.path, () => {
        mkdirSync(aside);
        for (const [name, content] of Object.entries(files)) writeFileSync(join(aside, name), content, { flush: true });
        syncFolder(aside);
        try {
          renameSync(aside, place);
        } catch (error) {
          // Another process was first.
          if (!existsSync(place)) throw error;
        }
        syncFolder(this.path);
      });
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  }

  /** Takes away what cannot be read, so that it is made again. */
  discard(key: string): void {
    writing(this.path, () => rmSync(join(this.path, key), { recursive: true, force: true }));
  }
}

let made = 0;

function asideName(key: string): string {
  return `.${key}.${hostname()}.${process.pid}.${made++}`;
}

/** Whether a directory was being written by a process of this machine that is no more. */
function isAbandoned(name: string): boolean {
  if (!name.startsWith(".")) return false;
  const [, pid] = name.split(`.${hostname()}.`);
  return pid !== undefined && !alive(Number.parseInt(pid, 10));
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
