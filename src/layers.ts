import { listModelLayers, type LayerListing } from "./evaluation/list-layers.ts";
import { readModel } from "./graph/files.ts";
import { type LocalPathOptions, localModel } from "./remote/local-path.ts";

/** Options of {@link layers}. */
export interface LayersOptions extends Pick<LocalPathOptions, "signal" | "onDownload"> {
  /** The model output that is the raw scores; default the first. */
  readonly output?: string;
}

/**
 * The weight-carrying layers of a model file: names, W's shape, positions that share it, and how each can be measured.
 *
 * @param model path of an .onnx file, `hf://owner/model/file.onnx@revision`, or `example:digits-mlp`
 * @throws ModelError when the file is no model, DownloadError when it cannot be fetched
 */
export async function layers(model: string, { output, ...options }: LayersOptions = {}): Promise<LayerListing> {
  const { path, name } = await localModel(model, options);
  return listModelLayers(readModel(path, name), output);
}
