import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { linearityOf } from "../../src/calculus/rules/rule.ts";
import { ruleOf } from "../../src/calculus/rules/table.ts";
import { Builder } from "../../src/graph/builder.ts";
import { fromNumbers } from "../../src/graph/fold.ts";
import type { Node } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const RUNS = { numRuns: 20, seed: 3201 };

const random = randomFrom(32);
const x = (...dims: number[]) => varyingOf(dims, random);
const c = (...dims: number[]) => constantOf(dims, random);
const places = (dims: Dims, ...values: number[]) => fromNumbers("int64", dims, values);

async function check(given: RuleCase): Promise<void> {
  await checkRule(given, random);
  await checkComposition(given, random);
}

/** Random places along an axis of this size, some counted from its end. */
function placesIn(dims: Dims, size: number): Tensor {
  const values = Array.from({ length: count(dims) }, () => Math.floor(((random() + 1) / 2) * size));
  return places(dims, ...values.map((place) => (random() > 0.5 ? place : place - size)));
}

/** Different places. */
function distinctIn(length: number, size: number): number[] {
  const order = Array.from({ length: size }, (_, place) => ({ place, key: random() }));
  return order
    .sort((a, b) => a.key - b.key)
    .slice(0, length)
    .map(({ place }) => place);
}

const shape = (min: number, max: number) =>
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: min, maxLength: max });

describe("Gather", () => {
  const cases: Readonly<Record<string, RuleCase>> = {
    "one row": { op: "Gather", inputs: [x(3, 4), places([], 1)] },
    "one column, from the end": { op: "Gather", attributes: { axis: 1 }, inputs: [x(3, 4, 2), places([], -1)] },
    neighbours: { op: "Gather", attributes: { axis: 1 }, inputs: [x(2, 7, 2), places([3], 2, 3, 4)] },
    "backwards, every second": { op: "Gather", attributes: { axis: -1 }, inputs: [x(2, 7), places([3], 6, 4, 2)] },
    "one place often": { op: "Gather", inputs: [x(3, 2), places([5], 1, 1, 1, 1, 1)] },
    "windows that overlap": {
      op: "Gather",
      attributes: { axis: 1 },
      inputs: [x(2, 5), places([3, 3], 0, 1, 2, 1, 2, 3, 2, 3, 4)],
    },
    "an order of all": {
      op: "Gather",
      attributes: { axis: 1 },
      inputs: [x(2, 20), places([20], 3, 7, 1, 19, 0, 4, 12, 5, 2, 18, 9, 6, 17, 8, 11, 16, 10, 15, 13, 14)],
    },
    "different places, in no order": {
      op: "Gather",
      inputs: [x(30, 2), places([2, 9], 3, 7, 1, 29, 0, 4, 12, 5, -2, 18, 9, 6, 17, 8, -19, 16, 10, 15)],
    },
    "a vector's elements": { op: "Gather", inputs: [x(5), places([2, 2], 0, -1, 4, 2)] },
  };
  test.each(Object.entries(cases))("%s", async (_, given) => check(given));

  test("constant places of any shape along any axis", async () => {
    await fc.assert(
      fc.asyncProperty(shape(1, 3), shape(0, 2), fc.integer({ min: -3, max: 2 }), (dims, named, place) => {
        const axis = ((place % dims.length) + dims.length) % dims.length;
        const indices = placesIn(named, dims[axis]!);
        return check({
          op: "Gather",
          attributes: { axis: place < 0 ? axis - dims.length : axis },
          inputs: [x(...dims), indices],
        });
      }),
      RUNS,
    );
  });

  test.each([
    [5, 8],
    [12, 13],
  ])("%i × %i places with repetitions", async (...named) => {
    await check({ op: "Gather", attributes: { axis: 1 }, inputs: [x(2, 6, 3), placesIn(named, 6)] });
  });
});

describe("GatherElements", () => {
  const cases: Readonly<Record<string, RuleCase>> = {
    rows: { op: "GatherElements", inputs: [x(3, 2), places([2, 2], 0, -1, 2, 1)] },
    "columns, of some rows": {
      op: "GatherElements",
      attributes: { axis: 1 },
      inputs: [x(3, 4), places([2, 3], 0, 1, 1, -1, 3, 3)],
    },
    "more than there are": {
      op: "GatherElements",
      attributes: { axis: -1 },
      inputs: [x(2, 2), places([1, 5], 0, 1, 1, 0, 0)],
    },
  };
  test.each(Object.entries(cases))("%s", async (_, given) => check(given));

  test("any places", async () => {
    await fc.assert(
      fc.asyncProperty(shape(1, 3), fc.nat(2), fc.integer({ min: 1, max: 6 }), (dims, place, length) => {
        const axis = place % dims.length;
        const indices = placesIn(dims.with(axis, length), dims[axis]!);
        return check({ op: "GatherElements", attributes: { axis }, inputs: [x(...dims), indices] });
      }),
      RUNS,
    );
  });
});

describe("GatherND", () => {
  const cases: Readonly<Record<string, RuleCase>> = {
    elements: { op: "GatherND", inputs: [x(2, 3), places([4, 2], 0, 1, 1, -1, 0, 1, -2, 0)] },
    rows: { op: "GatherND", inputs: [x(2, 3, 4), places([3, 2], 0, 1, 1, -1, 0, 1)] },
    "one element": { op: "GatherND", inputs: [x(2, 3), places([2], 1, 2)] },
    "a batch": { op: "GatherND", attributes: { batch_dims: 1 }, inputs: [x(2, 3, 4), places([2, 2, 1], 0, 2, 1, 1)] },
    "a batch, one each": { op: "GatherND", attributes: { batch_dims: 1 }, inputs: [x(2, 3, 4), places([2, 1], 0, -1)] },
    "two batch axes": {
      op: "GatherND",
      attributes: { batch_dims: 2 },
      inputs: [x(2, 2, 3), places([2, 2, 1], 0, 2, 1, 1)],
    },
  };
  test.each(Object.entries(cases))("%s", async (_, given) => check(given));
});

