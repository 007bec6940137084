import { UsageError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import type { Graph, Node, ValueId } from "../graph/graph.ts";
import { int, producers } from "../graph/graph.ts";
import type { Result } from "./result.ts";

/** The network's raw scores, and the activation after them that is not measured. */
export interface Outputs {
  readonly value: ValueId;
  readonly output: string;
  readonly activation?: NonNullable<Result["model"]["activation"]>;
}

/**
 * The raw outputs: the chosen output, or the input of a trailing Softmax, LogSoftmax or Sigmoid, where the loss
 * contains it itself.
 *
 * @param contained whether the loss is one of raw scores; a squared error is one of what the model gives
 * @throws UsageError for an output that does not exist
 */
export function rawOutputs(b: Builder, graph: Graph, chosen: string | undefined, contained: boolean): Outputs {
  const names = graph.outputs.map((output) => output.name);
  const output = chosen ?? names[0] ?? "";
  if (!names.includes(output)) {
    throw new UsageError(`output ${output}: no such output; the model has ${names.join(", ")}`);
  }
  const made = producers(b.nodes);
  let value = output;
  for (let node = made.get(value); node && contained; node = made.get(value)) {
    const input = node.inputs[0] as ValueId;
    if (isActivation(node)) return { value: unwrapped(b, made, input), output, activation: node.op as "Softmax" };
    if (!keepsElements(b, node)) break;
    value = input;
  }
  return { value: output, output };
}

/** Softmax of an old operator set comes with a Flatten before and a Reshape behind. */
function keepsElements(b: Builder, node: Node): boolean {
  if (node.op === "Identity") return true;
  if (node.op !== "Reshape" && node.op !== "Flatten") return false;
  const [from, to] = [b.typeIfKnown(node.inputs[0] ?? ""), b.typeIfKnown(node.outputs[0] ?? "")];
  return from !== undefined && from.dims.join() === to?.dims.join();
}

function unwrapped(b: Builder, made: ReadonlyMap<ValueId, Node>, value: ValueId): ValueId {
  const node = made.get(value);
  return node?.op === "Flatten" && keepsElements(b, node) ? (node.inputs[0] as ValueId) : value;
}

function isActivation(node: Node): boolean {
  if (node.domain !== "") return false;
  if (node.op === "Sigmoid") return true;
  return (node.op === "Softmax" || node.op === "LogSoftmax") && [-1, 1].includes(int(node, "axis", -1));
}
