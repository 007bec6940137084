import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { ModelError, UsageError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { withMappedWeights } from "./mapped-weights.ts";
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
  const { bytes, folder } = withMappedWeights(graph);
  let session: ort.InferenceSession;
  try {
    session = await ort.InferenceSession.create(bytes, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: "sequential",
      enableMemPattern: false,
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

/**
 * Without prepacking: the runtime would write a second copy of every weight in a layout of its own, which takes seconds a gigabyte.
 */
function mapping(folder: string): Record<string, string> {
  return { model_external_initializers_file_folder_path: folder, disable_prepacking: "1" };
}

function tensorOf({ type, dims, data }: RuntimeArray): ort.Tensor {
  return new ort.Tensor(type as "float32", data as Float32Array, [...dims]);
}

function arrayOf(tensor: ort.Tensor): RuntimeArray {
  return { type: tensor.type as RuntimeArray["type"], dims: tensor.dims, data: tensor.data as RuntimeArray["data"] };
}
