import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UsageError } from "../errors.ts";

/**
 * Whether a folder can be made at this path, asked before the work and not after.
 *
 * @throws UsageError when there is something already, but for an empty folder
 */
export function checkNewFolder(path: string): void {
  if (!existsSync(path)) return;
  if (!statSync(path).isDirectory())
    throw new UsageError(`${path}: is a file: expected a folder that is new or empty.`);
  if (readdirSync(path).length > 0)
    throw new UsageError(`${path}: is not empty: expected a folder that is new or empty.`);
}

/** Writes a folder aside and renames it into place: it is there with all its files, or not at all. */
export function writeFolderWhole(path: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  checkNewFolder(path);
  const aside = `${path.replace(/\/+$/, "")}.${process.pid}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    mkdirSync(aside);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(aside, name), content);
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { recursive: true, force: true });
    throw new UsageError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}
