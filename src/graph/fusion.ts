import { attributes, type AttributeValue } from "./builder.ts";
import type { Graph, Node, ValueId } from "./graph.ts";
import { reads } from "./graph.ts";
import { Matching } from "./matching.ts";
import { filled } from "./opset/filled.ts";
import type { Tensor } from "./tensor.ts";

/** Nodes that together are one operator. */
interface Found {
  /** All of them; the last makes what the operator makes. */
  readonly nodes: ReadonlySet<Node>;
  readonly last: Node;
  readonly op: string;
  readonly inputs: readonly ValueId[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** The second input is to be a scale of ones, of x's last axes and of the type of another. */
  readonly ones?: { readonly axes: number; readonly like: Tensor };
}

/**
 * The same model with operators that exporters take apart put together again: LayerNormalization, which opsets before 17 do not
 * have, and Softmax. The whole has a rule that keeps float32 exact (1e-7 where the mean is a thousand deviations, the parts' rules
 * 1e-4) and a shorter derivative graph.
 *
 * Only where the inner values are read nowhere else. The new node has the name and the output of the last that it stands for.
 *
 * @param graph of opset 18
 */
export function fuse(graph: Graph): Graph {
  const m = new Matching(graph);
  const replaced = new Map<Node, readonly Node[]>();
  for (const node of graph.nodes) {
    const found = layerNormalization(m, node) ?? softmax(m, node);
    if (!found) continue;
    for (const part of found.nodes) replaced.set(part, []);
    replaced.set(found.last, written(m, found));
  }
  if (replaced.size === 0) return graph;
  const nodes = graph.nodes.flatMap((node) => replaced.get(node) ?? [node]);
  const left = new Set(nodes.flatMap((node) => [...reads(node), ...node.outputs]));
  const parts = [...replaced.keys()].flatMap((node) => [...reads(node), ...node.outputs]);
  const gone = new Set(parts.filter((value) => !left.has(value) && !m.isOutput(value)));
  return {
    ...graph,
    nodes,
    constants: new Map([...graph.constants].filter(([name]) => !gone.has(name))),
    declared: new Map([...graph.declared].filter(([name]) => !gone.has(name))),
  };
}

/** (x − mean(x)) / √(mean((x − mean(x))²) + ε), then scale and bias, from the node that divides. */
function layerNormalization(m: Matching, node: Node): Found | undefined {
  for (const [top, bottom, quotient] of m.quotients(node)) {
    const centred = centredBy(m, top);
    const deviation = deviationBy(m, bottom);
    const axes = centred && m.lastAxes(centred.x, centred.axes);
    if (!centred || !deviation || axes === undefined || !isSame(centred, deviation.centred)) continue;
    const core = [...quotient, ...centred.nodes, ...deviation.nodes];
    if (!m.isClosed(new Set(core), node)) continue;
    const scaled = followedBy(m, "Mul", node, axes);
    const shifted = followedBy(m, "Add", scaled?.node ?? node, axes);
    const { epsilon } = deviation;
    return {
      nodes: new Set([...core, ...[scaled, shifted].flatMap((step) => step?.node ?? [])]),
      last: shifted?.node ?? scaled?.node ?? node,
      op: "LayerNormalization",
      inputs: [centred.x, scaled?.constant ?? "", ...(shifted ? [shifted.constant] : [])],
      attributes: { axis: -axes, epsilon: { float: epsilon.numbers()[0] as number } },
      ones: scaled ? undefined : { axes, like: epsilon },
    };
  }
  return undefined;
}

/** x − mean(x), and the nodes that make it. */
interface Centred {
  readonly x: ValueId;
  readonly axes: readonly number[];
  readonly nodes: readonly Node[];
}

function centredBy(m: Matching, value: ValueId | undefined): Centred | undefined {
  const difference = m.maker(value, "Sub");
  const [x, subtracted] = difference?.inputs ?? [];
  const mean = m.reduction(subtracted, "ReduceMean");
  if (!difference || !mean || mean.x !== x) return undefined;
  return { x, axes: mean.axes, nodes: [difference, mean.node] };
}

function isSame(left: Centred, right: Centred): boolean {
  return left.x === right.x && left.axes.join() === right.axes.join();
}

interface Deviation {
  readonly centred: Centred;
  readonly epsilon: Tensor;
  readonly nodes: readonly Node[];
}

/** √(mean(c²) + ε) of a centred c, the mean over the axes that c is centred over. */
function deviationBy(m: Matching, value: ValueId): Deviation | undefined {
  const root = m.maker(value, "Sqrt");
  const raised = m.maker(root?.inputs[0], "Add");
  const [left, right] = raised?.inputs ?? [];
  const [variance, constant] = m.constant(left) ? [right, left] : [left, right];
  const epsilon = m.number(constant) === undefined ? undefined : m.constant(constant);
  const mean = m.reduction(variance, "ReduceMean");
  const square = mean && squareBy(m, mean.x);
  if (!root || !raised || !epsilon || !mean || !square || mean.axes.join() !== square.centred.axes.join())
    return undefined;
  return { centred: square.centred, epsilon, nodes: [root, raised, mean.node, ...square.nodes] };
}

/** c² of a centred c: a power, or a product of the same, which some exporters make twice. */
function squareBy(m: Matching, value: ValueId): Omit<Deviation, "epsilon"> | undefined {
  const power = m.maker(value, "Pow");
  if (power && m.number(power.inputs[1]) !== 2) return undefined;
  const node = power ?? m.maker(value, "Mul");
  const [centred, again] = [0, power ? 0 : 1].map((index) => centredBy(m, node?.inputs[index]));
  if (!node || !centred || !again || !isSame(centred, again)) return undefined;
  return { centred, nodes: [node, ...centred.nodes, ...again.nodes] };
}

/** The next node where it has a constant of this many axes for its other operand, and is the only one. */
function followedBy(m: Matching, op: string, { outputs }: Node, axes: number) {
  const value = outputs[0] as ValueId;
  const node = m.onlyReader(value, op);
  const constant = node?.inputs.find((input) => input !== value);
  const dims = m.constant(constant)?.dims;
  // What has one element along an axis may be one that is spread along it, which LayerNormalization does not do.
  return node && constant !== undefined && dims?.length === axes && !dims.includes(1) ? { node, constant } : undefined;
}

/** exp(x − max(x)) over its sum along one axis. */
function softmax(m: Matching, node: Node): Found | undefined {
  for (const [top, bottom, quotient] of m.quotients(node)) {
    const powers = m.maker(top, "Exp");
    const shifted = m.maker(powers?.inputs[0], "Sub");
    const [x, subtracted] = shifted?.inputs ?? [];
    const largest = m.reduction(subtracted, "ReduceMax");
    const total = m.reduction(bottom, "ReduceSum");
    if (!powers || !shifted || !largest || !total) continue;
    if (largest.x !== x || total.x !== top || total.axes.length !== 1) continue;
    const nodes = new Set([...quotient, powers, shifted, largest.node, total.node]);
    if (largest.axes.join() !== total.axes.join() || !m.isClosed(nodes, node)) continue;
    return { nodes, last: node, op: "Softmax", inputs: [x], attributes: { axis: total.axes[0] as number } };
  }
  return undefined;
}

/** The operator as a node, after those that make its scale. */
function written(m: Matching, { last, op, inputs, attributes: short, ones }: Found): readonly Node[] {
  const node: Node = { ...last, op, inputs, attributes: attributes(short), source: undefined };
  if (!ones) return [node];
  const [x = "", , ...bias] = inputs;
  const [shape, scale] = [unused(m, `${last.outputs[0]}/shape`), unused(m, `${last.outputs[0]}/ones`)];
  const value = { kind: "tensor", value: filled(ones.like.type, [1], 1) } as const;
  const start = attributes({ start: -ones.axes });
  return [
    { ...node, op: "Shape", name: shape, inputs: [x], outputs: [shape], attributes: start },
    { ...node, op: "ConstantOfShape", name: scale, inputs: [shape], outputs: [scale], attributes: { value } },
    { ...node, inputs: [x, scale, ...bias] },
  ];
}

function unused(m: Matching, stem: string): ValueId {
  let name = stem;
  for (let index = 1; m.isUsed(name); index++) name = `${stem}_${index}`;
  return name;
}
