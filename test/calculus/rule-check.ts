import { expect } from "vitest";
import { pushForward } from "../../src/calculus/taylor.ts";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { inFloat64 } from "../float64-graph.ts";

/** An operator with the inputs that vary and those that are constant, to be differentiated in every way we have. */
export interface RuleCase {
  readonly op: string;
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Arrays vary; tensors are constants; "" is absent. */
  readonly inputs: readonly (Varying | Tensor | "")[];
  /** Which output, of how many; the first of one unless said. */
  readonly output?: readonly [index: number, count: number];
  /** false where the runtime lacks a float64 kernel for the operator or for what its rule emits: say which in the test. */
  readonly float64?: boolean;
}

export interface Varying {
  readonly dims: Dims;
  /** The point: away from kinks by more than STEP times the largest direction (1). */
  readonly values: Float32Array;
}

/** Step of the central differences in float32: rounding and curvature errors are of like size there. */
const STEP = 1e-2;
/** Central differences in float32 at STEP. */
const DIFFERENCES = 1e-2;
/** Two float32 routes to one number, relative to the size of its terms. */
const TRANSPOSE = 1e-5;
const SECOND_ORDER = 1e-4;
/** The same routes in float64. */
const FLOAT64 = 1e-9;

const DIRECTIONS = 3;

/**
 * Checks a rule: ⟨u, Jv⟩ = ⟨Jᵀu, v⟩; Jv against central differences; columns at once against one at a time; ⟨u, D²f[v,v]⟩ from the
 * collapsed second order against reverse over forward, direction by direction.
 *
 * @param random uniform in (−1, 1), from the test's seed
 */
