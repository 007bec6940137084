import { zipMembers } from "../data/zip.ts";
import { ModelError, UsageError } from "../errors.ts";
import { type ByteRanges, inMemory, wholeFile } from "./byte-ranges.ts";
import type { Checkpoint, CheckpointFormat, Tensors } from "./checkpoint.ts";
import { checkpointsOnDisk, type CheckpointFiles } from "./files.ts";
import { npz } from "./npz.ts";
import { foreignFormat } from "./foreign-formats.ts";
import { pytorch } from "./pytorch.ts";
import { safetensors } from "./safetensors.ts";
import { shardsOf } from "./shards.ts";

/** Every format, the first that matches first. */
const formats: readonly CheckpointFormat[] = [pytorch, npz, safetensors];
export const checkpointFormats = [...formats.map(({ description }) => description), "the .index.json of shards"].join(
  ", ",
);

/** Bytes that tell a format from another. */
const headBytes = 16;

/**
 * The weights in a file: .safetensors, what torch.save writes, .npz, or the `.index.json` that names the shards of a
 * model; or a folder with such a file under its usual name. The format is told by the content. `file#model` is that part of the file alone, the names without it.
 *
 * @throws ModelError or DataError for damage, or what is none of these; UsageError for a part that is not there
 */
export async function openCheckpoint(path: string, files: CheckpointFiles = checkpointsOnDisk): Promise<Checkpoint> {
  const [named, part] = await fileAndPart(path, files);
  const file = await fileIn(named, files);
  const opened = await files.open(file);
  if (file.endsWith(".index.json")) {
    const shards = await shardsOf(opened, (name) => openShard(name, files));
    return partOf({ ...shards.tensors, file, sha256: await files.sha256([opened, ...shards.files]) }, part);
  }
  const tensors = readTensors(await files.ranges(opened));
  return partOf({ ...tensors, file, sha256: await files.sha256([opened]) }, part);
}

/** What Hugging Face calls the weights in a model's folder. */
const inFolder = [
  "model.safetensors.index.json",
  "model.safetensors",
  "pytorch_model.bin.index.json",
  "pytorch_model.bin",
];

/** The file itself, or that of a folder. */
async function fileIn(path: string, files: CheckpointFiles): Promise<string> {
  const names = await files.list(path);
  if (!names) return path;
  const name = inFolder.find((each) => names.includes(each));
  if (name === undefined) throw new ModelError(`${path}: no weights in this folder: expected ${inFolder.join(", ")}.`);
  return `${path.replace(/\/$/, "")}/${name}`;
}

async function openShard(path: string, files: CheckpointFiles) {
  const file = await files.open(path);
  return { file, tensors: readTensors(await files.ranges(file)) };
}

/** What is after the last #, unless a file is called so. */
async function fileAndPart(path: string, files: CheckpointFiles): Promise<[file: string, part?: string]> {
  const hash = path.lastIndexOf("#");
  if (hash < 1) return [path];
  try {
    await files.open(path);
    return [path];
  } catch {
    return [path.slice(0, hash), path.slice(hash + 1)];
  }
}

/** The tensors of a file in one of the formats. Throws ModelError or DataError for damage, and for what is none of them. */
export function readTensors(file: ByteRanges): Tensors {
  const head = file.read(0, Math.min(headBytes, file.size));
  const zip = head[0] === 0x50 && head[1] === 0x4b;
  // What a zip file's members are stands at its end.
  const source = zip ? inMemory(file.name, wholeFile(file)) : file;
  const members = zip ? zipMembers(wholeFile(source), file.name).map(({ name }) => name) : [];
  const format = formats.find((each) => each.matches(file, head, members));
  if (format) return format.read(source);
  throw new ModelError(
    `${file.name}: ${foreignFormat(head) ?? `not a file of weights: expected ${checkpointFormats}.`}`,
  );
}

/** The tensors of one part under their names in it. */
function partOf(checkpoint: Checkpoint, part: string | undefined): Checkpoint {
  if (part === undefined) return checkpoint;
  const start = `${part}.`;
  const inside = (name: string) => name.replaceAll("/", ".").startsWith(start);
  const tensors = [...checkpoint.tensors].filter(([name]) => inside(name));
  if (tensors.length === 0) {
    const known = [...new Set([...checkpoint.tensors.keys()].map((name) => name.split(/[./]/)[0]))];
    throw new UsageError(`${checkpoint.file}#${part}: no such part of the file. It has: ${known.join(", ")}.`);
  }
  const within = <T>(entries: Iterable<readonly [string, T]>) =>
    new Map([...entries].filter(([name]) => inside(name)).map(([name, value]) => [name.slice(start.length), value]));
  return {
    ...checkpoint,
    tensors: within(tensors),
    parts: within(checkpoint.parts),
    asides: within(checkpoint.asides),
    part,
  };
}
