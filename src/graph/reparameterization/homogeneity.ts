import { elementTypes } from "../onnx-tensors.ts";
import { float, int, string, type Node } from "../graph.ts";
import type { HomogeneityRule, Flow } from "./homogeneity-rule.ts";
import { movementHomogeneity } from "./moved-scales.ts";
import { ANY, ONE } from "./scale-classes.ts";
import { collapsed, merged, ofRank, reshaped, uniform, type ScaleMap } from "./scale-map.ts";

/** Bounds that exporters write for none. */
const UNBOUNDED = 3.4e38;

/** What acts on each element alone: f(c·x) = c·f(x). Further inputs are slopes and ratios. */
const elementwise: HomogeneityRule = (flow) => {
  holdFrom(flow, 1);
  return [flow.scale(0)];
};

/** Sums: all operands have the scale of the sum. */
const sum: HomogeneityRule = (flow) => [mergedFrom(flow, 0)];

const where: HomogeneityRule = (flow) => {
  flow.hold(0);
  return [mergedFrom(flow, 1)];
};

/** max(c·x, c·y) = c·max(x, y). A constant in it is a threshold, which only zero is at every scale. */
const extreme: HomogeneityRule = (flow) => [
  merged(
    flow.node.inputs.map((_, index) => (flow.isConstant(index) ? flow.hold(index) : flow.scale(index))),
    flow.classes,
    flow.who,
  ),
];

const clip: HomogeneityRule = (flow) => {
  for (const index of [1, 2]) {
    if (!flow.node.inputs[index]) continue;
    const bound = flow.query.constant(index)?.numbers()[0];
    if (bound === undefined || (bound !== 0 && Math.abs(bound) < UNBOUNDED)) return undefined;
  }
  return [flow.scale(0)];
};

const cast: HomogeneityRule = (flow) => (castsToFloat(flow.node) ? [flow.scale(0)] : undefined);

/** Whether a Cast keeps fractions. */
export function castsToFloat(node: Node): boolean {
  return elementTypes[int(node, "to", 1)]?.includes("float") ?? false;
}

/** What does not depend on the scale of what it reads. */
const unscaled: HomogeneityRule = () => [];

/** A product with what keeps its values. */
const product: HomogeneityRule = (flow) => {
  const rank = flow.output(0).length;
  const factor = heldFactor(flow);
  if (factor === undefined) return undefined;
  flow.hold(factor);
  return [ofRank(flow.scale(1 - factor), rank)];
};

const quotient: HomogeneityRule = (flow) => {
  if (!flow.isHeld(1)) return undefined;
  flow.hold(1);
  return [ofRank(flow.scale(0), flow.output(0).length)];
};

/** Each window of a channel. MaxPool's indices are as they were. */
const pooling: HomogeneityRule = (flow) => {
  const map = flow.scale(0);
  return [collapsed(map, axesFrom(2, map), flow.classes, flow.who), uniform(map.dims.length, ONE)];
};

/** Along whole axes. */
const reduction: HomogeneityRule = (flow) => {
  const map = flow.scale(0);
  const rank = map.dims.length;
  const given = flow.query.constant(1)?.numbers();
  if (flow.node.inputs[1] && !given) return joint(flow, [0]);
  if (!given?.length && int(flow.node, "noop_with_empty_axes", 0) === 1) return [map];
  const axes = given?.length ? Array.from(given, (axis) => (axis < 0 ? axis + rank : axis)) : axesFrom(0, map);
  const reduced = collapsed(map, axes, flow.classes, flow.who);
  return [reshaped(reduced, reduced.dims, flow.output(0).length === rank ? reduced.dims : without(reduced, axes))];
};

/** y = scale · (x − mean) / √(variance + ε) + bias at inference: mean and bias go along, scale and variance stay. */
const batchNormalization: HomogeneityRule = (flow) => {
  if (int(flow.node, "training_mode", 0) !== 0) return undefined;
  flow.hold(1);
  flow.hold(4);
  const x = flow.scale(0);
  const trailing = axesFrom(2, x).map(() => 1);
  const ofChannels = [2, 3].map((index) => {
    const { dims, scales } = flow.scale(index);
    return { dims: [1, ...dims, ...trailing], scales };
  });
  return [merged([x, ...ofChannels], flow.classes, flow.who)];
};

