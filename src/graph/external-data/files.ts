import type { Hash } from "node:crypto";
import { closeSync, existsSync, openSync, readSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { ModelError } from "../../errors.ts";
import type { ExternalLocation, StoredBytes } from "../tensor.ts";

/** Bytes of a piece: whole elements of any type. */
const PIECE = 1 << 20;
/** Node reads less than 2 GiB at once. */
const LARGEST_READ = 2 ** 30;

/**
 * The files that hold a model's data beside it. They are looked for when they are needed, and only where a model may have them: inside
 * its folder, that of the file itself where the model's path is a link; or, where a link inside the folder leads out, among the
 * blobs of the same repository in a Hugging Face cache.
 */
export class DataFiles {
  readonly #model: string;
  readonly #folders: readonly string[];
  /** The real path of each file by its name in the model. */
  readonly #paths = new Map<string, string>();
  readonly #names = new Set<string>();

  /**
   * @param model what messages call the model
   * @param location its path
   */
  constructor(model: string, location: string) {
    this.#model = model;
    this.#folders = [...new Set([dirname(resolve(location)), dirname(realpathSync(location))])];
  }

  /** The bytes at a place in one of the files. @throws ModelError, when they are asked for, where they may not or cannot be read */
  at(location: ExternalLocation): StoredBytes {
    this.#names.add(location.file);
    const { offset, length } = location;
    const path = () => this.#checked(location);
    return {
      location,
      path,
      read: () => readRange(path(), offset, length),
      pieces: () => pieces(path(), offset, length),
    };
  }

  /** Adds the files to a hash, whole, in the order of their names. */
  addTo(hash: Hash): void {
    for (const name of [...this.#names].sort()) {
      const path = this.#path(name);
      for (const piece of pieces(path, 0, statSync(path).size)) hash.update(piece);
    }
  }

  #checked({ file, offset, length }: ExternalLocation): string {
    const path = this.#path(file);
    const { size } = statSync(path);
    if (offset + length > size) {
      throw new ModelError(`${file}: truncated: expected ${offset + length} bytes, have ${size}`);
    }
    return path;
  }

  #path(name: string): string {
    const known = this.#paths.get(name) ?? this.#find(name);
    this.#paths.set(name, known);
    return known;
  }

  #find(name: string): string {
    const outside = () =>
      new ModelError(`${this.#model}: its data lies in ${name}, outside the model's folder; expected a file inside it`);
    if (this.#folders.some((folder) => !isInside(folder, resolve(folder, name)))) throw outside();
    const folder = this.#folders.find((candidate) => existsSync(resolve(candidate, name)));
    if (folder === undefined) {
      throw new ModelError(`${this.#model}: its data lies in ${name}, and there is no such file beside it`);
    }
    // What is opened is what was checked: the path without links.
    const path = realpathSync(resolve(folder, name));
    if (!mayRead(realpathSync(folder), path)) throw outside();
    if (!statSync(path).isFile()) throw new ModelError(`${this.#model}: its data lies in ${name}, which is no file`);
    return path;
  }
}

function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Whether a model in a folder may have its data in a file, both without links on their way. */
function mayRead(folder: string, path: string): boolean {
  if (isInside(folder, path)) return true;
  // models--owner--name/snapshots/<revision>/… has links to ../../blobs/<hash>.
  for (let inner = folder; dirname(inner) !== inner; inner = dirname(inner)) {
    const snapshots = dirname(inner);
    const repository = dirname(snapshots);
    if (basename(snapshots) !== "snapshots" || !/^(models|datasets|spaces)--/.test(basename(repository))) continue;
    return dirname(path) === join(repository, "blobs");
  }
  return false;
}

/** Bytes of a file. @throws ModelError when it has become shorter than the caller found it */
export function readRange(path: string, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  const descriptor = openSync(path, "r");
  try {
    fill(bytes, descriptor, path, start);
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

/** The bytes of a range, always in the same array, so that a file of gigabytes leaves nothing behind. */
function* pieces(path: string, start: number, length: number): Generator<Uint8Array> {
  const bytes = new Uint8Array(Math.min(PIECE, length));
  const descriptor = openSync(path, "r");
  try {
    for (let done = 0; done < length; done += PIECE) {
      const piece = bytes.subarray(0, Math.min(PIECE, length - done));
      fill(piece, descriptor, path, start + done);
      yield piece;
    }
  } finally {
    closeSync(descriptor);
  }
}

function fill(bytes: Uint8Array, descriptor: number, path: string, start: number): void {
  let done = 0;
  while (done < bytes.length) {
    const read = readSync(descriptor, bytes, done, Math.min(bytes.length - done, LARGEST_READ), start + done);
    if (read === 0) {
      const name = basename(path);
      throw new ModelError(
        `${name}: truncated while it was read: expected ${start + bytes.length} bytes, have ${start + done}`,
      );
    }
    done += read;
  }
}
