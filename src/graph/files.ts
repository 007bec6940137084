import { createHash } from "node:crypto";
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, realpathSync, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { ModelError, UsageError } from "../errors.ts";
import type { Graph } from "./graph.ts";
import { decodeModel } from "./onnx.ts";
import { convertOpset } from "./opset.ts";
import type { ExternalLocation } from "./tensor.ts";

/** A model read from disk, in the canonical operator set. */
export interface ModelFile {
  readonly graph: Graph;
  /** What the user called it. */
  readonly file: string;
  readonly sha256: string;
  /** The operator set of the file, before conversion. */
  readonly opset: number;
}

const examples: Readonly<Record<string, string>> = { "digits-mlp": "digits-mlp.onnx" };

/**
 * Reads an ONNX model from a path, or one of the package's own (`example:digits-mlp`). External data is read when it is needed,
 * and only from inside the model's folder.
 *
 * @param name what the result calls it
 * @throws ModelError when the file is absent, no model, or cut short
 */
export function readModel(path: string, name = path): ModelFile {
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
  const external = (place: ExternalLocation) => readExternal(path, dirname(location), place);
  const decoded = decodeModel(bytes, { file: path, external });
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { graph: convertOpset(decoded), file: name, sha256, opset: decoded.opset };
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

function readExternal(model: string, folder: string, { file, offset, length }: ExternalLocation): Uint8Array {
  const path = resolve(folder, file);
  const outside = () =>
    new ModelError(`${model}: its data lies in ${file}, outside the model's folder; expected a file inside it`);
  if (!path.startsWith(resolve(folder) + sep)) throw outside();
  if (!existsSync(path))
    throw new ModelError(`${model}: its data lies in ${file}, and there is no such file beside it`);
  // A symbolic link may lead out as well.
  if (!realpathSync(path).startsWith(realpathSync(folder) + sep)) throw outside();
  if (!statSync(path).isFile()) throw new ModelError(`${model}: its data lies in ${file}, which is no file`);
  const descriptor = openSync(path, "r");
  try {
    const { size } = fstatSync(descriptor);
    if (offset + length > size) {
      throw new ModelError(`${file}: truncated: expected ${offset + length} bytes, have ${size}`);
    }
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const read = readSync(descriptor, bytes, done, length - done, offset + done);
      if (read === 0)
        throw new ModelError(`${file}: truncated: expected ${offset + length} bytes, have ${offset + done}`);
      done += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}
