import { UsageError } from "../errors.ts";
import { dotted } from "./common-names.ts";
import { type CheckpointFiles, checkpointsOnDisk } from "./files.ts";
import { openCheckpoint } from "./open.ts";

/** The files of weights that were asked for. */
export interface ChosenWeights {
  /** As {@link openCheckpoint} takes them. */
  readonly paths: readonly string[];
  /** Whether more than one could have been meant, whatever their number is. */
  readonly several: boolean;
}

/**
 * The files that paths and patterns name, each once. In a pattern `*` stands for any characters, `?` for one, `[a-c]` for one of these,
 * none of them for a slash: `runs/epoch-*.pt`; behind # for parts of the file. What a pattern finds is sorted as people count:
 * epoch-9 before epoch-10.
 *
 * @throws UsageError for a pattern that finds nothing
 */
export async function chosenWeights(
  patterns: readonly string[],
  files: CheckpointFiles = checkpointsOnDisk,
): Promise<ChosenWeights> {
  const found: string[] = [];
  let several = patterns.length > 1;
  for (const pattern of patterns) {
    if (!isPattern(pattern) || (await exists(pattern, files))) found.push(pattern);
    else {
      several = true;
      found.push(...(await expanded(pattern, files)));
    }
  }
  return { paths: [...new Set(found)], several };
}

async function expanded(pattern: string, files: CheckpointFiles): Promise<string[]> {
  const hash = pattern.lastIndexOf("#");
  const [file, part] = hash < 1 ? [pattern] : [pattern.slice(0, hash), pattern.slice(hash + 1)];
  const paths = isPattern(file) ? await expandedFiles(file, files) : [file];
  if (paths.length === 0) throw new UsageError(`${file}: no file of this pattern: expected at least one.`);
  if (part === undefined) return paths;
  const found = await Promise.all(
    paths.map(async (path) => (await partsOf(path, part, files)).map((each) => `${path}#${each}`)),
  );
  if (found.flat().length === 0) throw new UsageError(`${pattern}: no part of this pattern: expected at least one.`);
  return found.flat();
}

async function expandedFiles(pattern: string, files: CheckpointFiles): Promise<string[]> {
  const [first = "", ...segments] = pattern.split("/");
  let places = await matching("", first, files);
  for (const segment of segments) {
    const next = await Promise.all(places.map((place) => matching(`${place}/`, segment, files)));
    places = next.flat();
  }
  const there = await Promise.all(places.map((place) => exists(place, files)));
  return places.filter((_, index) => there[index]).toSorted(byNumber);
}

/** What a folder has under a name or a pattern; `folder` ends with a slash, or is empty. */
async function matching(folder: string, segment: string, files: CheckpointFiles): Promise<string[]> {
  if (!isPattern(segment)) return [folder + segment];
  const names = await listed(folder === "" ? "." : folder.slice(0, -1) || "/", files);
  const pattern = expressionOf(segment);
  return names
    .filter((name) => pattern.test(name) && name.startsWith(".") === segment.startsWith("."))
    .map((name) => folder + name);
}

async function listed(folder: string, files: CheckpointFiles): Promise<string[]> {
  try {
    return (await files.list(folder)) ?? [];
  } catch {
    return [];
  }
}

async function exists(path: string, files: CheckpointFiles): Promise<boolean> {
  try {
    await files.open(path);
    return true;
  } catch {
    return false;
  }
}

async function partsOf(path: string, pattern: string, files: CheckpointFiles): Promise<string[]> {
  if (!isPattern(pattern)) return [pattern];
  const { tensors } = await openCheckpoint(path, files);
  const names = [...tensors.keys()].map(dotted).filter((name) => name.includes("."));
  const parts = new Set(names.map((name) => name.slice(0, name.indexOf("."))));
  return [...parts].filter((part) => expressionOf(pattern).test(part)).toSorted(byNumber);
}

function isPattern(text: string): boolean {
  return /[*?[]/.test(text);
}

function expressionOf(pattern: string): RegExp {
  const source = pattern.replaceAll(
    /\[(!?)([^\]]+)\]|[*?]|[\\^$.|+(){}[\]]/g,
    (found, not: string | undefined, set: string | undefined) => {
      if (found === "*") return ".*";
      if (found === "?") return ".";
      if (set === undefined) return `\\${found}`;
      return `[${not === "!" ? "^" : ""}${set.replaceAll(/[\\\]^]/g, String.raw`\$&`)}]`;
    },
  );
  try {
    return new RegExp(`^${source}$`, "su");
  } catch (cause) {
    throw new UsageError(`${pattern}: not a pattern: expected *, ?, or [a-c] for one of a to c.`, { cause });
  }
}

const { compare: byNumber } = new Intl.Collator("en", { numeric: true });
