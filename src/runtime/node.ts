import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, relative, sep } from "node:path";
import * as ort from "onnxruntime-node";
import { ModelError, UsageError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { encodeModel } from "../graph/onnx.ts";
import { elementSize, type ExternalLocation, type Tensor } from "../graph/tensor.ts";
import type { Runtime, RuntimeArray, Session, SessionOptions } from "./session.ts";

const require = createRequire(import.meta.url);

/** ONNX Runtime's native build for Node. */
export const nodeRuntime: Runtime = {
  name: "onnxruntime-node",
  version: (require("onnxruntime-node/package.json") as { version: string }).version,
  cores: availableParallelism(),
  providers: ort.listSupportedBackends().map((backend) => backend.name),
  open,
};

async function open(graph: Graph, { provider, threads }: SessionOptions): Promise<Session> {
  if (!nodeRuntime.providers.includes(provider)) {
    throw new UsageError(`provider ${provider}: not available here; there are ${nodeRuntime.providers.join(", ")}`);
  }
  const { bytes, folder } = encoded(graph);
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
      ...(folder !== undefined && { extra: { session: mapping(folder) } }),
    });
  } catch (cause) {
    if (provider !== "cpu") {
      throw new UsageError(`provider ${provider}: could not be started: ${(cause as Error).message}`, { cause });
    }
    throw new ModelError(`the runtime refuses the model: ${(cause as Error).message}`, { cause });
  }
  return {
    async run(inputs) {
      const feeds: Record<string, ort.Tensor> = {};
      for (const [name, array] of inputs) feeds[name] = tensorOf(array);
      const outputs = await session.run(feeds);
      return new Map(Object.entries(outputs).map(([name, tensor]) => [name, arrayOf(tensor)]));
    },
    release: () => session.release(),
  };
}

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
function encoded(graph: Graph): { readonly bytes: Uint8Array; readonly folder?: string } {
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
    return place && { ...place, file: relative(folder, place.file).split(sep).join("/") };
  });
  return { bytes, folder };
}

/** The folder that all these files are somewhere inside; none where they are on several drives. */
function commonFolder(paths: readonly string[]): string | undefined {
  let folder = dirname(paths[0] ?? "");
  const holds = (path: string) => path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
  while (!paths.every(holds)) {
    if (dirname(folder) === folder) return undefined;
    folder = dirname(folder);
  }
  return folder;
}

/** Without prepacking: the runtime would write a second copy of every weight in a layout of its own, which takes seconds a gigabyte. */
function mapping(folder: string): Record<string, string> {
  return { model_external_initializers_file_folder_path: folder, disable_prepacking: "1" };
}

function tensorOf({ type, dims, data }: RuntimeArray): ort.Tensor {
  return new ort.Tensor(type as "float32", data as Float32Array, [...dims]);
}

function arrayOf(tensor: ort.Tensor): RuntimeArray {
  return { type: tensor.type as RuntimeArray["type"], dims: tensor.dims, data: tensor.data as RuntimeArray["data"] };
}
