import { accessSync, constants, existsSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { UsageError } from "../errors.ts";

/**
 * Writes a file aside and renames it into place: a reader sees the old file or the new one, never half of it. What is there and is no
 * file, such as /dev/stdout or a pipe, is written to, and not replaced by one.
 */
export function writeFileWhole(path: string, content: string | Uint8Array): void {
  const aside = `${path}.${process.pid}.tmp`;
  try {
    if (isStream(path)) return writeFileSync(path, content);
    writeFileSync(aside, content);
    renameSync(aside, path);
  } catch (cause) {
    rmSync(aside, { force: true });
    throw new UsageError(`${path}: cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Whether a file can be written at this path, asked before the work and not after.
 *
 * @throws UsageError when it cannot
 */
export function checkWritable(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) throw new UsageError(`${path}: cannot be written: there is no folder ${folder}`);
  if (existsSync(path) && statSync(path).isDirectory())
    throw new UsageError(`${path}: cannot be written: it is a folder`);
  if (isStream(path)) return;
  try {
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw new UsageError(`${path}: cannot be written: folder ${folder} is read-only`, { cause });
  }
}

/** Whether there is a device or a pipe. */
function isStream(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && !found.isFile() && !found.isDirectory();
}
