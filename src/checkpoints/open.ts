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
const formats: readonly CheckpointFormat[] = [safetensors, pytorch, npz];
export const checkpointFormats = [...formats.map(({ description }) => description), "the .index.json of shards"].join(
  ", ",
);

/** Bytes that tell a format from another. */
const headBytes = 16;

/**
 * The weights in a file: .safetensors, what torch.save writes, .npz, or the `.index.json` that names the shards of a
 * model. The format is told by the content. `file#model` is that part of the file alone, the names without it.
 *
 * @throws ModelError or DataError for damage, or what is none of these; UsageError for a part that is not there
 */
export async function openCheckpoint(path: string, files: CheckpointFiles = checkpointsOnDisk): Promise<Checkpoint> {
  const [file, part] = await fileAndPart(path, files);
  const opened = await files.open(file);
  if (file.endsWith(".index.json")) {
    const shards = await shardsOf(opened, (name) => openShard(name, files));
    return partOf({ ...shards.tensors, file, sha256: await files.sha256([opened, ...shards.files]) }, part);
  }
  const tensors = tensorsIn(await files.ranges(opened));
  return partOf({ ...tensors, file, sha256: await files.sha256([opened]) }, part);
}

async function openShard(path: string, files: CheckpointFiles) {
  const file = await files.open(path);
  return { file, tensors: tensorsIn(await files.ranges(file)) };
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

function tensorsIn(file: ByteRanges): Tensors {
  const head = file.read(0, Math.min(headBytes, file.size));
  const zip = head[0] === 0x50 && head[1] === 0x4b;
  // What a zip file's members are stands at its end.
  const source = zip ? inMemory(file.name, wholeFile(file)) : file;
  const members = zip ? zipMembers(wholeFile(source), file.name).map(({ name }) => name) : [];
  const format = formats.find((each) => each.matches(head, members));
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
