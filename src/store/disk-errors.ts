import { FlatnessError, UsageError } from "../errors.ts";

const meanings: Readonly<Record<string, string>> = {
  ENOSPC: "no space is left on the disk; make room and run the same command again: what is finished is kept",
  EDQUOT: "the disk quota is used up; make room and run the same command again: what is finished is kept",
  EROFS: "the file system is read-only",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOTDIR: "a part of the path is a file",
  EEXIST: "there is a file of that name",
};

/** Nothing can be written there: no further piece of work can be kept. */
export class UnwritableError extends UsageError {}

/** Does what writes to the disk, and says in a sentence why it cannot be done. */
export function writing<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof FlatnessError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === undefined) throw cause;
    throw new UnwritableError(`${path}: cannot be written: ${meanings[code] ?? message}.`, { cause });
  }
}
