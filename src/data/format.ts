import { UsageError } from "../errors.ts";
import type { ArrayOptions } from "./array-dataset.ts";
import type { Files } from "./byte-file.ts";
import type { Dataset } from "./dataset.ts";

/** What `--data` names, looked at just enough to tell which format it is. */
export interface Source {
  /** As the user wrote it. */
  readonly path: string;
  /** The names in it, sorted, when it is a directory. */
  readonly names?: readonly string[];
  readonly files: Files;
}

/** A way to keep a data set on disk. `open.ts` lists them all; the first that matches opens the source. */
export interface Format {
  /** What a message that lists the formats says, such as "an .npz file with the arrays x and y". */
  readonly description: string;
  matches(source: Source, options: ArrayOptions): boolean | Promise<boolean>;
  open(source: Source, options: ArrayOptions): Promise<Dataset>;
}

/** The split that was asked for, where the source has it. Throws UsageError with those that it has. */
export function chosenSplit(source: string, splits: readonly string[], asked: string | undefined): string | undefined {
  if (asked === undefined || splits.includes(asked)) return asked;
  if (splits.length === 0)
    throw new UsageError(`${source}: no split ${asked}: this source has no splits; leave it out.`);
  throw new UsageError(`${source}: no split ${asked}. It has: ${splits.join(", ")}.`);
}
