import { ModelError } from "../errors.ts";
import { Builder } from "./builder.ts";
import type { Graph, Node, ValueId, ValueType } from "./graph.ts";
import { describe } from "./graph.ts";
import { Tensor, count } from "./tensor.ts";

/** A model at fixed shapes, ready to grow. */
export interface Instance {
  readonly builder: Builder;
  /** Nodes whose constant batch size was rewritten; what they do now must be checked against the model. */
  readonly rewritten: readonly string[];
}

/**
 * The model at a batch size of our choice: every shape known, shape arithmetic folded, constants that carry the
 * exporter's own batch size rewritten.
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
  let batch = 1;
  let exported: number | undefined;
  for (const info of graph.inputs) {
    const type = inputs.get(info.name);
    if (!type) throw new ModelError(`input ${info.name}: expected an array, got none`);
    builder.input(info.name, type.type, type.dims);
    const declared = info.dims?.[0];
    if (typeof declared === "number" && declared !== type.dims[0]) exported = declared;
    batch = type.dims[0] ?? 1;
  }
  for (const [name, tensor] of graph.constants) builder.constant(tensor, name);
  const rewritten: string[] = [];
  const change = { builder, batch, exported };
  for (const node of graph.nodes) {
    const fitted = fitBatch(node, change);
    if (fitted !== node) rewritten.push(describe(node));
    builder.node(fitted);
    for (const output of node.outputs) {
      const type = known.get(output);
      if (type && !builder.typeIfKnown(output)) builder.declare(output, type);
    }
  }
  return { builder, rewritten };
}

interface Change {
  readonly builder: Builder;
  readonly batch: number;
  /** The static batch size that the file declares, where it is not ours. */
  readonly exported: number | undefined;
}

/** The node with the exporter's batch size in its constants replaced by ours. */
function fitBatch(node: Node, change: Change): Node {
  if (node.op === "Reshape") return fitReshape(node, change);
  if (node.op === "Concat") return fitConcat(node, change);
  return node;
}

function fitReshape(node: Node, { builder, batch, exported }: Change): Node {
  const [x = "", shape = ""] = node.inputs;
  const dims = builder.typeIfKnown(x)?.dims;
  const target = builder.constantOf(shape);
  if (!dims || !target || dims[0] !== batch || builder.constantOf(x)) return node;
  const wanted = Array.from(target.numbers());
  const sizes = wanted.map((size, axis) => (size === 0 ? (dims[axis] as number) : size));
  const first = sizes[0];
  if (first === undefined || first === -1 || first === batch) return node;
  const hole = sizes.includes(-1);
  const misfit = !hole && count(sizes) !== count(dims);
  if (!misfit && !(hole && first === exported)) return node;
  // Without a hole the leading size takes what the batch needs, be it batch or batch × heads.
  const fitted = hole ? sizes.with(0, batch) : sizes.with(0, -1);
  const constant = builder.constant(Tensor.int64(fitted));
  return { ...node, inputs: [x, constant], source: undefined };
}

/** A class token stored for the exporter's batch size is repeated for ours. */
function fitConcat(node: Node, { builder, batch, exported }: Change): Node {
  const types = node.inputs.map((input) => builder.typeIfKnown(input)?.dims);
  const axis = node.attributes["axis"];
  const leads = new Set(types.map((dims) => dims?.[0]));
  if (exported === undefined || batch === exported || leads.size < 2 || types.includes(undefined)) return node;
  if (axis?.kind !== "int" || axis.value === 0 || !leads.has(batch) || !leads.has(exported)) return node;
  const inputs = node.inputs.map((input, index) => {
    const dims = types[index] ?? [];
    if (dims[0] !== exported) return input;
    if (exported !== 1) return input;
    return builder.add("Expand", [input, builder.integers([batch, ...dims.slice(1)])]);
  });
  return { ...node, inputs, source: undefined };
}
