import { UsageError } from "../../errors.ts";
import type { Builder } from "../builder.ts";
import type { Graph, Node, ValueId, ValueType } from "../graph.ts";
import { describe, int, ints, reads } from "../graph.ts";
import { asExported } from "../instantiate.ts";
import { findLayers } from "../layers.ts";
import { count, type Tensor } from "../tensor.ts";
import { castsToFloat } from "./homogeneity.ts";
import { layerAxis } from "./layer-scales.ts";
import { layerNamed, weightObstacle, withMatrix } from "./layer-weight.ts";
import { along, reshaped } from "./scale-map.ts";

/** A network whose class scores are all moved by the same amount. */
export interface Shifted {
  readonly graph: Graph;
  /** Outputs that are the same after a softmax, with the axis of their classes. Others are the same. */
  readonly scores: ReadonlyMap<ValueId, number>;
}

/**
 * The twin with W + 1vᵀ for W: every class score of a sample is moved by ⟨v, φ⟩, which a softmax over the classes does not see. v
 * is normal with the standard deviation of W's elements.
 *
 * @param graph in the canonical operator set
 * @param original the model as it stands in its file, which is rewritten
 * @param draw standard normal
 * @throws UsageError for a layer that does not exist, and naming the node where the scores go through something that sees the shift
 */
export function softmaxShift(
  graph: Graph,
  types: ReadonlyMap<ValueId, ValueType>,
  name: string,
  draw: () => number,
  original: Graph = graph,
): Shifted {
  const builder = asExported(graph, types);
  const layers = findLayers(builder);
  const layer = layerNamed(layers, name);
  const refuse = (reason: string) => new UsageError(`layer ${layer.name}: its outputs cannot be shifted: ${reason}.`);
  const [use, ...others] = layer.uses;
  const obstacle = weightObstacle(graph, original, layers, layer);
  if (obstacle !== undefined) throw refuse(obstacle);
  const z = use && builder.typeIfKnown(use.preactivation)?.dims;
  if (!use || !z || others.length > 0) throw refuse("it is used in several places");
  if (use.kind === "embedding" || layer.groups > 1) {
    throw refuse(`its rows have features of their own; expected a layer whose rows all read the same`);
  }
  const scores = followShift(graph, builder, use.preactivation, layerAxis(use, z.length), (node) =>
    refuse(`node ${describe(node)} lies between them and a softmax, and does not move all of them alike`),
  );
  const tensor = original.constants.get(layer.initializer) as Tensor;
  const squares = Float64Array.from(layer.matrix()).reduce((sum, value) => sum + value * value, 0);
  const size = Math.sqrt(squares / (layer.d * layer.m));
  const shift = Float64Array.from({ length: layer.m }, () => size * draw());
  const constants = new Map(original.constants);
  const moved = withMatrix(tensor, layer, (value, _, column) => value + (shift[column] as number));
  return { graph: { ...original, constants: constants.set(layer.initializer, moved) }, scores };
}

/** Where values go that are moved alike along one axis: the outputs among them, and that axis. */
function followShift(
  graph: Graph,
  b: Builder,
  from: ValueId,
  axis: number,
  refuse: (node: Node) => UsageError,
): Map<ValueId, number> {
  const shifted = new Map([[from, axis]]);
  for (const node of graph.nodes) {
    if (shifted.has(node.outputs[0] ?? "") || !reads(node).some((value) => shifted.has(value))) continue;
    const next = node.domain === "" ? through(node, b, shifted) : undefined;
    if (next === undefined) throw refuse(node);
    if (next !== "absorbed") shifted.set(node.outputs[0] as ValueId, next);
  }
  const outputs = graph.outputs.flatMap(({ name }) => (shifted.has(name) ? [name] : []));
  return new Map(outputs.map((name) => [name, shifted.get(name) as number]));
}

/** The axis of classes behind a node; undefined where the node does not move them alike. */
function through(node: Node, b: Builder, shifted: ReadonlyMap<ValueId, number>): number | "absorbed" | undefined {
  const [x = "", other = ""] = node.inputs;
  const [from, to] = [b.typeIfKnown(x)?.dims ?? [], b.typeIfKnown(node.outputs[0] ?? "")?.dims ?? []];
  const axis = shifted.get(x);
  const counted = (given: number) => (given < 0 ? given + from.length : given);
  /** Axes of what is broadcast are counted from the last. */
  const aligned = (value: ValueId) => (shifted.get(value) as number) + to.length - b.rank(value);
  switch (node.op) {
    case "Identity":
    case "Dropout":
      return axis;
    case "Cast":
      return castsToFloat(node) ? axis : undefined;
    case "Add":
    case "Sub":
    case "Sum": {
      const moved = node.inputs.filter((value) => shifted.has(value)).map(aligned);
      // Moved by the sum of what they are moved by, if along the same axis.
      return moved.every((one) => one === moved[0]) ? moved[0] : undefined;
    }
    case "Mul":
    case "Div": {
      const [value, factor] = axis === undefined ? [other, x] : [x, other];
      const dims = b.typeIfKnown(factor)?.dims;
      if (!dims || shifted.has(factor) || (node.op === "Div" && factor === x)) return undefined;
      const own = aligned(value);
      return (dims[own - to.length + dims.length] ?? 1) === 1 ? own : undefined;
    }
    case "Reshape":
    case "Flatten":
    case "Squeeze":
    case "Unsqueeze": {
      if (axis === undefined) return undefined;
      const marks = Int32Array.from({ length: from[axis] as number }, (_, index) => index + 1);
      const { dims, scales } = reshaped(along(from.length, axis, marks), from, to);
      // Still an axis of its own.
      return scales.length === marks.length ? Math.max(0, dims.indexOf(marks.length)) : undefined;
    }
    case "Transpose":
      return (ints(node, "perm") ?? from.map((_, index) => from.length - 1 - index)).indexOf(axis as number);
    case "GlobalAveragePool":
      return axis === 1 ? axis : undefined;
    case "ReduceMean": {
      const given = b.constantOf(other)?.numbers();
      if (!given?.length || axis === undefined) return undefined;
      const axes = Array.from(given, counted);
      if (axes.includes(axis)) return undefined;
      return int(node, "keepdims", 1) === 1 ? axis : axis - axes.filter((one) => one < axis).length;
    }
    case "Slice":
      return axis !== undefined && from[axis] === to[axis] && count(from) > 0 ? axis : undefined;
    case "Gather": {
      const gathered = counted(int(node, "axis", 0));
      if (axis === undefined || gathered === axis) return undefined;
      return gathered < axis ? axis - 1 + b.rank(other) : axis;
    }
    case "Softmax":
    case "LogSoftmax":
      return counted(int(node, "axis", -1)) === axis ? "absorbed" : undefined;
    case "ArgMax":
      return counted(int(node, "axis", 0)) === axis ? "absorbed" : undefined;
    default:
      return undefined;
  }
}
