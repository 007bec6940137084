import { ModelError } from "../errors.ts";
import type { Builder } from "../graph/builder.ts";
import { fuse } from "../graph/fusion.ts";
import { type Graph, producers, type ValueId } from "../graph/graph.ts";
import type { Layer } from "../graph/layers.ts";
import { parameters } from "../graph/parameters.ts";
import type { Tensor } from "../graph/tensor.ts";
import type { Initial } from "../measures/measure.ts";

/** Every weight of a network once: those of its layers, and its biases where they are asked for. */
export function weightsOf(b: Builder, graph: Graph, layers: readonly Layer[], biases: boolean): ValueId[] {
  const found = new Set(layers.map(({ initializer }) => initializer));
  if (!biases) return [...found];
  for (const { name, mergedInto = name, role } of parameters(graph)) {
    if (role === "bias" && b.constantOf(mergedInto)) found.add(mergedInto);
  }
  return [...found];
}

/** The weights of another file for those of a network, by name. */
export function initialOf(init: { readonly file: string; readonly graph: Graph }, b: Builder): Initial {
  const graph = fuse(init.graph);
  const made = producers(graph.nodes);
  const constant = (name: ValueId): Tensor | undefined => {
    const node = made.get(name);
    // Of equal weights exporters keep one.
    return node?.op === "Identity" ? constant(node.inputs[0] ?? "") : graph.constants.get(name);
  };
  return {
    file: init.file,
    values(initializer) {
      const dims = b.dims(initializer).join("×");
      const tensor = constant(initializer);
      if (tensor?.dims.join("×") === dims) return tensor.numbers();
      const has = tensor ? `its ${initializer} is ${tensor.dims.join("×")}` : `it has no ${initializer}`;
      throw new ModelError(`${init.file}: expected the weights ${initializer} of ${dims} that the model has, ${has}.`);
    },
  };
}
