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
      // Patches gather rows; rows that γ is moved by do not.
      const gathers = b.nodes.slice(before).some(({ op }) => op === "Gather");
      if (kernel[0] > 1) seen[gathers ? "stayed" : "moved"]++;
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
