import { ModelError } from "../errors.ts";
import { Builder } from "./builder.ts";
import type { Graph, Node, ValueId, ValueType } from "./graph.ts";
import { describe, int } from "./graph.ts";
import { expand, slice } from "./operators.ts";
import { SamplesFirst } from "./samples-first.ts";
import { count } from "./tensor.ts";

/** A model at fixed shapes, ready to grow. */
export interface Instance {
  readonly builder: Builder;
  /** Nodes whose constant batch size was rewritten; what they do now must be checked against the model. */
  readonly rewritten: readonly string[];
}

/**
 * The model at a batch size of our choice: every shape known, shape arithmetic folded, constants that carry the
 * exporter's own batch size rewritten, weights applied to each sample's rows apart.
 *
 * @param inputs the type of every input, the batch first
 * @param known types of values behind operators without a shape rule, found by running the model
 */
export function instantiate(
  graph: Graph,
  inputs: ReadonlyMap<ValueId, ValueType>,
  known: ReadonlyMap<ValueId, ValueType> = new Map(),
): Instance {
  const builder = new Builder(graph);
  const batched: ValueId[] = [];
  const declared = new Map(inputs);
  let batch = 1;
  let exported = false;
  for (const { name, dims } of graph.inputs) {
    const type = inputs.get(name);
    if (!type) throw new ModelError(`input ${name}: expected an array, got none`);
    builder.input(name, type.type, type.dims);
    if (type.dims.length === 0) continue;
    batched.push(name);
    batch = type.dims[0] as number;
    const own = dims?.[0];
    if (typeof own !== "number" || own === batch) continue;
    declared.set(name, { ...type, dims: type.dims.with(0, own) });
    exported = true;
  }
  for (const [name, tensor] of graph.constants) builder.constant(tensor, name);
  const rewritten: string[] = [];
  const original = exported ? instantiate(graph, declared).builder : undefined;
  const rows = new SamplesFirst(builder, batch);
  for (const name of batched) rows.input(name);
  for (const node of graph.nodes) {
    const fitted = original ? fitBatch(node, builder, original) : fitUndeclared(node, builder, batch);
    if (fitted !== node) rewritten.push(describe(node));
    rows.add(fitted);
    for (const output of node.outputs) {
      const type = known.get(output);
      if (type && !builder.typeIfKnown(output)) builder.declare(output, type);
    }
  }
  return { builder, rewritten };
}

/** The node with the exporter's batch size in its constants replaced by ours: `original` has the model at the former. */
function fitBatch(node: Node, builder: Builder, original: Builder): Node {
  if (node.op === "Reshape") return fitReshape(node, builder, original);
  if (node.op === "Concat") return fitConcat(node, builder, original);
  return node;
}

/** The axis at which a value has the batch, and its sizes there as exported and as they are now. */
function batchAxis(
  value: ValueId,
  builder: Builder,
  original: Builder,
): { axis: number; from: number; to: number } | undefined {
  const now = builder.typeIfKnown(value)?.dims;
  const then = original.typeIfKnown(value)?.dims;
  const axis = then?.findIndex((size, index) => size !== now?.[index]) ?? -1;
  return now && then && axis >= 0 ? { axis, from: then[axis] as number, to: now[axis] as number } : undefined;
}

function fitReshape(node: Node, builder: Builder, original: Builder): Node {
  const [x = "", shape = ""] = node.inputs;
  const batched = batchAxis(x, builder, original);
  const target = builder.constantOf(shape)?.bytes.join();
  // A target that was computed from the batch size is right already.
  if (!batched || target === undefined || target !== original.constantOf(shape)?.bytes.join()) return node;
  const made = original.dims(node.outputs[0] as ValueId);
  const outer = count(original.dims(x).slice(0, batched.axis));
  const ratio = batched.to / batched.from;
  // The batch leads what it led before, alone or times heads.
  const axis = made.findIndex((size, index) => count(made.slice(0, index)) === outer && Number.isInteger(size * ratio));
  if (axis < 0) return node;
  const fitted = made.with(axis, (made[axis] as number) * ratio);
  if (resolved(node, builder, x, shape).join() === fitted.join()) return node;
  return { ...node, inputs: [x, builder.integers(fitted)], source: undefined };
}

/** What a Reshape makes as it stands. */
function resolved(node: Node, builder: Builder, x: ValueId, shape: ValueId): number[] {
  const dims = builder.dims(x);
  const target = Array.from(builder.constantOf(shape)?.numbers() ?? []);
  const sizes = target.map((size, axis) => (size === 0 && !int(node, "allowzero", 0) ? (dims[axis] as number) : size));
  const rest = count(sizes.filter((size) => size !== -1));
  return sizes.map((size) => (size === -1 ? count(dims) / rest : size));
}

/** A class token that is stored for the exporter's batch size, the same for all samples, is repeated for ours. */
function fitConcat(node: Node, builder: Builder, original: Builder): Node {
  const batched = node.inputs.map((input) => batchAxis(input, builder, original));
  const lead = batched.find((one) => one?.axis === 0);
  const output = original.typeIfKnown(node.outputs[0] as ValueId)?.dims;
  const axis = int(node, "axis", 0);
  if (!lead || !output || (axis < 0 ? axis + output.length : axis) === 0 || batched.every(Boolean)) return node;
  const inputs = node.inputs.map((input, index) => {
    const dims = builder.typeIfKnown(input)?.dims;
    if (batched[index] || !dims) return input;
    return expand(builder, slice(builder, input, [0], [0], [1]), dims.with(0, lead.to));
  });
  return { ...node, inputs, source: undefined };
}

/** Where no batch size is declared, a Reshape that does not fit takes what the batch needs in its leading size. */
function fitUndeclared(node: Node, builder: Builder, batch: number): Node {
  const [x = "", shape = ""] = node.inputs;
  const dims = builder.typeIfKnown(x)?.dims;
  if (node.op !== "Reshape" || !dims || !builder.constantOf(shape) || (dims[0] as number) % batch !== 0) return node;
  const sizes = resolved(node, builder, x, shape);
  if (sizes.length === 0 || count(sizes) === count(dims)) return node;
  return { ...node, inputs: [x, builder.integers(sizes.with(0, -1))], source: undefined };
}
