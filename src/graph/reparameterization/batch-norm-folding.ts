import { fromNumbers } from "../fold.ts";
import type { Graph, Node, ValueId, ValueType } from "../graph.ts";
import { consumers, describe, float, int, producers, reads } from "../graph.ts";
import { asExported } from "../instantiate.ts";
import { findLayers, type Layer } from "../layers.ts";
import { rewired } from "../onnx.ts";
import type { Dims, Tensor } from "../tensor.ts";
import { layerAxis } from "./layer-scales.ts";
import { rewritable, weightObstacle, withMatrix } from "./layer-weight.ts";

/** A network without the BatchNormalization nodes that a layer could take up. */
export interface Folded {
  readonly graph: Graph;
  readonly folded: readonly { readonly node: string; readonly layer: string }[];
  /** Those that are left, and why. */
  readonly left: readonly { readonly node: string; readonly reason: string }[];
}

/**
 * The twin whose layers do what the BatchNormalization behind them did at inference:
 * y = γ(z − μ)/√(v + ε) + β is a layer with rows w_s γ_s/√(v_s + ε), and a bias that is shifted.
 *
 * @param graph in the canonical operator set
 * @param original the model as it stands in its file, which is rewritten
 */
export function foldBatchNorm(graph: Graph, types: ReadonlyMap<ValueId, ValueType>, original: Graph = graph): Folded {
  const builder = asExported(graph, types);
  const layers = findLayers(builder);
  const folded: { node: string; layer: string }[] = [];
  const left: { node: string; reason: string }[] = [];
  let result = original;
  for (const node of original.nodes) {
    if (node.op !== "BatchNormalization" || node.domain !== "") continue;
    const found = match(result, node, layers, (value) => builder.typeIfKnown(value)?.dims.length ?? 0);
    const obstacle = typeof found === "string" ? found : weightObstacle(graph, original, layers, found.layer);
    if (obstacle !== undefined) left.push({ node: describe(node), reason: obstacle });
    if (obstacle !== undefined || typeof found === "string") continue;
    result = fold(result, node, found);
    folded.push({ node: describe(node), layer: found.layer.name });
  }
  return { graph: withoutUnread(result, original), folded, left };
}

/** A constant with the name that its node reads. */
interface Addend {
  readonly name: ValueId;
  readonly tensor: Tensor;
}

/** A layer, what adds a constant to it, and the normalization: slope·z + shift, channel by channel. */
interface Match {
  readonly layer: Layer;
  /** The layer's node, with a bias of its own or none. */
  readonly node: Node;
  readonly bias: Addend | undefined;
  /** The node behind it that adds a constant. */
  readonly addition: (Addend & { readonly node: Node }) | undefined;
  readonly rank: number;
  readonly slopes: Float64Array;
  readonly shifts: Float64Array;
}

/** What a node can be folded into, or why it cannot. */
function match(graph: Graph, node: Node, layers: readonly Layer[], rankOf: (value: ValueId) => number): Match | string {
  const made = producers(graph.nodes);
  const read = consumers(graph.nodes);
  const [x = "", ...names] = node.inputs;
  const isAlone = (value: ValueId) =>
    read.get(value)?.length === 1 && !graph.outputs.some((output) => output.name === value);
  const addend = (name: ValueId = ""): Addend | undefined => {
    const tensor = constantOf(graph, made, name);
    return tensor && { name, tensor };
  };
  if (int(node, "training_mode", 0) !== 0) return "it normalizes by the batch";
  const parameters = names.slice(0, 4).map((name) => addend(name)?.tensor.numbers());
  const [gain, shift, mean, variance] = parameters.map((numbers) => numbers && Float64Array.from(numbers));
  if (!gain || !shift || !mean || !variance) return "its parameters are computed";
  if (node.outputs.slice(1).some((value) => value !== "" && read.has(value))) return "its statistics are read";
  if (!isAlone(x)) return `${x} is read by others too`;

  const before = made.get(x);
  const added = before?.op === "Add" ? before.inputs.map(addend).find((each) => each !== undefined) : undefined;
  const z = added ? (before?.inputs.find((input) => input !== added.name) ?? x) : x;
  const layer = layers.find(({ uses }) => uses.some((use) => use.preactivation === z));
  const [use, ...others] = layer?.uses ?? [];
  const own = made.get(z);
  if (!layer || !use || !own) return "no layer comes before it";
  if (others.length > 0) return `layer ${layer.name} is used in several places`;
  if (!isAlone(z)) return `${z} is read by others too`;
  const rank = rankOf(z);
  if (use.kind === "embedding" || layerAxis(use, rank) !== 1 || gain.length !== layer.d) {
    return `its channels are not the outputs of layer ${layer.name}`;
  }
  const bias = addend(own.inputs[2]);
  if (own.inputs[2] && !bias) return `the bias of layer ${layer.name} is computed`;
  // One number, or one for each channel: at the end of a bias, and before the axes of positions elsewhere.
  const fits = (tensor: Tensor, axis: number) =>
    tensor.size === 1 || (tensor.size === layer.d && tensor.dims.at(axis) === layer.d);
  if ((bias && !fits(bias.tensor, -1)) || (added && !fits(added.tensor, 1 - rank))) {
    return "what is added before it is not one number a channel";
  }
  if (bias && float(own, "beta", 1) === 0) return "the bias before it counts for nothing";
  const epsilon = float(node, "epsilon", 1e-5);
  const slopes = gain.map((value, channel) => value / Math.sqrt((variance[channel] as number) + epsilon));
  const shifts = slopes.map((slope, channel) => (shift[channel] as number) - slope * (mean[channel] as number));
  const addition = before && added && { ...added, node: before };
  return { layer, node: own, bias, addition, rank, slopes, shifts };
}

