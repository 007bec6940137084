import type { Graph, ValueId, ValueType } from "../../../src/graph/graph.ts";
import { findRescalings, type Granularity, type Rescalings } from "../../../src/graph/reparameterization/rescalings.ts";
import { Tensor } from "../../../src/graph/tensor.ts";
import { RandomStream } from "../../../src/statistics/random.ts";
import type { Sketched } from "../../sketch.ts";
import { distance, numbersOf, runGraph } from "../running.ts";

/** Outputs of twins differ by the rounding of their weights and products, as a share of the largest output. */
export const ROUNDING = 1e-5;

/** Types of the inputs for one sample. */
export function oneSample(graph: Graph): Map<ValueId, ValueType> {
  return new Map(
    graph.inputs.map(({ name, type = "float32", dims = [] }) => [
      name,
      { type, dims: [1, ...(dims.slice(1) as number[])] },
    ]),
  );
}

export function rescalingsOf(graph: Graph, granularity: Granularity = "neuron", original: Graph = graph): Rescalings {
  return findRescalings(graph, oneSample(graph), granularity, original);
}

/** Uniform numbers for factors, the same for the same seed. */
export function uniforms(seed: number): () => number {
  const stream = new RandomStream(seed, "test");
  return () => stream.uniform();
}

/** How far the outputs of two sketches are from each other on the sketch's samples, as a share of the largest. */
export async function outputDistance(net: Sketched, twin: Graph): Promise<number> {
  const feeds = new Map([["x", Tensor.float32(net.x.dims, Float32Array.from(net.x.data))]]);
  const [before, after] = [await runGraph(net.graph, feeds), await runGraph(twin, feeds)];
  let largest = 0;
  for (const [name, array] of before) {
    const values = numbersOf(array);
    const size = Math.max(...values.map(Math.abs));
    largest = Math.max(largest, distance(values, numbersOf(after.get(name)!)) / size);
  }
  return largest;
}
