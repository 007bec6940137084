import type { Builder } from "../graph/builder.ts";
import { attributes } from "../graph/builder.ts";
import { float, type Graph, type Node, type ValueId } from "../graph/graph.ts";
import { add, mul, scale } from "../graph/operators.ts";
import { count, Tensor } from "../graph/tensor.ts";
import { joinVector, type Layout } from "./parameters.ts";

/** The running means and variances of the batch normalizations of a model, and whose they are. */
export interface RunningStatistics {
  readonly name: ValueId;
  readonly dims: readonly number[];
  readonly node: ValueId;
  readonly kind: "mean" | "variance";
  /** What stays of the running ones after a batch: the operator's momentum, 0.9 where none is written, which is PyTorch's 0.1. */
  readonly kept: number;
}

/** The running statistics that are constants of the model, in graph order. */
export function runningStatistics({ nodes, constants }: Graph): RunningStatistics[] {
  return nodes.flatMap((node) => {
    const [, , , mean = "", variance = ""] = node.inputs;
    const [ofMean, ofVariance] = [constants.get(mean), constants.get(variance)];
    if (node.op !== "BatchNormalization" || node.domain !== "" || !ofMean || !ofVariance) return [];
    const own = { node: node.outputs[0] as ValueId, kept: float(node, "momentum", 0.9) };
    return [
      { ...own, name: mean, dims: ofMean.dims, kind: "mean" },
      { ...own, name: variance, dims: ofVariance.dims, kind: "variance" },
    ] as const;
  });
}

/** What the statistics of a batch are called. */
export function ofBatch({ node, kind }: RunningStatistics): ValueId {
  return `${node}/batch ${kind}`;
}

/** The model as it is trained: its batch normalizations go by the statistics of the batch, and give them out. */
export function withBatchStatistics(graph: Graph, statistics: readonly RunningStatistics[]): Graph {
  if (statistics.length === 0) return graph;
  const normalizing = new Set(statistics.map(({ node }) => node));
  const nodes = graph.nodes.map((node): Node => {
    const [output = ""] = node.outputs;
    if (!normalizing.has(output)) return node;
    const own = statistics.filter((entry) => entry.node === output).map(ofBatch);
    const training = attributes({ training_mode: 1, momentum: { float: 0 } });
    const kept = Object.fromEntries(Object.entries(node.attributes).filter(([name]) => name === "epsilon"));
    return { ...node, outputs: [output, ...own], attributes: { ...kept, ...training }, source: undefined };
  });
  return { ...graph, nodes };
}

/**
 * The running statistics after a batch: r ← μ r + (1 − μ) s, the variance of the batch taken without bias, times n/(n − 1).
 *
 * @param running [Q]
 */
export function updatedStatistics(
  b: Builder,
  running: ValueId,
  layout: Layout,
  statistics: readonly RunningStatistics[],
): ValueId {
  const values = new Map(
    statistics.map((entry) => {
      const dims = b.dims(entry.node);
      const n = count(dims) / (dims[1] as number);
      const factor = entry.kind === "variance" && n > 1 ? n / (n - 1) : 1;
      return [entry.name, scale(b, ofBatch(entry), (1 - entry.kept) * factor)] as const;
    }),
  );
  const kept = statistics.flatMap((entry) => Array.from({ length: count(entry.dims) }, () => entry.kept));
  const before = mul(b, running, b.constant(Tensor.float32([layout.size], kept)));
  return add(b, before, joinVector(b, layout, values));
}
