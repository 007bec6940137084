import type { Graph, Node } from "../graph/graph.ts";
import { elementTypes } from "../graph/onnx-tensors.ts";
import { encodeModel } from "../graph/onnx.ts";
import { elementSize, type ExternalLocation, type Tensor } from "../graph/tensor.ts";

/** Weights that together take less are written into the model: they are small beside what a run needs. */
const LEAST_MAPPED_TOTAL = 1 << 26;
/** Smaller ones are written into it anyway, as the runtime looks at shapes and axes before it maps anything. */
const LEAST_MAPPED = 1 << 16;

/**
 * The model as bytes. Large weights that lie in files are not read: the runtime maps those files into memory, so that a weight is
 * there once.
 *
 * @returns the folder, where there is one, that the files are given relative to
 */
export function withMappedWeights(original: Graph): { readonly bytes: Uint8Array; readonly folder?: string } {
  const graph = narrowed(original);
  const places = new Map<Tensor, ExternalLocation>();
  for (const tensor of graph.constants.values()) {
    if (!tensor.stored?.path || tensor.stored.location.length < LEAST_MAPPED) continue;
    // What is not aligned cannot be read in place.
    if (tensor.stored.location.offset % elementSize(tensor.type) !== 0) continue;
    places.set(tensor, { ...tensor.stored.location, file: tensor.stored.path() });
  }
  const lengths = [...places.values()].map(({ length }) => length);
  const folder = commonFolder([...places.values()].map(({ file }) => file));
  if (folder === undefined || lengths.reduce((sum, length) => sum + length, 0) < LEAST_MAPPED_TOTAL) {
    return { bytes: encodeModel(graph) };
  }
  const bytes = encodeModel(graph, (tensor) => {
    const place = places.get(tensor);
    return place && { ...place, file: place.file.slice(folder.length).replaceAll("\\", "/") };
  });
  return { bytes, folder };
}

/** Large widened weights as they are stored, and cast when the runtime opens the model: their file is mapped, and no more is written. */
function narrowed(graph: Graph): Graph {
  const constants = new Map(graph.constants);
  const casts: Node[] = [];
  for (const [name, { narrow }] of graph.constants) {
    if (!narrow || narrow.size < LEAST_MAPPED) continue;
    const half = `${name}/${narrow.type}`;
    constants.delete(name);
    constants.set(half, narrow);
    const to = { kind: "int", value: elementTypes.indexOf("float32") } as const;
    casts.push({ op: "Cast", domain: "", name, inputs: [half], outputs: [name], attributes: { to } });
  }
  return casts.length === 0 ? graph : { ...graph, constants, nodes: [...casts, ...graph.nodes] };
}

/** The folder that all these files are somewhere inside, a separator at its end; none where they are on several drives. */
function commonFolder([first = "", ...others]: readonly string[]): string | undefined {
  for (let folder = parent(first); folder !== undefined; folder = parent(folder)) {
    const within = folder;
    if (others.every((path) => path.startsWith(within))) return folder;
  }
  return undefined;
}

/** `/a/` of `/a/b` and of `/a/b/`. */
function parent(path: string): string | undefined {
  const end = Math.max(path.lastIndexOf("/", path.length - 2), path.lastIndexOf("\\", path.length - 2));
  return end < 0 ? undefined : path.slice(0, end + 1);
}