describe("ScatterElements", () => {
  const operands = { both: [x, x], data: [x, c], updates: [c, x] } as const;
  test.each(Object.entries(operands))("reduction none, varying: %s", async (_, [data, updates]) => {
    const indices = places([2, 3], 3, 0, -1, 1, -2, 0);
    await check({ op: "ScatterElements", inputs: [data(4, 3), indices, updates(2, 3)] });
    await check({
      op: "ScatterElements",
      attributes: { axis: 1 },
      inputs: [data(2, 4), places([1, 2], 3, 0), updates(1, 2)],
    });
  });
  test.each(Object.entries(operands))("reduction add, varying: %s", async (_, [data, updates]) => {
    const attributes = { axis: -1, reduction: "add" };
    await check({
      op: "ScatterElements",
      attributes,
      inputs: [data(2, 3), places([2, 5], 0, 0, -1, 1, 0, 2, 2, 2, 1, 0), updates(2, 5)],
    });
  });

  test("reduction mul is not supported", () => {
    const b = new Builder();
    const source = b.input("x", "float32", [3]);
    const node = b.producerOf(b.add("ScatterElements", [source, places32(b), source], { reduction: "mul" })) as Node;
    expect(linearityOf(ruleOf(node)!, { b, node, varies: (index) => index === 0 })).toBe("unsupported");
  });
  const places32 = (b: Builder) => b.integers([0, 1, 2]);
});

describe("ScatterND", () => {
  const operands = { both: [x, x], data: [x, c], updates: [c, x] } as const;
  test.each(Object.entries(operands))("reduction none, varying: %s", async (_, [data, updates]) => {
    await check({ op: "ScatterND", inputs: [data(4, 2), places([2, 1], 3, 0), updates(2, 2)] });
    await check({ op: "ScatterND", inputs: [data(2, 3, 2), places([3, 2], 0, 1, -1, -1, 1, 0), updates(3, 2)] });
    await check({ op: "ScatterND", inputs: [data(2, 3), places([2, 2], 0, 1, 1, 2), updates(2)] });
  });
  test.each(Object.entries(operands))("reduction add, varying: %s", async (_, [data, updates]) => {
    const attributes = { reduction: "add" };
    await check({ op: "ScatterND", attributes, inputs: [data(3, 2), places([4, 1], 1, 0, 1, -2), updates(4, 2)] });
    await check({
      op: "ScatterND",
      attributes,
      inputs: [data(2, 3), places([2, 2, 2], 0, 1, 0, 1, 1, 2, 0, 1), updates(2, 2)],
    });
  });

  test("different tuples in any order", async () => {
    const chosen = distinctIn(5, 12);
    const tuples = chosen.flatMap((flat) => [Math.floor(flat / 4), flat % 4]);
    await check({ op: "ScatterND", inputs: [x(3, 4), places([5, 2], ...tuples), x(5)] });
  });
});

describe("places that are computed", () => {
  /** A table [4, 3] read at tokens [2, 3]: the table's gradient is the sum of what was read from each row. */
  test("a table's cotangent is added up over equal tokens", async () => {
    const b = new Builder();
    const table = b.input("table", "float32", [4, 3]);
    const tokens = b.input("tokens", "int64", [2, 3]);
    const read = b.add("Gather", [table, tokens]);
    const u = b.input("u", "float32", [2, 2, 3, 3]);
    const pulled = pullBack(b, new Map([[read, u]]), [table], 1).get(table) as string;
    // With several threads the runtime's ScatterND loses additions to one place, now and then.
    expect(b.nodes.map(({ op }) => op)).not.toContain("ScatterND");
    const [names, values] = [[1, 3, 1, -4, 1, 3], x(2, 2, 3, 3).values];
    const feeds = {
      table: { type: "float32" as const, dims: [4, 3], data: x(4, 3).values },
      tokens: { type: "int64" as const, dims: [2, 3], data: BigInt64Array.from(names, BigInt) },
      u: { type: "float32" as const, dims: [2, 2, 3, 3], data: values },
    };
    const expected = new Float64Array(2 * 4 * 3);
    values.forEach((value, flat) => {
      const [column, position, other] = [Math.floor(flat / 18), Math.floor(flat / 3) % 6, flat % 3];
      const row = (names[position]! + 4) % 4;
      expected[column * 12 + row * 3 + other]! += value;
    });
    const { sums } = await valuesOf(b, { sums: pulled }, feeds);
    sums!.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
  });

  test("places that depend on what varies have no derivative, and do not stop the pull", async () => {
    const b = new Builder();
    const source = b.input("x", "float32", [2, 3]);
    const largest = b.add("ArgMax", [source], { axis: 1, keepdims: 1 });
    const maximum = b.add("GatherElements", [source, largest], { axis: 1 });
    const u = b.input("u", "float32", [2, 1]);
    const pulled = pullBack(b, new Map([[maximum, u]]), [source], 0).get(source) as string;
    const feeds = {
      x: { type: "float32" as const, dims: [2, 3], data: Float32Array.of(1, 5, 2, 7, 3, 4) },
      u: { type: "float32" as const, dims: [2, 1], data: Float32Array.of(10, 20) },
    };
    const values = await valuesOf(b, { pulled }, feeds);
    expect([...values["pulled"]!]).toEqual([0, 10, 0, 20, 0, 0]);
  });
});
