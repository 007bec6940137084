import type { Graph, ValueId } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims, type ElementType } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";

/** Runs a graph once in ONNX Runtime. */
export async function runGraph(
  graph: Graph,
  feeds: ReadonlyMap<ValueId, Tensor>,
): Promise<ReadonlyMap<ValueId, RuntimeArray>> {
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  try {
    const arrays = [...feeds].map(([name, { type, dims, data }]) => [name, { type, dims, data }] as const);
    return await session.run(new Map(arrays));
  } finally {
    await session.release();
  }
}

/** Numbers of both signs, at most 2, without a pattern that a wrong axis would keep. */
export function waves(size: number, step = 1.3): Float32Array {
  return Float32Array.from({ length: size }, (_, index) => 2 * Math.sin(1 + step * index * (1 + index / 7)));
}

/** A float32 tensor of such numbers. */
export function x(...dims: number[]): Tensor {
  return Tensor.float32(dims, waves(count(dims)));
}

/** Another one. */
export function w(...dims: number[]): Tensor {
  return Tensor.float32(dims, waves(count(dims), 1.7));
}

/** A tensor of these values. */
export function tensor(type: ElementType, dims: Dims, values: readonly number[]): Tensor {
  const made = {
    float32: () => Float32Array.from(values),
    float64: () => Float64Array.from(values),
    int64: () => BigInt64Array.from(values, BigInt),
    int32: () => Int32Array.from(values),
    uint8: () => Uint8Array.from(values),
    bool: () => Uint8Array.from(values),
  }[type as "float32"];
  return Tensor.of(type, dims, made());
}

/** The elements as numbers; int64 in doubles. */
export function numbersOf({ data }: Pick<RuntimeArray, "data">): number[] {
  return Array.from(data as ArrayLike<number | bigint>, Number);
}

/** The largest distance between two arrays of one length. */
export function distance(left: ArrayLike<number>, right: ArrayLike<number>): number {
  if (left.length !== right.length) return Infinity;
  return Array.from(left).reduce((most, value, index) => Math.max(most, Math.abs(value - (right[index] as number))), 0);
}
