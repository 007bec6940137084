import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { open, readdir, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { DataError } from "../errors.ts";
import type { ByteFile, Files } from "./byte-file.ts";

const chunkBytes = 65536;

/** Files on disk. The only place of this folder that knows Node. */
export const disk: Files = {
  async list(path) {
    const found = await explained(path, stat(path));
    return found.isDirectory() ? (await explained(path, readdir(path))).sort() : undefined;
  },

  async open(path, directory) {
    const name = directory === undefined ? path : join(directory, path);
    const { size } = await explained(name, stat(name));
    return { name, size, stream: () => chunks(name), slice: (start, end) => part(name, start, end) };
  },

  async example(name) {
    // From dist/ of the bundle, and from src/data/.
    const places = ["../examples/", "../../examples/"].map((place) => new URL(place + name, import.meta.url));
    const place = places.find((url) => existsSync(url));
    if (!place) throw new DataError(`examples/${name}: not in this installation; install the package again.`);
    return disk.open(fileURLToPath(place));
  },

  async sha256(files: readonly Pick<ByteFile, "stream">[]) {
    const hash = createHash("sha256");
    for (const file of files) for await (const chunk of file.stream()) hash.update(chunk);
    return hash.digest("hex");
  },

  async wasm(module) {
    const { buffer, byteOffset, byteLength } = await readFile(createRequire(import.meta.url).resolve(module));
    return (buffer as ArrayBuffer).slice(byteOffset, byteOffset + byteLength);
  },
};

function part(path: string, start: number, end: number): ReturnType<ByteFile["slice"]> {
  return {
    async arrayBuffer() {
      const handle = await explained(path, open(path));
      try {
        const { size } = await explained(path, handle.stat());
        const bytes = new Uint8Array(Math.max(0, Math.min(end, size) - start));
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await explained(
            path,
            handle.read(bytes, filled, bytes.length - filled, start + filled),
          );
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return filled === bytes.length ? bytes.buffer : bytes.buffer.slice(0, filled);
      } finally {
        await handle.close();
      }
    },
  };
}

/** A new array for each chunk: a reader may still hold the last one. */
async function* chunks(path: string): AsyncGenerator<Uint8Array> {
  const handle = await explained(path, open(path));
  try {
    for (;;) {
      const { bytesRead, buffer } = await explained(path, handle.read(new Uint8Array(chunkBytes)));
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

const causes: Record<string, string> = {
  ENOENT: "no such file or directory",
  ENOTDIR: "no such file or directory",
  EACCES: "no permission to read it",
  EISDIR: "expected a file, came a directory",
};

/** The system's error as a sentence about the path. */
async function explained<T>(path: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new DataError(`${path}: ${causes[code ?? ""] ?? message}.`);
  }
}
