import { ModelError } from "../errors.ts";
import { Builder } from "./builder.ts";
import type { Graph, Node, ValueId, ValueType } from "./graph.ts";
import { describe, int } from "./graph.ts";
import { expand, slice } from "./operators.ts";
import type { SamplePlace, SamplePlaces } from "./sample-places.ts";
import { SamplesFirst } from "./samples-first.ts";
import { count, type Dims } from "./tensor.ts";

/** A model at fixed shapes, ready to grow. */
export interface Instance {
  readonly builder: Builder;
  /** Nodes whose constant batch size was rewritten; what they do now must be checked against the model. */
  readonly rewritten: readonly string[];
}

type Types = ReadonlyMap<ValueId, ValueType>;

/**
 * The model at a batch size of our choice: every shape known, shape arithmetic folded, constants that carry the
 * exporter's own batch size rewritten, weights applied to each sample's rows apart.
 *
 * @param inputs the type of every input, the batch first
 * @param known types of values behind operators without a shape rule, found by running the model
 * @param begin adds what comes before the model. A constant of the model that it makes is no constant then, as a weight in training.
 */
export function instantiate(
  graph: Graph,
  inputs: Types,
  known: Types = new Map(),
  begin?: (builder: Builder) => void,
): Instance {
  const batch = batchOf(graph, inputs);
  // Where the samples are does not depend on how many there are, but where there is one it does not show.
  const places = batch === 1 ? placesAt(2, graph, inputs) : undefined;
  const builder = new Builder(graph);
  begin?.(builder);
  const rows = new SamplesFirst(builder, batch, places);
  return { builder, rewritten: fill(builder, rows, graph, inputs, known) };
}

/** Samples at once. */
function batchOf(graph: Graph, inputs: Types): number {
  const dims = graph.inputs.map(({ name }) => inputs.get(name)?.dims ?? []);
  return dims.findLast((own) => own.length > 0)?.[0] ?? 1;
}

/** Adds the inputs, constants and nodes of a model. Returns the nodes that were rewritten for its batch size. */
function fill(
  builder: Builder,
  rows: Pick<SamplesFirst, "input" | "add" | "placeOf">,
  graph: Graph,
  inputs: Types,
  known: Types,
): string[] {
  const declared = new Map(inputs);
  let exported = false;
  for (const { name, dims } of graph.inputs) {
    const type = inputs.get(name);
    if (!type) throw new ModelError(`input ${name}: expected an array, got none`);
    builder.input(name, type.type, type.dims);
    if (type.dims.length === 0) continue;
    rows.input(name);
    const own = dims?.[0];
    if (typeof own !== "number" || own === type.dims[0]) continue;
    declared.set(name, { ...type, dims: type.dims.with(0, own) });
    exported = true;
  }
  for (const [name, tensor] of graph.constants) if (!builder.typeIfKnown(name)) builder.constant(tensor, name);
  const rewritten: string[] = [];
  const original = exported ? asExported(graph, declared) : undefined;
  const batch = batchOf(graph, inputs);
  for (const node of graph.nodes) {
    const fitted = original
      ? fitBatch(node, builder, original, rows.placeOf(node.inputs[0] ?? ""))
      : fitUndeclared(node, builder, batch);
    if (fitted !== node) rewritten.push(describe(node));
    rows.add(fitted);
    for (const output of node.outputs) {
      const type = known.get(output);
      if (type && !builder.typeIfKnown(output)) builder.declare(output, type);
    }
  }
  return rewritten;
}

/** The model with its nodes as they stand, at a batch size that it takes: the exporter's own, or any where it is open. */
export function asExported(graph: Graph, inputs: Types): Builder {
  const builder = new Builder(graph);
  const rows = { input: () => undefined, add: (node: Node) => builder.node(node), placeOf: () => undefined };
  fill(builder, rows, graph, inputs, new Map());
  return builder;
}

/** Where the samples are, at another batch size than the one that is asked for; nothing, where the model cannot have it. */
function placesAt(batch: number, graph: Graph, inputs: Types): SamplePlaces | undefined {
  const resized = [...inputs].map(([name, type]): [ValueId, ValueType] => [
    name,
    type.dims.length === 0 ? type : { ...type, dims: type.dims.with(0, batch) },
  ]);
  const builder = new Builder(graph);
  const rows = new SamplesFirst(builder, batch);
  try {
    fill(builder, rows, graph, new Map(resized), new Map());
    return rows.places;
  } catch (error) {
    if (error instanceof ModelError) return undefined;
    throw error;
  }
}

/**
 * The node with the exporter's batch size in its constants replaced by ours: `original` has the model at the former.
 *
 * @param place of the samples in what it reads first, where that is known
 */
function fitBatch(node: Node, builder: Builder, original: Builder, place: SamplePlace | undefined): Node {
  if (node.op === "Reshape") return fitReshape(node, builder, original, place);
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

function fitReshape(node: Node, builder: Builder, original: Builder, place: SamplePlace | undefined): Node {
  const [x = "", shape = ""] = node.inputs;
  const batched = batchAxis(x, builder, original);
  const target = builder.constantOf(shape)?.bytes.join();
  // A target that was computed from the batch size is right already.
  if (!batched || target === undefined || target !== original.constantOf(shape)?.bytes.join()) return node;
  const made = original.dims(node.outputs[0] as ValueId);
  const axis = samplesAxis(made, original.dims(x), place ?? { axis: batched.axis, outer: 1, inner: 1 }, batched.from);
  if (axis === undefined) return node;
  const fitted = made.with(axis, ((made[axis] as number) * batched.to) / batched.from);
  if (resolved(node, builder, x, shape).join() === fitted.join()) return node;
  return { ...node, inputs: [x, builder.integers(fitted)], source: undefined };
}

/**
 * The axis that the samples go to when elements keep their order: one of them alone if there is one, else one that they lead (before
 * heads), else one that they end (behind tokens); features, the last axis, only if there is no other.
 *
 * @param size of the samples' axis in `from`
 */
function samplesAxis(made: Dims, from: Dims, { axis, outer, inner }: SamplePlace, size: number): number | undefined {
  const before = count(from.slice(0, axis)) * outer;
  const behind = count(from.slice(axis + 1)) * inner;
  const samples = size / (outer * inner);
  const possible = made.flatMap((length, index) => {
    const [first, rest] = [before / count(made.slice(0, index)), behind / count(made.slice(index + 1))];
    const fits = Number.isInteger(first) && Number.isInteger(rest) && first * samples * rest === length;
    if (!fits) return [];
    const rank = first === 1 && rest === 1 ? 0 : index === made.length - 1 ? 3 : first === 1 ? 1 : 2;
    return [{ index, rank }];
  });
  return possible.toSorted((left, right) => left.rank - right.rank)[0]?.index;
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
