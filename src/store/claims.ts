import { readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { writing } from "./disk-errors.ts";
import { alive } from "./process-alive.ts";

/** A claim is renewed this often, in milliseconds. */
export const RENEWAL = 5_000;
/** One that was not renewed for so long has been left behind. */
const LEFT_BEHIND = 60_000;

/**
 * Claims keep two runners on one folder from doing the same work. They are advice: a claim that is wrongly taken for left behind
 * costs doing a piece twice, and never a result.
 */
export class Claims {
  readonly #folder: string;
  readonly #held = new Set<string>();
  readonly #timer: NodeJS.Timeout;

  constructor(folder: string) {
    this.#folder = folder;
    this.#timer = setInterval(() => this.#renew(), RENEWAL);
    this.#timer.unref();
  }

  /** Whether the work is ours to do now. */
  take(key: string): boolean {
    const path = this.#path(key);
    const owner = `${hostname()} ${process.pid}`;
    return writing(this.#folder, () => {
      for (let attempt = 0; attempt < 2; attempt++) {
        try {
          writeFileSync(path, owner, { flag: "wx" });
          this.#held.add(key);
          return true;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
          if (!isLeftBehind(path)) return false;
          rmSync(path, { force: true });
        }
      }
      return false;
    });
  }

  release(key: string): void {
    if (this.#held.delete(key)) rmSync(this.#path(key), { force: true });
  }

  close(): void {
    clearInterval(this.#timer);
    for (const key of this.#held) this.release(key);
  }

  #path(key: string): string {
    return join(this.#folder, claimName(key));
  }

  #renew(): void {
    const now = new Date();
    for (const key of this.#held) {
      try {
        utimesSync(this.#path(key), now, now);
      } catch {
        // Another took it over while this process stood still: then the work is done twice.
      }
    }
  }
}

function claimName(key: string): string {
  return `.${key}.claim`;
}

/** The key that a file's name claims; undefined where it is no claim. */
export function claimedKey(name: string): string | undefined {
  return /^\.([^.]+)\.claim$/.exec(name)?.[1];
}

function isLeftBehind(path: string): boolean {
  try {
    const [host, pid] = readFileSync(path, "utf8").split(" ");
    if (host === hostname() && pid !== undefined && !alive(Number(pid))) return true;
    return Date.now() - statSync(path).mtimeMs > LEFT_BEHIND;
  } catch {
    // Released in the meantime.
    return true;
  }
}
