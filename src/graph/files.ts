import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ModelError, UsageError } from "../errors.ts";
import { DataFiles } from "./external-data/files.ts";
import type { Graph } from "./graph.ts";
import { decodeModel } from "./onnx.ts";
import { convertOpset } from "./opset.ts";
import { refuseTraining } from "./training-mode.ts";
import { widen, type HalfPrecision } from "./widening.ts";

/** A model read from disk. */
export interface ModelFile {
  readonly graph: Graph;
  /** What the user called it. */
  readonly file: string;
  /** Of the file's bytes and, after them, of the files that hold its data, in the order of their names: `cat m.onnx m.onnx.data | sha256sum`. */
  readonly sha256: string;
  /** The operator set of the file, before conversion. */
  readonly opset: number;
  /** What the file computes in, where that is less than the float32 in which it is measured. */
  readonly precision?: HalfPrecision;
}

const examples: Readonly<Record<string, string>> = { "digits-mlp": "digits-mlp.onnx" };

/**
 * Reads an ONNX model from a path, or one of the package's own (`example:digits-mlp`). External data is read when it is needed,
 * and only from inside the model's folder. Half precision is widened to float32.
 *
 * @param name what the result calls it
 * @throws ModelError when the file is absent, no model, cut short, or a model that was exported while it trained
 */
export function readModel(path: string, name = path): ModelFile {
  return inCanonicalForm(readModelAsWritten(path, name));
}

/** A model as {@link readModel} gives it, from one as its file has it. */
export function inCanonicalForm(written: ModelFile): ModelFile {
  const { graph: widened, computes } = widen(written.graph);
  const graph = convertOpset(widened);
  refuseTraining(graph);
  const { file, opset } = written;
  return {
    graph,
    file,
    opset,
    ...(computes && { precision: computes }),
    get sha256() {
      return written.sha256;
    },
  };
}

/** A model in its file's own operator set and precision: what can be written again with nothing lost. */
export function readModelAsWritten(path: string, name = path): ModelFile {
  const location = path.startsWith("example:") ? examplePath(path) : path;
  let bytes: Buffer;
  try {
    bytes = readFileSync(location);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why =
      code === "ENOENT" ? "no such file" : code === "EISDIR" ? "is a folder; expected an .onnx file" : String(code);
    throw new ModelError(`${path}: ${why}`, { cause });
  }
  const data = new DataFiles(name, location);
  const graph = decodeModel(bytes, { file: path, external: (place) => data.at(place) });
  let sha256: string | undefined;
  return {
    graph,
    file: name,
    opset: graph.opset,
    // Data of gigabytes takes its time, and may be absent where only the graph is looked at.
    get sha256() {
      sha256 ??= hashOf(bytes, data);
      return sha256;
    },
  };
}

function examplePath(name: string): string {
  const file = examples[name.slice("example:".length)];
  if (!file) {
    const known = Object.keys(examples).map((key) => `example:${key}`);
    throw new UsageError(`${name}: no such example; there are ${known.join(", ")}`);
  }
  // From src/graph and, bundled, from dist.
  const places = ["../../examples/", "../examples/"].map((up) => fileURLToPath(new URL(up + file, import.meta.url)));
  return places.find((place) => existsSync(place)) ?? (places[0] as string);
}

function hashOf(bytes: Uint8Array, data: DataFiles): string {
  const hash = createHash("sha256").update(bytes);
  data.addTo(hash);
  return hash.digest("hex");
}
