import type { Builder } from "../graph/builder.ts";
import type { Node, ValueId } from "../graph/graph.ts";
import { int, ints } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { count, type Dims } from "../graph/tensor.ts";
import { shapeRules } from "../graph/shapes/table.ts";
import { dependents } from "./vjp.ts";

/**
 * Whether what the network makes of a layer's pre-activation at one position may depend on those at others. Where nothing mixes
 * positions, each carries its own features' length along r directions, instead of r directions for every feature.
 *
 * Positions are followed as one axis through the operators above; an operator that is not known to keep it counts as mixing.
 *
 * @param scores [B, T, C], a loss term for each T
 */
export function mixesPositions(b: Builder, layer: Layer, scores: ValueId): boolean {
  const [use] = layer.uses;
  if (!use || layer.uses.length > 1 || use.kind !== "dense") return true;
  const z = b.dims(use.preactivation);
  if (z.length !== 3) return true;
  const axes = new Map<ValueId, number>([[use.preactivation, 1]]);
  const varying = dependents(b.nodes, new Set([use.preactivation]));
  const size = z[1] as number;
  for (const node of b.nodes) {
    if (node.outputs.includes(use.preactivation)) continue;
    const moving = node.inputs.filter((input) => varying.has(input));
    if (moving.length === 0) continue;
    const axis = keptAxis(b, node, axes, varying, size);
    for (const output of node.outputs) if (output && axis !== undefined) axes.set(output, axis);
  }
  // The loss mixes the scores of a term: only as its terms are positions apart.
  return axes.get(scores) !== 1;
}

/** The axis of the positions in a node's output, or undefined where they are mixed or lost. */
function keptAxis(
  b: Builder,
  node: Node,
  axes: ReadonlyMap<ValueId, number>,
  varying: ReadonlySet<ValueId>,
  size: number,
): number | undefined {
  const known = node.inputs.filter((input) => varying.has(input)).map((input) => ({ input, axis: axes.get(input) }));
  if (known.some(({ axis }) => axis === undefined)) return undefined;
  const output = node.outputs[0] as ValueId;
  const rank = b.typeIfKnown(output)?.dims.length;
  const [first] = known as [{ input: ValueId; axis: number }];
  if (rank === undefined || !(node.op in shapeRules)) return undefined;
  const dims = b.dims(first.input);
  const fromEnd = dims.length - first.axis;
  if (elementwise.has(node.op)) {
    const places = known.map(({ input, axis }) => b.rank(input) - (axis as number));
    return places.every((place) => place === places[0]) ? rank - fromEnd : undefined;
  }
  if (known.some(({ axis }) => axis !== first.axis)) return undefined;
  const axisOf = (name: string, fallback: number) => (int(node, name, fallback) + dims.length) % dims.length;
  switch (node.op) {
    case "MatMul":
      // Positions may be rows of the left operand; a contraction over them mixes.
      return node.inputs[0] === first.input && known.length === 1 && fromEnd >= 2 ? rank - fromEnd : undefined;
    case "LayerNormalization":
      return axisOf("axis", -1) > first.axis ? first.axis : undefined;
    case "Softmax":
    case "LogSoftmax":
      return axisOf("axis", -1) === first.axis ? undefined : first.axis;
    case "Transpose": {
      const order = ints(node, "perm") ?? dims.map((_, axis) => dims.length - 1 - axis);
      return order.indexOf(first.axis);
    }
    case "Reshape":
      return sameAxis(dims, first.axis, b.dims(output), size);
    case "Concat":
      return axisOf("axis", 0) === first.axis ? undefined : first.axis;
    default:
      return undefined;
  }
}

/** The axis of a reshaped value with as much before it and the same size. */
function sameAxis(from: Dims, axis: number, to: Dims, size: number): number | undefined {
  const before = count(from.slice(0, axis));
  const found = to.findIndex((length, place) => length === size && count(to.slice(0, place)) === before);
  return found >= 0 ? found : undefined;
}

const elementwise = new Set(
  `Add Sub Mul Div Pow Min Max Where Sum Mean PRelu Neg Abs Exp Log Sqrt Reciprocal Relu LeakyRelu Clip
  Sigmoid HardSigmoid HardSwish Tanh Erf Gelu Elu Selu Celu Softplus Softsign Mish Identity Dropout
  Cast CastLike Mod Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh ThresholdedRelu`.split(/\s+/),
);
