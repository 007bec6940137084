import type { ByteFile, Files } from "./byte-file.ts";
import type { Dataset } from "./dataset.ts";

/** A second's reading; beyond, a data set of which a few samples are measured would take longer to hash than to measure. */
const mostBytes = 2 ** 30;
const mostFiles = 10_000;

/**
 * SHA-256 of a source of many files: of a line `size name` for each, then of all their bytes one after the other. Of the
 * lines alone where there are more than 10 000 files or 1 GiB, and `hashed` says so.
 */
export async function hashFiles(
  parts: readonly { readonly name: string; readonly file: ByteFile }[],
  files: Files,
): Promise<Pick<Dataset, "sha256" | "hashed">> {
  const lines = new TextEncoder().encode(parts.map(({ name, file }) => `${file.size} ${name}\n`).join(""));
  const listing = {
    async *stream() {
      yield lines;
    },
  };
  const bytes = parts.reduce((sum, { file }) => sum + file.size, 0);
  if (parts.length > mostFiles || bytes > mostBytes) {
    return { sha256: await files.sha256([listing]), hashed: "names and sizes" };
  }
  return { sha256: await files.sha256([listing, ...parts.map(({ file }) => file)]) };
}

/** SHA-256 of a file's bytes; beyond 1 GiB of a line `size name` alone, and `hashed` says so. */
export async function hashFile(file: ByteFile, files: Files): Promise<Pick<Dataset, "sha256" | "hashed">> {
  if (file.size <= mostBytes) return { sha256: await files.sha256([file]) };
  return hashFiles([{ name: file.name.split(/[\\/]/).at(-1)!, file }], files);
}
