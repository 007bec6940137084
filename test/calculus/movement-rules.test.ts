import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const RUNS = { numRuns: 25, seed: 3101 };

const random = randomFrom(31);
const x = (...dims: number[]) => varyingOf(dims, random);
const c = (...dims: number[]) => constantOf(dims, random);
const list = (...values: number[]) => Tensor.int64(values);
const LAST = 2 ** 63;

async function check(given: RuleCase): Promise<void> {
  await checkRule(given, random);
  await checkComposition(given, random);
}

const dims = (min: number, max: number) => fc.array(fc.integer({ min: 1, max: 4 }), { minLength: min, maxLength: max });

/** A random choice for every axis of some random dims. */
function perAxis<T>(choice: fc.Arbitrary<T>, min = 1, max = 3): fc.Arbitrary<{ size: number; choice: T }[]> {
  return fc.array(fc.record({ size: fc.integer({ min: 1, max: 5 }), choice }), { minLength: min, maxLength: max });
}

describe("movement rules", () => {
  const cases: Readonly<Record<string, RuleCase>> = {
    Reshape: { op: "Reshape", inputs: [x(2, 3, 4), list(4, -1)] },
    "Reshape, zero copies": { op: "Reshape", inputs: [x(2, 3, 4), list(0, -1)] },
    Flatten: { op: "Flatten", attributes: { axis: 2 }, inputs: [x(2, 3, 4)] },
    "Flatten, everything first": { op: "Flatten", attributes: { axis: -1 }, inputs: [x(2, 3, 4)] },
    Squeeze: { op: "Squeeze", inputs: [x(2, 1, 3, 1), list(-1)] },
    "Squeeze, every axis of one": { op: "Squeeze", inputs: [x(2, 1, 3, 1)] },
    Unsqueeze: { op: "Unsqueeze", inputs: [x(2, 3), list(-1, 0)] },
    "Transpose, reversed": { op: "Transpose", inputs: [x(2, 3, 4)] },
    Concat: { op: "Concat", attributes: { axis: 1 }, inputs: [x(2, 3), c(2, 1), x(2, 2)] },
    "Concat, axis from the end": { op: "Concat", attributes: { axis: -2 }, inputs: [c(2, 3), x(1, 3)] },
    "Expand to more axes": { op: "Expand", inputs: [x(3, 1), list(2, 1, 4)] },
    "Expand to fewer axes": { op: "Expand", inputs: [x(2, 3, 1), list(4)] },
    "Trilu, upper": { op: "Trilu", inputs: [x(2, 3, 4)] },
    "Trilu, lower": { op: "Trilu", attributes: { upper: 0 }, inputs: [x(3, 3)] },
    "Trilu, diagonal": { op: "Trilu", inputs: [x(2, 4, 3), Tensor.int64(-1)] },
    SpaceToDepth: { op: "SpaceToDepth", attributes: { blocksize: 2 }, inputs: [x(2, 3, 4, 6)] },
    "DepthToSpace, DCR": { op: "DepthToSpace", attributes: { blocksize: 2 }, inputs: [x(2, 12, 2, 3)] },
    "DepthToSpace, CRD": { op: "DepthToSpace", attributes: { blocksize: 3, mode: "CRD" }, inputs: [x(2, 18, 1, 2)] },
  };
  test.each(Object.entries(cases))("%s", async (_, given) => check(given));

  test("Transpose, any order", async () => {
    const order = fc.integer({ min: 1, max: 4 }).chain((rank) =>
      fc.record({
        shape: dims(rank, rank),
        perm: fc.shuffledSubarray([...Array(rank).keys()], { minLength: rank, maxLength: rank }),
      }),
    );
    await fc.assert(
      fc.asyncProperty(order, ({ shape, perm }) =>
        check({ op: "Transpose", attributes: { perm }, inputs: [x(...shape)] }),
      ),
      RUNS,
    );
  });

  test("Expand, any axes", async () => {
    await fc.assert(
      fc.asyncProperty(perAxis(fc.boolean(), 1, 4), fc.nat(2), (axes, more) => {
        const from = axes.map(({ size, choice }) => (choice ? 1 : size)).slice(Math.min(more, axes.length - 1));
        return check({ op: "Expand", inputs: [x(...from), list(...axes.map(({ size }) => size))] });
      }),
      RUNS,
    );
  });

  test("Tile, any repeats", async () => {
    await fc.assert(
      fc.asyncProperty(perAxis(fc.integer({ min: 1, max: 3 })), (axes) =>
        check({ op: "Tile", inputs: [x(...axes.map(({ size }) => size)), list(...axes.map(({ choice }) => choice))] }),
      ),
      RUNS,
    );
  });
});

describe("Split", () => {
  test("uneven parts, one of which is used", async () => {
    const parts = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(dims(1, 3), fc.nat(), parts, fc.nat(), async (shape, place, sizes, used) => {
        const axis = place % shape.length;
        const total = sizes.reduce((sum, size) => sum + size, 0);
        await check({
          op: "Split",
          attributes: { axis: place % 2 ? axis : axis - shape.length },
          inputs: [x(...shape.with(axis, total)), list(...sizes)],
          output: [used % sizes.length, sizes.length],
        });
      }),
      RUNS,
    );
  });

  test("by number, the last part shorter", async () => {
    for (const part of [0, 1, 2]) {
      await check({ op: "Split", attributes: { num_outputs: 3 }, inputs: [x(7, 2)], output: [part, 3] });
    }
  });
});

