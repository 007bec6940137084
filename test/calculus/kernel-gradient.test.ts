import fc from "fast-check";
import { expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder } from "../../src/graph/builder.ts";
import { reshape } from "../../src/graph/operators.ts";
import { count, type Dims } from "../../src/graph/tensor.ts";
import type { RuntimeArray } from "../../src/runtime/session.ts";
import { maximumError } from "../float64-array.ts";
import { valuesOf } from "../run-graph.ts";
import { normals } from "../sketch.ts";

/** float32 sums of some hundred products in another order. */
const ROUNDING = 1e-5;

const random = normals(61);
const numbers = (dims: Dims): RuntimeArray => ({
  type: "float32",
  dims,
  data: Float32Array.from({ length: count(dims) }, random),
});

const cases = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  groups: fc.integer({ min: 1, max: 2 }),
  into: fc.integer({ min: 1, max: 4 }),
  out: fc.integer({ min: 1, max: 3 }),
  kernel: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
  strides: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  pads: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2), fc.nat(2)),
  size: fc.tuple(fc.integer({ min: 7, max: 10 }), fc.integer({ min: 7, max: 10 })),
});

test("the gradient in a kernel is that of one column among several, where γ is moved by rows of the kernel and where it is not", async () => {
  const seen = { moved: 0, stayed: 0 };
  await fc.assert(
    fc.asyncProperty(cases, async ({ batch, groups, into, out, kernel, strides, dilations, pads, size }) => {
      const b = new Builder();
      const [x, w] = [
        [batch, groups * into, ...size],
        [groups * out, into, ...kernel],
      ];
      b.input("x", "float32", x);
      b.input("w", "float32", w);
      const y = b.add("Conv", ["x", "w"], { strides, dilations, pads, group: groups });
      const given = b.input("given", "float32", b.dims(y));
      const before = b.nodes.length;
      const alone = pullBack(b, new Map([[y, given]]), ["w"], 0).get("w")!;
      // Patches gather rows of x; where γ is moved, its own are gathered.
      const gathered = b.nodes
        .slice(before)
        .flatMap(({ op, inputs }) => (op === "Gather" ? [b.producerOf(inputs[0]!)] : []));
      const moved = gathered.some((maker) => maker?.inputs[0] === given);
      if (kernel[0] > 1) seen[moved ? "moved" : "stayed"]++;
      const column = reshape(b, given, [1, ...b.dims(y)]);
      const among = pullBack(b, new Map([[y, column]]), ["w"], 1).get("w")!;
      const feeds = { x: numbers(x), w: numbers(w), given: numbers(b.dims(y)) };
      const values = await valuesOf(b, { alone, among }, feeds);
      expect(b.dims(alone)).toEqual(w);
      expect(maximumError(values["alone"]!, values["among"]!)).toBeLessThan(ROUNDING);
    }),
    { numRuns: 60, seed: 3402 },
  );
  expect(Math.min(seen.moved, seen.stayed)).toBeGreaterThan(5);
});

test.each<[string, Dims, Dims, Record<string, number | number[]>]>([
  ["padding", [2, 32, 6, 7], [40, 32, 3, 3], { pads: [1, 2, 0, 1] }],
  ["groups", [2, 64, 5, 6], [80, 32, 2, 3], { group: 2 }],
  ["holes and strides along columns", [2, 32, 7, 9], [30, 32, 3, 3], { dilations: [2, 1], strides: [1, 2] }],
])("wide rows of a kernel meet slices of the image: %s", async (_, x, w, given) => {
  const b = new Builder();
  b.input("x", "float32", x);
  b.input("w", "float32", w);
  const y = b.add("Conv", ["x", "w"], given);
  const cotangent = b.input("given", "float32", b.dims(y));
  const before = b.nodes.length;
  const alone = pullBack(b, new Map([[y, cotangent]]), ["w"], 0).get("w")!;
  const made = b.nodes.slice(before).map(({ op }) => op);
  expect(made).not.toContain("Gather");
  expect(made.filter((op) => op === "MatMul")).toHaveLength(w[2]!);
  const among = pullBack(b, new Map([[y, reshape(b, cotangent, [1, ...b.dims(y)])]]), ["w"], 1).get("w")!;
  const values = await valuesOf(b, { alone, among }, { x: numbers(x), w: numbers(w), given: numbers(b.dims(y)) });
  expect(maximumError(values["alone"]!, values["among"]!)).toBeLessThan(ROUNDING);
});