function fold(graph: Graph, normalization: Node, { layer, node, bias, addition, rank, slopes, shifts }: Match): Graph {
  const constants = new Map(graph.constants);
  const weight = constants.get(layer.initializer) as Tensor;
  const multiplied = withMatrix(weight, layer, (value, row) => value * (slopes[row] as number));
  constants.set(layer.initializer, multiplied);

  /** slope·c + shift under the constant's name, if nobody else reads it. */
  const rewrite = (old: Addend | undefined, dims: Dims, added: Float64Array | undefined): ValueId => {
    const list = old?.tensor.numbers() ?? [0];
    const values = slopes.map((slope, channel) => {
      const value = list[list.length === 1 ? 0 : channel] as number;
      return slope * value + (added?.[channel] ?? 0);
    });
    const own = old && constants.has(old.name) && consumers(graph.nodes).get(old.name)?.length === 1;
    const name = own ? old.name : unused(graph, constants, old?.name ?? `${layer.name}.bias`);
    constants.set(name, fromNumbers(weight.type, dims, values));
    return name;
  };
  const [z = ""] = node.outputs;
  const [y = ""] = normalization.outputs;
  const channels = [layer.d, ...Array.from({ length: rank - 2 }, () => 1)];
  const replaced = new Map<Node, Node | undefined>([[normalization, undefined]]);
  const operands = node.inputs.slice(0, 2);
  if (addition) {
    // The addition takes the shift; a bias before it is only multiplied.
    if (bias) replaced.set(node, rewired(node, [...operands, rewrite(bias, [layer.d], undefined)], [z]));
    const moved = rewrite(addition, channels, shifts);
    const inputs = addition.node.inputs.map((input) => (input === addition.name ? moved : input));
    replaced.set(addition.node, rewired(addition.node, inputs, [y]));
  } else if (node.op === "MatMul") {
    const { name } = normalization;
    const inputs = [z, rewrite(undefined, channels, shifts)];
    replaced.set(normalization, { op: "Add", domain: "", name, inputs, outputs: [y], attributes: {} });
  } else {
    const beta = node.op === "Gemm" ? float(node, "beta", 1) : 1;
    const added = shifts.map((value) => value / beta);
    replaced.set(node, rewired(node, [...operands, rewrite(bias, [layer.d], added)], [y]));
  }
  const nodes = graph.nodes.flatMap((each) => (replaced.has(each) ? (replaced.get(each) ?? []) : [each]));
  return { ...graph, nodes, constants };
}

/** A float constant, also behind Identity: exporters store equal ones once. */
function constantOf(graph: Graph, made: ReadonlyMap<ValueId, Node>, value: ValueId): Tensor | undefined {
  const tensor = graph.constants.get(value);
  if (tensor) return rewritable.has(tensor.type) ? tensor : undefined;
  const node = made.get(value);
  return node?.op === "Identity" && node.domain === "" ? constantOf(graph, made, node.inputs[0] ?? "") : undefined;
}

function unused(graph: Graph, constants: ReadonlyMap<ValueId, Tensor>, stem: string): ValueId {
  const taken = new Set([
    ...constants.keys(),
    ...graph.inputs.map(({ name }) => name),
    ...graph.nodes.flatMap((node) => [...node.outputs, ...reads(node)]),
  ]);
  let name = stem;
  for (let index = 1; taken.has(name); index++) name = `${stem}_${index}`;
  return name;
}

/** Without the constants, nodes and declared types that only what was folded needed. */
function withoutUnread(graph: Graph, original: Graph): Graph {
  const outputs = graph.outputs.map(({ name }) => name);
  const before = new Set(consumers(original.nodes).keys());
  let { nodes } = graph;
  for (;;) {
    const now = new Set([...consumers(nodes).keys(), ...outputs]);
    const lost = (value: ValueId) => before.has(value) && !now.has(value);
    const kept = nodes.filter((node) => !node.outputs.some(lost) || node.outputs.some((value) => now.has(value)));
    if (kept.length === nodes.length) {
      const constants = new Map([...graph.constants].filter(([name]) => !lost(name)));
      const declared = new Map([...graph.declared].filter(([name]) => !lost(name)));
      return { ...graph, nodes: kept, constants, declared };
    }
    nodes = kept;
  }
}
