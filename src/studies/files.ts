import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { chosenWeights } from "../checkpoints/patterns.ts";
import { openDataset } from "../data/open.ts";
import { UsageError } from "../errors.ts";
import { readDocument } from "../yaml-document.ts";
import type { Contents } from "./expansion.ts";
import { type Study, studySchema } from "./schema.ts";

/** A study as it is written. */
export interface StudyFile {
  readonly study: Study;
  readonly text: string;
  readonly path: string;
}

/** The folder of the studies that come with the package: from src/studies and, bundled, from dist. */
function builtInFolder(): string {
  const places = ["../../studies/", "../studies/"].map((up) => fileURLToPath(new URL(up, import.meta.url)));
  return places.find((place) => existsSync(`${place}figure-5-digits.yaml`)) ?? places[0]!;
}

/** The studies that come with the package, sorted by name. */
export function builtInStudies(): StudyFile[] {
  const folder = builtInFolder();
  return readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .sort((a, b) => basename(a, ".yaml").localeCompare(basename(b, ".yaml"), "en", { numeric: true }))
    .map((name) => readStudy(folder + name, name));
}

/** @throws UsageError naming line and column, or the studies that there are */
export function findStudy(nameOrPath: string): StudyFile {
  if (/\.ya?ml$/i.test(nameOrPath) || nameOrPath.includes("/")) return readStudy(nameOrPath, nameOrPath);
  const path = `${builtInFolder()}${nameOrPath}.yaml`;
  if (/^[a-z0-9-]+$/.test(nameOrPath) && existsSync(path)) return readStudy(path, basename(path));
  const known = builtInStudies().map(({ study }) => study.name);
  throw new UsageError(`study ${nameOrPath}: no such study. There are: ${known.join(", ")}; or give a file.yaml.`);
}

function readStudy(path: string, shown: string): StudyFile {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new UsageError(`${shown}: ${code === "ENOENT" ? "no such file" : message}.`, { cause });
  }
  return { study: readDocument(text, shown, studySchema), text, path };
}

/** What lies on this machine's disk. */
export function diskContents(runtime: string): Contents {
  const hashes = new Map<string, Promise<string>>();
  return {
    runtime,
    data({ source, split }) {
      const key = JSON.stringify([source, split]);
      const known = hashes.get(key) ?? openDataset(source, { split }).then(({ sha256 }) => sha256);
      hashes.set(key, known);
      return known;
    },
    async models(pattern) {
      const { paths } = await chosenWeights([pattern]);
      return paths.map((path) => ({ path, sha256: hashOf(path) }));
    },
  };
}

function hashOf(path: string): string {
  if (path.startsWith("example:")) return path;
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex");
  } catch (cause) {
    throw new UsageError(`${path}: cannot be read: ${(cause as Error).message}.`, { cause });
  }
}
