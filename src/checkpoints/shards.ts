import { type ByteFile, readAll } from "../data/byte-file.ts";
import { ModelError } from "../errors.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Tensors } from "./checkpoint.ts";
import { shownJson } from "./safetensors.ts";

interface Shard {
  readonly file: ByteFile;
  readonly tensors: Tensors;
}

/** An index is a line a tensor: the largest models have some ten thousand. */
const longestIndex = 100_000_000;

/**
 * The tensors of `model.safetensors.index.json`, or of the same of torch.save's files: `weight_map` says in which file
 * beside it each stands. They come in the index's order, which says nothing of the network's.
 *
 * @throws ModelError for an index that is none, and for a tensor that its shard has not
 */
export async function shardsOf(
  index: ByteFile,
  open: (path: string) => Promise<Shard>,
): Promise<{ tensors: Tensors; files: ByteFile[] }> {
  const places = await weightMap(index);
  const folder = /^(.*[/\\])?/.exec(index.name)?.[0] ?? "";
  const shards = new Map<string, Shard>();
  for (const name of new Set(places.values())) shards.set(name, await open(folder + name));
  const tensors = new Map<string, Tensor>();
  for (const [name, place] of places) {
    const tensor = shards.get(place)?.tensors.tensors.get(name);
    if (!tensor)
      throw new ModelError(`${index.name}: says that ${name} is in ${place}: expected it there, found none.`);
    tensors.set(name, tensor);
  }
  for (const [place, shard] of shards) {
    for (const name of shard.tensors.tensors.keys()) {
      if (!places.has(name))
        throw new ModelError(`${index.name}: does not name ${name}, which ${place} has: expected both to agree.`);
    }
  }
  return {
    tensors: { tensors, ordered: false, parts: new Map(), asides: new Map() },
    files: [...shards.values()].map(({ file }) => file),
  };
}

/** Which file each tensor stands in. */
async function weightMap(file: ByteFile): Promise<Map<string, string>> {
  const { name: label, size } = file;
  if (size > longestIndex)
    throw new ModelError(`${label}: ${size} bytes: expected an index of at most ${longestIndex}.`);
  let index: unknown;
  try {
    index = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await readAll(file)));
  } catch (cause) {
    throw new ModelError(`${label}: byte 0: no JSON: ${(cause as Error).message}; expected an index of shards.`, {
      cause,
    });
  }
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null)
    throw new ModelError(`${label}: expected an index of shards with a weight_map, found none.`);
  return new Map(
    Object.entries(map).map(([name, place]) => {
      // A path could lead anywhere.
      if (typeof place !== "string" || !/^[^/\\]+$/.test(place) || place.startsWith("..")) {
        throw new ModelError(
          `${label}: ${name} is in ${shownJson(place)}: expected the name of a file beside the index.`,
        );
      }
      return [name, place];
    }),
  );
}
