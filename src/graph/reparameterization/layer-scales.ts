import type { Graph, ValueId } from "../graph.ts";
import type { Layer, Use } from "../layers.ts";
import type { Dims } from "../tensor.ts";
import { weightObstacle, weightValues } from "./layer-weight.ts";
import type { ScaleClasses } from "./scale-classes.ts";
import { along, collapsed, ofRank, spread, type ScaleMap } from "./scale-map.ts";

/** What a layer's outputs and features are scaled by. */
export interface LayerScales {
  readonly layer: Layer;
  /** Of the d rows. */
  readonly rows: Int32Array;
  /** Of the m columns, of one group after another; a kernel's taps have their channel's. */
  readonly columns: Int32Array;
  /** Values on the way from the initializer to the nodes that use it. */
  readonly weights: ReadonlySet<ValueId>;
}

/** New scales for every layer, fixed where its weights cannot be changed. */
export function layerScales(
  graph: Graph,
  original: Graph,
  layers: readonly Layer[],
  classes: ScaleClasses,
): LayerScales[] {
  return layers.map((layer) => {
    const weights = weightValues(graph, layer);
    const obstacle = weightObstacle(graph, original, layers, layer);
    const [rows, columns] = [classes.several(layer.d), classes.several(layer.m * layer.groups)];
    if (obstacle !== undefined) for (const scale of [...rows, ...columns]) classes.fix(scale, obstacle);
    return { layer, rows, columns, weights };
  });
}

/** Which axis of a use's features, or of its pre-activation, the layer's columns, or rows, lie along. */
export function layerAxis({ kind }: Use, rank: number): number {
  if (kind === "convolution" || kind === "transposed-convolution") return 1;
  return kind === "dense-left" ? rank - 2 : rank - 1;
}

/**
 * Takes up the scale of a use's features into the layer's columns.
 *
 * @param dims of the features
 */
export function takeUp(
  { layer, columns }: LayerScales,
  use: Use,
  features: ScaleMap,
  dims: Dims,
  classes: ScaleClasses,
): void {
  const rank = dims.length;
  const axis = layerAxis(use, rank);
  const who = `layer ${layer.name}`;
  const others = dims.map((_, at) => at).filter((at) => at !== axis);
  const mixed = collapsed(ofRank(features, rank), others, classes, who);
  const channels = spread(mixed, mixed.dims.with(axis, dims[axis] as number)).scales;
  // Channel after channel, each with the kernel's taps.
  const taps = columns.length / channels.length;
  columns.forEach((column, index) => {
    classes.join(column, channels[Math.floor(index / taps)] as number, who);
  });
}

/** The scale of a use's pre-activation. */
export function rowsOf({ rows }: LayerScales, use: Use, rank: number): ScaleMap {
  return along(rank, layerAxis(use, rank), rows);
}