/** A product of matrices that is no layer: with attention's probabilities, say. */
const matMul: HomogeneityRule = (flow) => {
  const rank = flow.output(0).length;
  if (flow.scale(0).dims.length < 2 || flow.scale(1).dims.length < 2) return undefined;
  const matrix = heldFactor(flow);
  if (matrix === undefined) return undefined;
  flow.hold(matrix);
  const map = ofRank(flow.scale(1 - matrix), rank);
  return [collapsed(map, [matrix === 1 ? rank - 1 : rank - 2], flow.classes, flow.who)];
};

const einsum: HomogeneityRule = (flow) => {
  const free = flow.node.inputs.flatMap((_, index) => (flow.isHeld(index) ? [] : [index]));
  return free.length > 1 ? undefined : joint(flow, free);
};

/** Where it is interpolated, along the axes that change their size. */
const resize: HomogeneityRule = (flow) => {
  if (float(flow.node, "extrapolation_value", 0) !== 0) return undefined;
  holdFrom(flow, 1);
  const map = flow.scale(0);
  const [from, to] = [flow.query.inputs[0]?.dims ?? [], flow.output(0)];
  const changed = axesFrom(0, map).filter((axis) => from[axis] !== to[axis]);
  return [collapsed(map, changed, flow.classes, flow.who)];
};

/** All elements of these inputs by one scale, whatever the operator does with them; the rest is held. */
function joint(flow: Flow, data: readonly number[]): ScaleMap[] {
  const maps = flow.node.inputs.map((input, index) => {
    if (input === "") return undefined;
    return data.includes(index) ? flow.scale(index) : void flow.hold(index);
  });
  const whole = maps.flatMap((map) => (map ? [collapsed(map, axesFrom(0, map), flow.classes, flow.who)] : []));
  const [scale = ANY] = merged(whole, flow.classes, flow.who).scales;
  return [uniform(flow.output(0).length, scale)];
}

const jointly =
  (...data: number[]): HomogeneityRule =>
  (flow) =>
    joint(flow, data);

/** Elements put in places, or added there; products of two that are scaled are not. */
const scatter: HomogeneityRule = (flow) =>
  string(flow.node, "reduction", "none") === "mul" ? undefined : joint(flow, [0, 2]);

/** Which of two factors keeps its values: one of constants, before one that does so anyway. */
function heldFactor(flow: Flow): number | undefined {
  return [1, 0].find((index) => flow.isConstant(index)) ?? [1, 0].find((index) => flow.isHeld(index));
}

function mergedFrom(flow: Flow, first: number): ScaleMap {
  const maps = flow.node.inputs.slice(first).map((_, index) => flow.scale(index + first));
  return merged(maps, flow.classes, flow.who);
}

function holdFrom(flow: Flow, first: number): void {
  for (let index = first; index < flow.node.inputs.length; index++) flow.hold(index);
}

function axesFrom(first: number, { dims }: ScaleMap): number[] {
  return Array.from({ length: Math.max(0, dims.length - first) }, (_, index) => first + index);
}

function without({ dims }: ScaleMap, axes: readonly number[]): number[] {
  return dims.filter((_, axis) => !axes.includes(axis));
}

/**
 * Every operator that is positively homogeneous of degree 1. What is not here (Tanh, Softmax, LayerNormalization, …) reads its
 * inputs unscaled.
 */
export const homogeneity: Readonly<Record<string, HomogeneityRule>> = {
  ...movementHomogeneity,
  ...each(elementwise, "Relu", "LeakyRelu", "PRelu", "Abs", "Neg", "Identity", "Dropout"),
  ...each(sum, "Add", "Sub", "Sum", "Mean"),
  ...each(extreme, "Max", "Min"),
  ...each(unscaled, "Shape", "Size", "Sign"),
  Clip: clip,
  Cast: cast,
  Where: where,
  Mul: product,
  Div: quotient,
  MatMul: matMul,
  Einsum: einsum,
  ...each(pooling, "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"),
  ...each(reduction, "ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2"),
  BatchNormalization: batchNormalization,
  Resize: resize,
  ...each(jointly(0), "Tile", "CumSum", "Trilu", "GatherElements", "GatherND", "MaxUnpool", "TopK", "GridSample"),
  ...each(jointly(0), "DepthToSpace", "SpaceToDepth", "ReverseSequence", "Compress"),
  ...each(scatter, "ScatterElements", "ScatterND"),
};

function each(rule: HomogeneityRule, ...ops: readonly string[]): Record<string, HomogeneityRule> {
  return Object.fromEntries(ops.map((op) => [op, rule]));
}
