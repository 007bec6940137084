import type { ByteFile, Files } from "../../src/data/byte-file.ts";
import { disk } from "../../src/data/files.ts";
import { DataError } from "../../src/errors.ts";

/** A file as a page has it: the `File` of the browser. */
export function pageFile(name: string, bytes: Uint8Array): ByteFile {
  return new File([bytes as Uint8Array<ArrayBuffer>], name);
}

/** Files as a page has them: no disk, a directory is a prefix. */
export function memoryFiles(contents: Readonly<Record<string, Uint8Array>>): Files {
  const paths = Object.keys(contents);
  return {
    async list(path) {
      const inside = paths.filter((file) => file.startsWith(`${path}/`));
      const names = inside.map((file) => file.slice(path.length + 1).split("/")[0]!);
      return inside.length > 0 ? [...new Set(names)].sort() : undefined;
    },
    async open(path, directory) {
      const name = directory === undefined ? path : `${directory}/${path}`;
      const bytes = contents[name];
      if (!bytes) throw new DataError(`${name}: no such file or directory.`);
      return pageFile(name, bytes);
    },
    example: disk.example,
    sha256: disk.sha256,
    wasm: disk.wasm,
  };
}
