import { expect } from "vitest";
import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { attributes, Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";

export interface Derivatives {
  /** f' in forward mode. */
  readonly first: readonly number[];
  /** f'' in forward mode, collapsed over one direction. */
  readonly second: readonly number[];
  /** f' in reverse mode. */
  readonly slope: readonly number[];
  /** f'' as reverse mode makes it of the graph of f'. */
  readonly again: readonly number[];
}

/** The derivatives of an elementwise function of one value, written as a graph, at points in float32. Absent ones are 0. */
export async function derivativesAt(
  points: readonly number[],
  make: (b: Builder, x: ValueId) => ValueId,
): Promise<Derivatives> {
  const b = new Builder();
  const dims = [points.length];
  const x = b.input("x", "float32", dims);
  const y = make(b, x);
  const one = b.input("one", "float32", dims);
  const zeros = b.constant(Tensor.float32(dims, new Float32Array(points.length)));
  const along = b.add("Reshape", [one, b.integers([1, ...dims])]);
  const jet = pushForward(b, new Map([[x, { first: along }]]), [y], 2).get(y);
  const slope = pullBack(b, new Map([[y, one]]), [x], 0).get(x) ?? zeros;
  const again = pullBack(b, new Map([[slope, one]]), [x], 0).get(x) ?? zeros;
  const wanted = { first: jet?.first ?? zeros, second: jet?.second ?? zeros, slope, again };
  const fed = (data: Float32Array) => ({ type: "float32" as const, dims, data });
  const feeds = { x: fed(Float32Array.from(points)), one: fed(new Float32Array(points.length).fill(1)) };
  const values = await valuesOf(b, wanted, feeds);
  const spread = (name: string) => {
    const list = Array.from(values[name]!);
    return points.map((_, index) => list[list.length === 1 ? 0 : index]!);
  };
  return { first: spread("first"), second: spread("second"), slope: spread("slope"), again: spread("again") };
}

/**
 * A node of one operator. It is not emitted, so that its value need not exist: the runtime has no Gelu at opset 18, and no
 * derivative asks for it.
 */
export function node(
  b: Builder,
  op: string,
  inputs: readonly ValueId[],
  given: Readonly<Record<string, AttributeValue>> = {},
): ValueId {
  b.node({ op, domain: "", name: op, inputs, outputs: ["y"], attributes: attributes(given) });
  return "y";
}

/** Float32 of a few operations on numbers near 1. */
const ROUNDING = 1e-6;

export function close(actual: readonly number[], expected: readonly number[], what: string): void {
  expect(actual.length, what).toBe(expected.length);
  actual.forEach((value, index) => {
    const truth = expected[index]!;
    expect(Math.abs(value - truth) / (1 + Math.abs(truth)), `${what}: ${value} for ${truth}`).toBeLessThan(ROUNDING);
  });
}

/** Both derivatives in every way that we have them. */
export async function checkDerivatives(
  points: readonly number[],
  make: (b: Builder, x: ValueId) => ValueId,
  first: readonly number[],
  second: readonly number[],
): Promise<void> {
  const got = await derivativesAt(points, make);
  close(got.first, first, "f' forward");
  close(got.slope, first, "f' reverse");
  close(got.second, second, "f'' forward");
  close(got.again, second, "f'' reverse");
}
