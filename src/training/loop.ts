import { attributes } from "../graph/builder.ts";
import type { Graph, Node, ValueId, ValueInfo } from "../graph/graph.ts";
import { subgraph } from "../graph/onnx.ts";
import { ORDER, STEPS } from "./names.ts";

/** What the inputs of a step are to a loop of steps; all others are stacked, one a step. */
export interface Carried {
  /** Inputs that are the output of the step before. */
  readonly state: ReadonlyMap<ValueId, ValueId>;
  /** Inputs that are gathered from all samples. */
  readonly samples: ReadonlySet<ValueId>;
}

/**
 * A step graph run several times in one call, with the data resident: the weights stay inside, and a step costs no call.
 *
 * Inputs: STEPS, how many; ORDER [STEPS, batch], which samples; those of the step: state as they are, samples with all samples
 * for the batch, others with an axis of steps in front. Outputs: the state after the last step, all others with an axis of steps in
 * front.
 */
export function loopOf(step: Graph, { state, samples }: Carried, batch: number): Graph {
  const own = (name: string) => `loop/${name}`;
  const iteration: ValueInfo = { name: own("iteration"), type: "int64", dims: [] };
  const going: ValueInfo = { name: own("going"), type: "bool", dims: [] };
  const picked: ValueInfo = { name: own("samples"), type: "int64", dims: [batch] };
  const begin: Node[] = [gathered(ORDER, iteration.name, picked.name)];
  const outer: ValueInfo[] = [];
  for (const input of step.inputs) {
    const { name, dims } = input;
    if (state.has(name)) outer.push(input);
    else {
      const whole = own(`all ${name}`);
      const isSampled = samples.has(name);
      begin.push(gathered(whole, isSampled ? picked.name : iteration.name, name));
      const rows = isSampled ? ["samples", ...(dims ?? []).slice(1)] : ["steps", ...(dims ?? [])];
      outer.push({ ...input, name: whole, dims: rows });
    }
  }
  const info = (name: ValueId) => step.outputs.find((output) => output.name === name) as ValueInfo;
  const carried = step.inputs.filter(({ name }) => state.has(name));
  const after = carried.map(({ name }) => info(state.get(name) as ValueId));
  const stacked = step.outputs.filter((output) => !after.includes(output));
  const on: ValueInfo = { name: own("on"), type: "bool", dims: [] };
  const body: Graph = {
    ...step,
    name: "step",
    inputs: [iteration, going, ...carried],
    outputs: [on, ...after, ...stacked],
    nodes: [...begin, ...step.nodes, node("Identity", [going.name], [on.name])],
    source: undefined,
  };
  const loop: Node = {
    ...node(
      "Loop",
      [STEPS, "", ...carried.map(({ name }) => name)],
      [...after, ...stacked].map(({ name }) => name),
    ),
    attributes: { body: subgraph(body) },
  };
  const captures = [ORDER, ...outer.filter(({ name }) => !state.has(name)).map(({ name }) => name)];
  return {
    ...step,
    name: "training",
    inputs: [
      { name: STEPS, type: "int64", dims: [] },
      { name: ORDER, type: "int64", dims: ["steps", batch] },
      ...outer,
    ],
    outputs: [...after, ...stacked.map((output) => ({ ...output, dims: ["steps", ...(output.dims ?? [])] }))],
    nodes: [{ ...loop, captures }],
    constants: new Map(),
    declared: new Map(),
    source: undefined,
  };
}

/** What a loop calls an input of its step. */
export function inLoop(name: ValueId, { state }: Carried): ValueId {
  return state.has(name) ? name : `loop/all ${name}`;
}

function gathered(from: ValueId, index: ValueId, output: ValueId): Node {
  return { ...node("Gather", [from, index], [output]), attributes: attributes({ axis: 0 }) };
}

function node(op: string, inputs: readonly ValueId[], outputs: readonly ValueId[]): Node {
  return { op, domain: "", name: outputs[0] ?? op, inputs, outputs, attributes: {} };
}
