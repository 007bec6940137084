import { UsageError } from "../errors.ts";

/** A repository of the Hugging Face hub, or a file or folder in it. */
export interface HubAddress {
  readonly kind: "models" | "datasets";
  /** `owner/name`. */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** The file or folder, "" for the whole repository. */
  readonly path: string;
}

const scheme = "hf://";
const form = "hf://owner/model/file.onnx or hf://datasets/owner/name, with @revision behind the name or at the end";

export function isHubAddress(source: string): boolean {
  return source.startsWith(scheme);
}

/** A revision with a slash in it that the hub makes itself: `refs/convert/parquet`, `refs/pr/1`. */
const special = "refs/(?:convert|pr)/[^/@]+";
const pattern = new RegExp(`^([^/@]+/[^/@]+)(?:@(${special}|[^/@]+))?(?:/(.*))?$`);
const name = /^[A-Za-z0-9_][\w.-]*\/[A-Za-z0-9_][\w.-]*$/;

/**
 * Reads `hf://[datasets/]owner/name[@revision][/path]`, the form of Hugging Face's own tools, and the same with the
 * revision at the end; without one it is `main`. A slash in a revision is written %2F, but for `refs/…`.
 *
 * @throws UsageError for anything else, and for a path that leaves the repository
 */
export function parseHubAddress(source: string): HubAddress {
  const wrong = (what: string) => new UsageError(`${source}: ${what}: expected ${form}.`);
  const rest = source.slice(scheme.length);
  if (/^(spaces|buckets|kernels)\//.test(rest)) throw wrong("neither a model nor a data set");
  const kind = rest.startsWith("datasets/") ? "datasets" : "models";
  const [, repository = "", behind, inside = ""] = pattern.exec(rest.replace(/^(datasets|models)\//, "")) ?? [];
  if (!name.test(repository)) throw wrong("no repository of the form owner/name");
  const at = behind === undefined ? inside.lastIndexOf("@") : -1;
  const revision = decoded(at < 0 ? (behind ?? "main") : inside.slice(at + 1));
  if (!revision || !/^[\w][\w./-]*$/.test(revision) || revision.includes("..")) throw wrong("no revision after @");
  const path = (at < 0 ? inside : inside.slice(0, at)).replace(/\/$/, "");
  if (path !== "" && !isInside(path)) throw wrong(`${path} is no path in a repository`);
  return { kind, repository, revision, path };
}

/** The address in the form of Hugging Face's own tools. */
export function hubAddress({ kind, repository, revision, path }: HubAddress): string {
  const shown = new RegExp(`^${special}$`).test(revision) ? revision : encodeURIComponent(revision);
  return `${scheme}${kind === "datasets" ? "datasets/" : ""}${repository}@${shown}${path && `/${path}`}`;
}

/** Whether a path, whoever gave it, stays inside the folder that it is joined to. */
export function isInside(path: string): boolean {
  if (path.includes("\\") || path.includes("\0")) return false;
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
