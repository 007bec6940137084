import { expect } from "vitest";
import { pullBack } from "../../../src/calculus/vjp.ts";
import { attributes, Builder, type AttributeValue } from "../../../src/graph/builder.ts";
import type { Graph, Node } from "../../../src/graph/graph.ts";
import { Tensor } from "../../../src/graph/tensor.ts";
import { dot, maximumError, norm, product, type Array64 } from "../../float64-array.ts";
import { run, type Decisions } from "../../float64-reference.ts";
import { float32Array, valuesOf } from "../../run-graph.ts";
import { normals } from "../../sketch.ts";

/** float32 against float64: one operator, sums of a few dozen products. */
const ROUNDING = 1e-5;
/** Central differences of one operator in float64 at steps of 1e-5, away from its kinks: their error is below rounding. */
const CENTRAL = 1e-5;
const STEP = 1e-5;
/** One column in a stack of columns is the column alone: the same sums in another order. */
const SAME = 1e-6;

/** One operator with its inputs: dimensions of random values, given values, or a constant tensor. */
export interface PulledCase {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Inputs that vary, by the order of the operator's inputs; "" is an absent one. */
  readonly inputs: readonly (Varying | Tensor | "")[];
  readonly seed?: number;
}

export interface Varying {
  readonly dims: readonly number[];
  readonly values?: ArrayLike<number>;
}

/** The same values, drawn for a seed, kept away from places. */
export function awayFrom(kinks: readonly number[], dims: readonly number[], seed: number): Varying {
  const normal = normals(seed);
  const values = Array.from({ length: product(dims) }, () => {
    const value = normal();
    const near = kinks.find((kink) => Math.abs(value - kink) < 0.05);
    return near === undefined ? value : near + (value < near ? -0.05 : 0.05);
  });
  return { dims, values };
}

/** Distinct values, so that every window has one largest element. */
export function distinct(dims: readonly number[], seed: number): Varying {
  const normal = normals(seed);
  const order = Array.from({ length: product(dims) }, (_, index) => ({ index, key: normal() }));
  order.sort((a, b) => a.key - b.key);
  const values = new Float64Array(order.length);
  order.forEach(({ index }, rank) => (values[index] = (rank - order.length / 2) / 8));
  return { dims, values };
}

/**
 * Checks an operator's rule by three routes: the values against float64, Jᵀu against central differences, element by element,
 * and ⟨u, Jv⟩ = ⟨Jᵀu, v⟩ with Jv an exact difference. For one cotangent, and for two columns at once.
 */
export async function checkPullback({ op, attributes: given = {}, inputs, seed = 1 }: PulledCase): Promise<void> {
  const normal = normals(seed);
  const random = (dims: readonly number[]): Array64 => ({
    dims,
    data: Float64Array.from({ length: product(dims) }, normal),
  });
  const b = new Builder();
  const x = new Map<string, Array64>();
  const names = inputs.map((input, index) => {
    if (input === "") return "";
    if (input instanceof Tensor) return b.constant(input, `c${index}`);
    const value = input.values
      ? { dims: input.dims, data: Float64Array.from(input.values, Math.fround) }
      : random(input.dims);
    x.set(`x${index}`, value);
    return b.input(`x${index}`, "float32", input.dims);
  });
  const node: Node = { op, domain: "", name: op, inputs: names, outputs: ["out"], attributes: attributes(given) };
  b.node(node);
  const constants = new Map(b.constants);
  const dims = b.dims("out");
  const columns = [random(dims), random(dims)] as const;
  const stacked = { dims: [2, ...dims], data: Float64Array.from(columns.flatMap(({ data }) => [...data])) };
  const alone = pullBack(b, new Map([["out", b.input("u", "float32", dims)]]), x.keys(), 0);
  const together = pullBack(b, new Map([["out", b.input("us", "float32", [2, ...dims])]]), x.keys(), 1);
  const wanted: Record<string, string> = { y: "out" };
  for (const name of x.keys()) {
    expect(b.dims(alone.get(name)!)).toEqual(b.dims(name));
    expect(b.dims(together.get(name)!)).toEqual([2, ...b.dims(name)]);
    wanted[name] = alone.get(name)!;
    wanted[`${name} twice`] = together.get(name)!;
  }
  const feeds = Object.fromEntries(
    [...x, ["u", columns[0]] as const, ["us", stacked] as const].map(([name, value]) => [name, float32Array(value)]),
  );
  const got = await valuesOf(b, wanted, feeds);

  const graph: Graph = {
    name: "",
    opset: 18,
    domains: new Map(),
    inputs: [],
    outputs: [],
    nodes: [node],
    constants,
    declared: new Map(),
  };
  const made: Decisions = new Map();
  const y = run(graph, x, { made }).get("out")!.data;
  expect(maximumError(got["y"]!, y), "value").toBeLessThan(ROUNDING);
  for (const [name, value] of x) {
    const [one, two] = [got[name]!, got[`${name} twice`]!];
    const size = value.data.length;
    expect(maximumError(two.subarray(0, size), one), `${name}: one column of two`).toBeLessThan(SAME);
    const outputAt = (data: Float64Array, kept?: Decisions) =>
      run(graph, new Map([...x, [name, { ...value, data }]]), { kept }).get("out")!.data;
    const pulled = columns.map(() => new Float64Array(size));
    for (let k = 0; k < size; k++) {
      const [up, down] = [STEP, -STEP].map((step) => outputAt(value.data.with(k, value.data[k]! + step))) as [
        Float64Array,
        Float64Array,
      ];
      const slope = up.map((output, index) => (output - down[index]!) / (2 * STEP));
      columns.forEach(({ data }, column) => (pulled[column]![k] = dot(data, slope)));
    }
    expect(maximumError(one, pulled[0]!), `${name}: central differences`).toBeLessThan(CENTRAL);
    expect(maximumError(two.subarray(size), pulled[1]!), `${name}: second column`).toBeLessThan(CENTRAL);
    if (op === "Div") continue;
    const v = random(value.dims).data;
    const Jv = outputAt(
      value.data.map((at, k) => at + v[k]!),
      made,
    ).map((output, index) => output - y[index]!);
    const scale = norm(columns[0].data) * norm(Jv) || 1;
    expect(Math.abs(dot(columns[0].data, Jv) - dot(one, v)) / scale, `${name}: ⟨u, Jv⟩`).toBeLessThan(ROUNDING);
  }
}
