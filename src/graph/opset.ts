import { ModelError } from "../errors.ts";
import type { Graph, Node } from "./graph.ts";
import { describe } from "./graph.ts";
import { axesToInput, clip, pad, slice, split, topK } from "./opset/attributes-to-inputs.ts";
import { gelu } from "./opset/gelu.ts";
import { averagePool, cast, dft, padMode, refuseNewer, refuseScan8 } from "./opset/newer.ts";
import { batchNormalization, dropout, groupNormalization } from "./opset/normalization.ts";
import { gridSample, resizeMode, resizeOptionals, resizeScales, roiAlign, upsample } from "./opset/resampling.ts";
import type { Conversion } from "./opset/rewriting.ts";
import { revise, Rewriting } from "./opset/rewriting.ts";
import { softmax } from "./opset/softmax.ts";
import { innerNodes, subgraphs } from "./opset/subgraphs.ts";

/** The operator set in which every later stage reads and writes graphs. */
export const OPSET = 18;
const OLDEST = 7;
const NEWEST = 21;

const reduction: readonly Conversion[] = [{ before: 18, convert: axesToInput }];
const coerced: readonly Conversion[] = [{ before: 13, convert: softmax }];
const newer: readonly Conversion[] = [{ since: 19, convert: refuseNewer }];

/**
 * What changed about an operator: `before` an opset, or `since` one. The first entry that applies is used.
 * An operator that is not here means the same in every opset that we read, apart from the types it takes.
 */
const conversions: Readonly<Record<string, readonly Conversion[]>> = {
  AffineGrid: newer,
  AveragePool: [{ since: 19, convert: averagePool }],
  BatchNormalization: [{ before: 14, convert: batchNormalization }],
  Cast: [{ since: 19, convert: cast }],
  CastLike: [{ since: 19, convert: cast }],
  Clip: [{ before: 11, convert: clip }],
  DFT: [{ since: 20, convert: dft }],
  DeformConv: newer,
  Dropout: [{ before: 12, convert: dropout }],
  Gelu: [{ since: 20, convert: gelu }],
  GridSample: [{ since: 20, convert: gridSample }],
  GroupNormalization: [{ since: 21, convert: groupNormalization }],
  Hardmax: coerced,
  ImageDecoder: newer,
  LogSoftmax: coerced,
  Pad: [
    { before: 11, convert: pad },
    { since: 19, convert: padMode },
  ],
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: [{ before: 13, convert: axesToInput }],
  ReduceSumSquare: reduction,
  RegexFullMatch: newer,
  Resize: [
    { before: 11, convert: resizeScales },
    { before: 13, convert: resizeOptionals },
    { since: 19, convert: resizeMode },
  ],
  RoiAlign: [{ before: 16, convert: roiAlign }],
  Scan: [{ before: 9, convert: refuseScan8 }],
  Scatter: [{ before: 11, convert: (node) => revise(node, { op: "ScatterElements" }) }],
  Slice: [{ before: 10, convert: slice }],
  Softmax: coerced,
  Split: [{ before: 18, convert: split }],
  Squeeze: [{ before: 13, convert: axesToInput }],
  StringConcat: newer,
  StringSplit: newer,
  TopK: [{ before: 10, convert: topK }],
  Unsqueeze: [{ before: 13, convert: axesToInput }],
  Upsample: [{ before: 10, convert: upsample }],
};

/**
 * The same model at opset 18, in one canonical form: what later opsets made inputs is an input, operators that
 * came, went or changed their meaning are written with those of opset 18. Values are those of the original at
 * inference. Nodes that need no change are the same objects; changed ones keep name, outputs and metadata and
 * have no `source`, and where one node becomes several, the last has the name.
 *
 * @throws ModelError for an opset outside 7–21, and for a node that opset 18 cannot say.
 */
export function convertOpset(graph: Graph): Graph {
  const { opset } = graph;
  if (!(opset >= OLDEST && opset <= NEWEST)) {
    throw new ModelError(
      `opset ${opset}: expected ai.onnx opset ${OLDEST} to ${NEWEST}: export the model again, best with opset ${OPSET}`,
    );
  }
  if (opset === OPSET) return graph;
  const rewriting = new Rewriting(graph);
  const nodes = graph.nodes.flatMap((node) => {
    refuseChangedSubgraph(node, rewriting);
    return converted(node, rewriting);
  });
  return { ...graph, opset: OPSET, nodes, constants: rewriting.constants };
}

function converted(node: Node, rewriting: Rewriting): Node | readonly Node[] {
  const { opset } = rewriting;
  if (node.domain !== "" || !Object.hasOwn(conversions, node.op)) return node;
  const conversion = conversions[node.op]?.find(({ before = 0, since = Infinity }) => opset < before || opset >= since);
  return conversion?.convert(node, rewriting) ?? node;
}

/** Bodies of If, Loop and Scan are kept as they came, and must not silently mean something else in opset 18. */
function refuseChangedSubgraph(node: Node, rewriting: Rewriting): void {
  const inner = subgraphs(node).flatMap(innerNodes);
  const changed = inner.find((candidate) => converted(candidate, rewriting) !== candidate);
  if (!changed) return;
  throw new ModelError(
    `${describe(node)}: in its subgraph ${describe(changed)} has the form of opset ${rewriting.opset}, ` +
      `and subgraphs are not converted: export the model with opset ${OPSET}`,
  );
}
