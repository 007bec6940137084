import { classifyAbove, obstacle } from "../calculus/above.ts";
import { mixesPositions } from "../calculus/position-mixing.ts";
import type { Builder } from "../graph/builder.ts";
import { fuse } from "../graph/fusion.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import { findLayers, type Layer } from "../graph/layers.ts";
import { reshape } from "../graph/operators.ts";
import { count } from "../graph/tensor.ts";
import { directionCount, isSwept } from "../measures/layer-curvature.ts";
import { columnCost, probeCost, sweepCost } from "./cost.ts";
import { rawOutputs } from "./outputs.ts";

/** What `flatness layers` prints. */
export interface LayerListing {
  readonly model: { readonly file: string; readonly sha256: string; readonly opset: number };
  readonly layers: readonly ListedLayer[];
}

export interface ListedLayer {
  readonly name: string;
  readonly node: string;
  readonly initializer: string;
  readonly d: number;
  readonly m: number;
  /** null where it depends on the size of the input, which the file leaves open. */
  readonly positions: number | null;
  readonly groups: number;
  /** How relative flatness is had by default: `closed-form`, `gauss-newton`, `taylor-exact`, `taylor-probes`, or null. */
  readonly method: string | null;
  /** Predicted cost in forward passes, of this layer alone and for cross-entropy; null where there is none. */
  readonly cost: number | null;
  /** Why it cannot be had. */
  readonly reason?: string;
}

/** Stands for a size that the file leaves open, but for the batch. */
const OPEN_SIZE = 16;

export function listModelLayers(
  subject: { readonly graph: Graph; readonly file: string; readonly sha256: string; readonly opset: number },
  output: string | undefined,
): LayerListing {
  const { file, sha256, opset } = subject;
  const graph = fuse(subject.graph);
  let open = false;
  const types = new Map<ValueId, ValueType>(
    graph.inputs.map((input) => {
      const rest = (input.dims ?? []).slice(1).map((size) => {
        if (typeof size === "number") return size;
        open = true;
        return OPEN_SIZE;
      });
      return [input.name, { type: input.type ?? "float32", dims: [1, ...rest] }];
    }),
  );
  const { builder: b } = instantiate(graph, types);
  const { scores, columns } = scoresOf(b, rawOutputs(b, graph, output, true).value);
  const all = findLayers(b);
  const layers = all.map((layer) => {
    const { name, node, initializer, d, m, groups } = layer;
    const positions = open && layer.positions !== 1 ? null : layer.positions;
    const listed = { name, node, initializer, d, m, positions, groups };
    return { ...listed, ...methodOf(b, layer, all, scores, columns) };
  });
  return { model: { file, sha256, opset }, layers };
}

/** The output as terms of classes in its last axis, as for class scores; and how many columns such scores have. */
function scoresOf(b: Builder, output: ValueId): { scores: ValueId; columns: number } {
  const dims = b.typeIfKnown(output)?.dims;
  if (!dims || dims.length < 2) return { scores: output, columns: 1 };
  const classes = dims.at(-1) as number;
  const terms = count(dims.slice(1, -1));
  return { scores: reshape(b, output, [1, terms, classes]), columns: terms * Math.max(1, classes - 1) };
}

function methodOf(
  b: Builder,
  layer: Layer,
  all: readonly Layer[],
  scores: ValueId,
  columns: number,
): Pick<ListedLayer, "method" | "cost" | "reason"> {
  const above = classifyAbove(b, layer, scores);
  const reason = obstacle(above);
  if (reason !== undefined) return { method: null, cost: null, reason };
  if (above.kind === "logits") return { method: "closed-form", cost: 1 };
  if (above.kind === "piecewise-linear") return { method: "gauss-newton", cost: columnCost(all, [layer], columns) };
  if (above.kind === "reused") {
    const again = `node ${above.node} applies the same weight again to what comes of it; --curvature gauss-newton can be had`;
    return { method: null, cost: null, reason: again };
  }
  const mixes = layer.positions > 1 && mixesPositions(b, layer, scores);
  const directions = directionCount(layer, "weighted", mixes);
  const cost = sweepCost(all, layer, directions);
  if (!isSwept(layer, mixes, directions, cost))
    return { method: "taylor-probes", cost: probeCost(all, layer, columns) };
  return { method: "taylor-exact", cost };
}
