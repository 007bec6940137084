import type { Dataset } from "../../src/data/dataset.ts";
import type { LayerOptions, OpenedLayer } from "../../src/evaluation/layer-changes.ts";
import { openLayer } from "../../src/evaluation/opened-layer.ts";
import type { ModelFile } from "../../src/graph/files.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";

/** Opens a layer on all samples of a data set, on one thread, and closes it when `run` is done. */
export async function withLayer<T>(
  model: ModelFile,
  data: Dataset,
  name: string,
  run: (opened: OpenedLayer) => Promise<T>,
  options: LayerOptions = {},
): Promise<T> {
  const indices = Int32Array.from({ length: data.n }, (_, index) => index);
  const sampled = { data, indices, description: "" };
  const opened = await openLayer(model, sampled, name, { threads: 1, ...options }, nodeRuntime);
  try {
    return await run(opened);
  } finally {
    await opened.close();
  }
}
