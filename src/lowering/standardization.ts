import { attributes } from "../graph/builder.ts";
import { makersOf, type Graph, type Node, type ValueId } from "../graph/graph.ts";
import { Matching } from "../graph/matching.ts";
import { count, Tensor, type Dims } from "../graph/tensor.ts";
import { replayed } from "./replay.ts";

/** Vectors along the last axes, (x − mean)/σ and 1/σ, as a derivative of LayerNormalization makes them. */
interface Standardized {
  readonly x: ValueId;
  readonly unit: ValueId;
  readonly inverse: ValueId;
  /** How many of the last axes. */
  readonly axes: number;
  readonly epsilon: number;
}

/**
 * A graph in which the runtime's LayerNormalization makes what a gradient through one needs, in one pass instead of ten. For graphs that are
 * not differentiated again: its third output has no rule. It is as exact as the forward pass.
 *
 * @param graph of fixed shapes
 */
export function standardizedByRuntime(graph: Graph): Graph {
  const matching = new Matching(graph);
  const found = graph.nodes.flatMap((node) => standardization(matching, node) ?? []);
  if (found.length === 0) return graph;
  const types = replayed(graph);
  const constants = new Map(graph.constants);
  const byInverse = new Map(found.map((each) => [each.inverse, each]));
  const units = new Set(found.map(({ unit }) => unit));
  const nodes = graph.nodes.flatMap((node) => {
    const [output = ""] = node.outputs;
    if (units.has(output)) return [];
    const each = byInverse.get(output);
    if (!each) return [node];
    const dims = types.dims(each.x).slice(-each.axes);
    const [one, zero] = [1, 0].map((value) => filled(constants, `${each.unit}/${value}`, dims, value)) as [
      string,
      string,
    ];
    return [normalization(each, one, zero)];
  });
  return {
    ...graph,
    constants,
    nodes: makersOf(
      nodes,
      graph.outputs.map(({ name }) => name),
    ).nodes,
  };
}

function filled(constants: Map<ValueId, Tensor>, name: ValueId, dims: Dims, value: number): ValueId {
  constants.set(name, Tensor.float32(dims, new Float32Array(count(dims)).fill(value)));
  return name;
}

function normalization({ x, unit, inverse, axes, epsilon }: Standardized, one: ValueId, zero: ValueId): Node {
  return {
    op: "LayerNormalization",
    domain: "",
    name: unit,
    inputs: [x, one, zero],
    outputs: [unit, "", inverse],
    attributes: attributes({ axis: -axes, epsilon: { float: epsilon } }),
  };
}

/** c/√(mean(c²) + ε), where c is x less its mean twice. */
function standardization(matching: Matching, node: Node): Standardized | undefined {
  const [c, inverse = ""] = node.inputs;
  if (node.op !== "Mul" || node.domain !== "") return undefined;
  const division = matching.maker(inverse, "Div");
  const padded = matching.maker(matching.maker(division?.inputs[1], "Sqrt")?.inputs[0], "Add");
  const variance = matching.reduction(padded?.inputs[0], "ReduceMean");
  const squares = matching.maker(variance?.x, "Mul")?.inputs;
  const epsilon = matching.number(padded?.inputs[1]);
  if (matching.number(division?.inputs[0]) !== 1 || !variance || epsilon === undefined) return undefined;
  if (squares?.[0] !== c || squares?.[1] !== c) return undefined;
  const axes = variance.axes.length;
  const inner = deviating(matching, c, axes);
  const x = deviating(matching, inner, axes);
  if (x === undefined || !isLast(variance.axes)) return undefined;
  return { x, unit: node.outputs[0] as ValueId, inverse, axes, epsilon };
}

/** What a value is, less its mean along the last axes. */
function deviating(matching: Matching, value: ValueId | undefined, axes: number): ValueId | undefined {
  const [x, mean] = matching.maker(value, "Sub")?.inputs ?? [];
  const reduction = matching.reduction(mean, "ReduceMean");
  return reduction?.x === x && reduction?.axes.length === axes && isLast(reduction.axes) ? x : undefined;
}

/** Whether axes, counted from the end, are the last ones. */
function isLast(axes: readonly number[]): boolean {
  return axes.every((axis, index) => axis === index - axes.length);
}
