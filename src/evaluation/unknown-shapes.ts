import type { Dataset } from "../data/dataset.ts";
import { ModelError } from "../errors.ts";
import type { Graph, ValueId, ValueType } from "../graph/graph.ts";
import { instantiate } from "../graph/instantiate.ts";
import type { Runtime, SessionOptions } from "../runtime/session.ts";
import type { Binding } from "./binding.ts";

/**
 * Types of the values behind operators without a shape rule: the model is run once, and what comes out is looked at. So whatever
 * the runtime runs can be measured above such an operator.
 */
export class UnknownShapes {
  readonly #found = new Map<number, ReadonlyMap<ValueId, ValueType>>();

  /** Whether there are unknown types, at any batch size that was looked at. */
  get found(): boolean {
    return this.#found.size > 0;
  }

  get(batch: number): ReadonlyMap<ValueId, ValueType> {
    return this.#found.get(batch) ?? new Map();
  }

  /** Finds the types at a batch size, where there are unknown ones. */
  async find(
    graph: Graph,
    binding: Binding,
    data: Dataset,
    indices: Int32Array,
    batch: number,
    runtime: Runtime,
    options: SessionOptions,
  ): Promise<void> {
    const { builder } = instantiate(graph, binding.types(batch));
    const unknown = builder.nodes.flatMap((node) =>
      node.outputs.filter((output) => output && !builder.typeIfKnown(output)),
    );
    if (unknown.length === 0 || this.#found.has(batch)) return;
    refuseFixedBatch(graph, unknown[0] as ValueId, batch);
    const outputs = unknown.map((name) => ({ name, type: undefined, dims: undefined }));
    const session = await runtime.open({ ...graph, outputs }, options);
    try {
      const samples = await data.read(indices.subarray(0, batch), binding.arrays);
      const values = await session.run(binding.feeds(samples, batch));
      this.#found.set(batch, new Map([...values].map(([name, { type, dims }]) => [name, { type, dims }])));
    } finally {
      await session.release();
    }
  }
}

/** @throws ModelError when the model only runs at another batch size: its constants cannot be rewritten where shapes are unknown */
function refuseFixedBatch(graph: Graph, value: ValueId, batch: number): void {
  const size = graph.inputs.map(({ dims }) => dims?.[0]).find((declared) => typeof declared === "number");
  if (size === undefined || size === batch) return;
  const own = size === 1 ? ", or use --batch 1" : "";
  throw new ModelError(
    `the model was exported for batches of ${size}, and the shape of ${value} at another size is unknown, as its operator has no shape rule: export it with a dynamic batch size${own}`,
  );
}
