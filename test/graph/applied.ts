import type { Builder } from "../../src/graph/builder.ts";
import type { Graph, ValueType } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import type { Layer } from "../../src/graph/layers.ts";
import { findLayers } from "../../src/graph/layers.ts";
import type { Dims } from "../../src/graph/tensor.ts";
import { count, Tensor } from "../../src/graph/tensor.ts";
import { numbersOf, runGraph, waves } from "./running.ts";

/** A model's layers at these shapes of its inputs, which are float32. */
export function layersAt(graph: Graph, inputs: Readonly<Record<string, Dims>>): { b: Builder; layers: Layer[] } {
  const types = Object.entries(inputs).map(([name, dims]): [string, ValueType] => [name, { type: "float32", dims }]);
  const { builder } = instantiate(graph, new Map(types));
  return { b: builder, layers: findLayers(builder) };
}

/**
 * The largest distance between the pre-activations of a dense layer in the runtime, and scale · Wφ computed here from
 * the layer's matrix and features, at every use and position.
 */
export async function misapplied(b: Builder, layer: Layer): Promise<number> {
  let most = 0;
  for (const { features, preactivation, kind, scale } of layer.uses) {
    const graph = b.graph(new Map(Object.entries({ features, preactivation })));
    const feeds = graph.inputs.map(({ name, dims }) => {
      const sizes = dims as Dims;
      return [name, Tensor.float32(sizes, waves(count(sizes)))] as const;
    });
    const results = await runGraph(graph, new Map(feeds));
    const [phi, z] = ["features", "preactivation"].map((name) =>
      columns(results.get(name) as never, kind === "dense-left"),
    );
    if (!phi || !z || phi.length !== z.length) return Infinity;
    const matrix = layer.matrix();
    for (const [index, column] of phi.entries()) {
      for (let row = 0; row < layer.d; row++) {
        const sum = column.reduce((total, value, at) => total + value * (matrix[row * layer.m + at] as number), 0);
        most = Math.max(most, Math.abs(scale * sum - (z[index]?.[row] ?? Infinity)));
      }
    }
  }
  return most;
}

/** The vectors along the last axis, or the last but one. */
function columns(array: { dims: Dims; data: Float32Array }, left: boolean): number[][] {
  const values = numbersOf(array);
  const size = array.dims.at(left ? -2 : -1) as number;
  const inner = left ? (array.dims.at(-1) as number) : 1;
  return Array.from({ length: values.length / size }, (_, index) => {
    const start = Math.floor(index / inner) * size * inner + (index % inner);
    return Array.from({ length: size }, (__, at) => values[start + at * inner] as number);
  });
}