export async function checkRule(given: RuleCase, random: () => number): Promise<void> {
  const b = new Builder();
  const varying: { id: ValueId; dims: Dims; values: Float64Array; directions: Float64Array }[] = [];
  const inputs = given.inputs.map((input, index) => {
    if (input === "") return "";
    if (input instanceof Tensor) return b.constant(input, `c${index}`);
    const directions = Float64Array.from({ length: DIRECTIONS * count(input.dims) }, () => Math.fround(random()));
    const id = b.input(`x${index}`, "float32", input.dims);
    varying.push({ id, dims: input.dims, values: Float64Array.from(input.values), directions });
    return id;
  });
  const [index, outputs] = given.output ?? [0, 1];
  const made = b.addMany(given.op, inputs, given.attributes ?? {}, outputs);
  const y = b.add("Identity", [made[index] as ValueId]);
  const dims = b.dims(y);
  const u = Float64Array.from({ length: count(dims) }, () => Math.fround(random()));

  const cotangent = b.input("u", "float32", dims);
  const results = new Map<string, ValueId>([["y", y]]);
  const ids = varying.map(({ id }) => id);
  for (const [id, value] of pullBack(b, new Map([[y, cotangent]]), ids, 0)) results.set(`pull ${id}`, value);
  const many = b.input("us", "float32", [2, ...dims]);
  for (const [id, value] of pullBack(b, new Map([[y, many]]), ids, 1)) results.set(`pulls ${id}`, value);

  const seed = (name: string, directions: number) =>
    new Map(
      varying.map(({ id, dims: own }) => [id, { first: b.input(`${name} ${id}`, "float32", [directions, ...own]) }]),
    );
  const collapsed = pushForward(b, seed("vs", DIRECTIONS), [y], 2).get(y);
  const single = pushForward(b, seed("v", 1), [y], 1).get(y);
  expect(single, `${given.op} varies`).toBeDefined();
  if (!single || !collapsed) return;
  results.set("first", single.first);
  results.set("firsts", collapsed.first);
  if (collapsed.second !== undefined) results.set("second", collapsed.second);
  // ∇_x ⟨u, J(x) v⟩, whose product with v is the second derivative along v.
  const lifted = b.add("Reshape", [cotangent, b.integers([1, ...dims])]);
  for (const [id, value] of pullBack(b, new Map([[single.first, lifted]]), ids, 0)) results.set(`bend ${id}`, value);

  const graph = b.graph(results);
  const run = async (wide: boolean, direction: number, shift = 0) => {
    const array = (values: Float64Array, shape: Dims): RuntimeArray =>
      wide
        ? { type: "float64", dims: shape, data: values }
        : { type: "float32", dims: shape, data: Float32Array.from(values) };
    const feeds = new Map<string, RuntimeArray>([
      ["u", array(u, dims)],
      ["us", array(Float64Array.from([...u, ...u.map((value) => 2 * value)]), [2, ...dims])],
    ]);
    for (const { id, dims: own, values, directions } of varying) {
      const size = count(own);
      const one = directions.subarray(direction * size, (direction + 1) * size);
      feeds.set(
        id,
        array(
          values.map((value, at) => value + shift * (one[at] as number)),
          own,
        ),
      );
      feeds.set(`v ${id}`, array(one, [1, ...own]));
      feeds.set(`vs ${id}`, array(directions, [DIRECTIONS, ...own]));
    }
    const needed = new Map([...feeds].filter(([name]) => graph.inputs.some((input) => input.name === name)));
    const session = await nodeRuntime.open(wide ? inFloat64(graph) : graph, { provider: "cpu", threads: 1 });
    try {
      const values = await session.run(needed);
      return new Map([...values].map(([name, { data }]) => [name, Float64Array.from(data as Float32Array)]));
    } finally {
      await session.release();
    }
  };

  const along = (values: ReadonlyMap<string, Float64Array>, name: string, direction: number) =>
    varying.reduce(
      (sums, { id, dims: own, directions }) => {
        const size = count(own);
        const one = directions.subarray(direction * size, (direction + 1) * size);
        const { total, size: terms } = inner(values.get(`${name} ${id}`), one);
        return { total: sums.total + total, size: sums.size + terms };
      },
      { total: 0, size: 0 },
    );

  for (const wide of given.float64 === false ? [false] : [false, true]) {
    let second = { total: 0, size: 1 };
    const exact = wide ? FLOAT64 : TRANSPOSE;
    for (let direction = 0; direction < DIRECTIONS; direction++) {
      const values = await run(wide, direction);
      const first = values.get("first") as Float64Array;
      const forward = inner(first, u);
      const backward = along(values, "pull", direction);
      near(backward.total, forward.total, exact * (1 + forward.size + backward.size), "⟨u, Jv⟩ = ⟨Jᵀu, v⟩");
      const firsts = values.get("firsts")?.subarray(direction * first.length, (direction + 1) * first.length);
      allNear(firsts, first, exact, "directions at once");
      if (!wide) {
        const above = (await run(false, direction, STEP)).get("y") as Float64Array;
        const below = (await run(false, direction, -STEP)).get("y") as Float64Array;
        const differences = above.map((value, at) => (value - (below[at] as number)) / (2 * STEP));
        allNear(differences, first, DIFFERENCES, "central differences");
      }
      const bent = along(values, "bend", direction);
      second = { total: second.total + bent.total, size: second.size + bent.size };
      if (direction === 0) {
        for (const { id } of varying) {
          const pulled = values.get(`pull ${id}`);
          const both = values.get(`pulls ${id}`);
          expect(both === undefined, "columns at once").toBe(pulled === undefined);
          if (!pulled || !both) continue;
          const expected = Float64Array.from([...pulled, ...pulled.map((value) => 2 * value)]);
          allNear(both, expected, exact, "columns at once");
        }
      }
      if (direction === DIRECTIONS - 1) {
        const whole = inner(values.get("second"), u);
        const tolerance = (wide ? FLOAT64 : SECOND_ORDER) * (1 + whole.size + second.size);
        near(whole.total, second.total, tolerance, "second order");
      }
    }
  }
}

/** ⟨a, b⟩ and Σ |a b|, the size of its terms. An absent array is zero. */
function inner(a: Float64Array | undefined, b: Float64Array): { total: number; size: number } {
  let [total, size] = [0, 0];
  a?.forEach((value, index) => {
    total += value * (b[index] as number);
    size += Math.abs(value * (b[index] as number));
  });
  return { total, size };
}

function near(actual: number, expected: number, tolerance: number, what: string): void {
  expect(Math.abs(actual - expected), `${what}: ${actual} and ${expected}`).toBeLessThanOrEqual(tolerance);
}

function allNear(actual: Float64Array | undefined, expected: Float64Array, tolerance: number, what: string): void {
  const largest = expected.reduce((size, value) => Math.max(size, Math.abs(value)), 1);
  expect(actual?.length, what).toBe(expected.length);
  actual?.forEach((value, index) => near(value, expected[index] as number, tolerance * largest, `${what} at ${index}`));
}

/** A generator of numbers in (−1, 1) from a seed, for fast-check's integers. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** A varying input of random values, spread by `scale` about `centre`. */
export function varyingOf(dims: Dims, random: () => number, scale = 1, centre = 0): Varying {
  return { dims, values: Float32Array.from({ length: count(dims) }, () => centre + scale * random()) };
}

/** A constant input of random values. */
export function constantOf(dims: Dims, random: () => number, scale = 1): Tensor {
  return Tensor.float32(
    dims,
    Float32Array.from({ length: count(dims) }, () => scale * random()),
  );
}
