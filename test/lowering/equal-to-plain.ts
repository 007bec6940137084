import { expect } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import type { Builder } from "../../src/graph/builder.ts";
import type { Graph, ValueId } from "../../src/graph/graph.ts";
import { mul, reduceSum } from "../../src/graph/operators.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { lower } from "../../src/lowering/lower.ts";
import { replayed } from "../../src/lowering/replay.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { valuesOf } from "../run-graph.ts";
import { normals } from "../sketch.ts";

/** Sums of at most some thousand float32 products in another order, relative to the whole in L2. */
const FLOAT32 = 2e-6;

/**
 * Checks a lowered graph against the plain one: every output, and the gradient of a random combination of them in every float input.
 *
 * @param draw elements of the inputs, by default of a normal distribution
 * @returns the operators of the lowered graph
 */
export async function equalsPlain(graph: Graph, draw: () => number = normals(11)): Promise<string[]> {
  const feeds = Object.fromEntries(graph.inputs.map(({ name, dims }) => [name, drawn(dims as Dims, draw)] as const));
  const combine = normals(12);
  const weights = graph.outputs.map(({ name }) => {
    const dims = replayed(graph).dims(name);
    return Tensor.float32(dims, Array.from({ length: count(dims) }, combine));
  });
  const plain = await valuesAndGradients(replayed(graph), graph, weights, feeds);
  const lowered = lower(graph, { provider: "cpu" });
  const operators = lowered.nodes.map(({ op }) => op);
  const values = await valuesAndGradients(lowered, graph, weights, feeds);
  expect(Object.keys(values)).toEqual(Object.keys(plain));
  for (const [name, value] of Object.entries(plain)) {
    expect(distance(values[name] as Float64Array, value), name).toBeLessThan(FLOAT32);
  }
  return operators;
}

async function valuesAndGradients(
  b: Builder,
  graph: Graph,
  weights: readonly Tensor[],
  feeds: Readonly<Record<ValueId, RuntimeArray>>,
): Promise<Record<string, Float64Array>> {
  const outputs = graph.outputs.map(({ name }) => name);
  const parts = outputs.map((name, index) => {
    const product = mul(b, name, b.constant(weights[index] as Tensor));
    return reduceSum(b, product, [...b.dims(product).keys()]);
  });
  const total = parts.reduce((sum, part) => b.add("Add", [sum, part]));
  const targets = graph.inputs.map(({ name }) => name);
  const gradients = pullBack(b, new Map([[total, b.scalar(1)]]), targets, 0);
  const wanted = [
    ...outputs.map((name) => [name, name] as const),
    ...[...gradients].map(([name, value]) => [`gradient of ${name}`, value] as const),
  ];
  return valuesOf(b, Object.fromEntries(wanted), feeds);
}

function drawn(dims: Dims, draw: () => number): RuntimeArray {
  return { type: "float32", dims, data: Float32Array.from({ length: count(dims) }, draw) };
}

/** ‖x − y‖ / ‖y‖. */
function distance(x: Float64Array, y: Float64Array): number {
  let [difference, whole] = [0, 0];
  for (const [index, value] of y.entries()) {
    difference += ((x[index] as number) - value) ** 2;
    whole += value ** 2;
  }
  return x.length === y.length ? Math.sqrt(difference / whole) : Number.POSITIVE_INFINITY;
}
