import { listModelLayers, type LayerListing } from "./evaluation/list-layers.ts";
import { readModel } from "./graph/files.ts";

/**
 * The weight-carrying layers of a model file: names, W's shape, positions that share it, and how each can be measured.
 *
 * @throws ModelError when the file is no model
 */
export function layers(model: string, options: { readonly output?: string } = {}): LayerListing {
  return listModelLayers(readModel(model), options.output);
}
