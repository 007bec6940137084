import type { Above } from "../calculus/above.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { prepareTypes } from "./prepare.ts";

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
  /** How relative flatness can be had: `closed-form`, `gauss-newton`, or null. */
  readonly method: string | null;
  /** Why it cannot be had. */
  readonly reason?: string;
}

/** Stands for a size that the file leaves open, but for the batch. */
const OPEN_SIZE = 16;

export function listModelLayers(
  subject: { readonly graph: Graph; readonly file: string; readonly sha256: string; readonly opset: number },
  output: string | undefined,
): LayerListing {
  const { graph, file, sha256, opset } = subject;
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
  const prepared = prepareTypes(graph, types, 1, output);
  const layers = prepared.layers.map((layer) => {
    const { name, node, initializer, d, m, groups } = layer;
    const positions = open && layer.positions !== 1 ? null : layer.positions;
    return { name, node, initializer, d, m, positions, groups, ...methodOf(prepared.above(layer)) };
  });
  return { model: { file, sha256, opset }, layers };
}

function methodOf(above: Above): Pick<ListedLayer, "method" | "reason"> {
  switch (above.kind) {
    case "logits":
      return { method: "closed-form" };
    case "piecewise-linear":
      return { method: "gauss-newton" };
    case "smooth":
      return {
        method: null,
        reason: `smooth operator ${above.op} of node ${above.node} above; --curvature gauss-newton can be had`,
      };
    case "reused":
      return {
        method: null,
        reason: `node ${above.node} applies the same weight again above; --curvature gauss-newton can be had`,
      };
    case "mixed-samples":
      return {
        method: null,
        reason: above.dims
          ? `value ${above.value} does not have the samples as its first axis`
          : `the shape of ${above.value} is unknown`,
      };
    case "unsupported":
      return { method: null, reason: `no derivative rule for operator ${above.op} of node ${above.node} above` };
    case "disconnected":
      return { method: null, reason: "the outputs do not depend on it" };
  }
}