describe("Slice", () => {
  test("any begin, end and step of any axes", async () => {
    const range = fc.record({
      begin: fc.nat(4),
      step: fc.constantFrom(1, 2, 3, -1, -2, -3),
      count: fc.integer({ min: 1, max: 4 }),
      slack: fc.nat(2),
      fromBack: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(perAxis(fc.option(range)), async (axes) => {
        const shape = axes.map(({ size }) => size);
        const cut = axes.flatMap(({ choice, size }, axis) => {
          if (!choice) return [];
          const begin = choice.begin % size;
          const sign = Math.sign(choice.step);
          // The last element, and up to |step| places on: the same slice.
          const end = begin + choice.step * (choice.count - 1) + sign * (1 + (choice.slack % Math.abs(choice.step)));
          const back = choice.fromBack ? size : 0;
          return [
            {
              axis: choice.fromBack ? axis - axes.length : axis,
              start: begin - back,
              end: end < 0 ? -LAST : end,
              step: choice.step,
            },
          ];
        });
        if (cut.length === 0) return;
        const column = (key: "axis" | "start" | "end" | "step") => list(...cut.map((range) => range[key]));
        await check({
          op: "Slice",
          inputs: [x(...shape), column("start"), column("end"), column("axis"), column("step")],
        });
      }),
      { ...RUNS, numRuns: 50 },
    );
  });

  test.each<[string, number[], number[], number[], number[]]>([
    ["reversed", [-1], [-LAST], [1], [-1]],
    ["to the end", [1, 2], [LAST, LAST], [0, 1], [1, 1]],
    ["every second from the back", [-1, -1], [-LAST, -LAST], [0, 1], [-2, -3]],
    ["a stride that ends before the axis does", [1], [5], [1], [3]],
    ["one element with a stride", [4], [5], [1], [3]],
  ])("%s", async (_, starts, ends, axes, steps) => {
    await check({ op: "Slice", inputs: [x(5, 6), list(...starts), list(...ends), list(...axes), list(...steps)] });
  });

  test("nothing: what it pulls back is zero", async () => {
    const b = new Builder();
    const source = b.input("x", "float32", [5, 6]);
    const nothing = b.add("Slice", [source, b.integers([3]), b.integers([2]), b.integers([1])]);
    const pulled = pullBack(b, new Map([[nothing, nothing]]), [source], 0).get(source) as string;
    const values = await valuesOf(b, { pulled }, { x: { type: "float32", dims: [5, 6], data: x(5, 6).values } });
    expect(values["pulled"]).toEqual(new Float64Array(30));
  });

  test("without axes and steps", async () => {
    await check({ op: "Slice", inputs: [x(5, 6, 2), list(1, -4), list(4, -1)] });
  });
});

describe("Pad", () => {
  const pad = (shape: number[], widths: readonly (readonly [number, number])[], attributes = {}, value?: Tensor) =>
    check({
      op: "Pad",
      attributes: attributes as Record<string, AttributeValue>,
      inputs: [
        x(...shape),
        list(...widths.map(([begin]) => begin), ...widths.map(([, end]) => end)),
        ...(value ? [value] : []),
      ],
    });

  test("constant, also cutting, whatever the constant", async () => {
    const width = fc.tuple(fc.integer({ min: -1, max: 3 }), fc.integer({ min: -1, max: 3 }));
    await fc.assert(
      fc.asyncProperty(perAxis(width), fc.boolean(), async (axes, valued) => {
        const shape = axes.map(({ size }) => size + 2);
        await pad(
          shape,
          axes.map(({ choice }) => choice),
          {},
          valued ? Tensor.float32([], [7]) : undefined,
        );
      }),
      RUNS,
    );
  });

  test("reflect", async () => {
    const width = fc.tuple(fc.nat(4), fc.nat(4));
    await fc.assert(
      fc.asyncProperty(perAxis(width), (axes) =>
        pad(
          axes.map(({ size }) => size + 1),
          axes.map(({ size, choice: [begin, end] }) => [Math.min(begin, size), Math.min(end, size)] as const),
          { mode: "reflect" },
        ),
      ),
      RUNS,
    );
  });

  test("edge", async () => {
    const width = fc.tuple(fc.nat(4), fc.nat(4));
    await fc.assert(
      fc.asyncProperty(perAxis(width), (axes) =>
        pad(
          axes.map(({ size }) => size),
          axes.map(({ choice }) => choice),
          { mode: "edge" },
        ),
      ),
      RUNS,
    );
  });

  test("some axes", async () => {
    for (const mode of ["constant", "reflect", "edge"]) {
      await check({ op: "Pad", attributes: { mode }, inputs: [x(2, 4, 3), list(1, 2, 3, 0), "", list(-2, 2)] });
    }
  });
});
