import fc from "fast-check";
import { describe, test } from "vitest";
import { Tensor } from "../../../src/graph/tensor.ts";
import { product } from "../../float64-array.ts";
import { normals } from "../../sketch.ts";
import { awayFrom, checkPullback, type Varying } from "./pullback-check.ts";

const RUNS = { numRuns: 20, seed: 2202 };

const seed = fc.integer({ min: 1, max: 1e6 });
const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** Two shapes that broadcast to one: axes taken away in front, axes shrunk to 1. */
const broadcast = fc
  .tuple(dims, fc.array(fc.constantFrom("keep", "shrink"), { minLength: 4, maxLength: 4 }), fc.nat(2), fc.boolean())
  .map(([whole, changes, cut, turned]): [number[], number[]] => {
    const small = whole.map((size, axis) => (changes[axis] === "shrink" ? 1 : size)).slice(Math.min(cut, whole.length));
    return turned ? [small, whole] : [whole, small];
  });

const which = fc.constantFrom([true, true], [true, false], [false, true]);

/** Values of size near 1: a divisor must not be small. */
function operand(shape: readonly number[], varies: boolean, from: number): Varying | Tensor {
  const normal = normals(from);
  const values = Array.from({ length: product(shape) }, () => {
    const value = normal();
    return value + (value < 0 ? -1 : 1);
  });
  return varies ? { dims: shape, values } : Tensor.float32(shape, values);
}

describe("arithmetic of two operands that are broadcast", () => {
  test.each(["Add", "Sub", "Mul", "Div"])("%s", async (op) => {
    await fc.assert(
      fc.asyncProperty(broadcast, which, seed, ([left, right], [first, second], from) =>
        checkPullback({
          op,
          inputs: [operand(left, first!, from), operand(right, second!, from + 1)],
          seed: from,
        }),
      ),
      { ...RUNS, numRuns: 30 },
    );
  });

  test("Sum of three", async () => {
    await checkPullback({ op: "Sum", inputs: [{ dims: [2, 3] }, operand([3], false, 7), { dims: [1, 3] }] });
  });
});

describe("functions of one value", () => {
  test.each(["Neg", "Identity"])("%s", async (op) => {
    await fc.assert(
      fc.asyncProperty(dims, seed, (shape, from) => checkPullback({ op, inputs: [{ dims: shape }], seed: from })),
      RUNS,
    );
  });

  test("Relu", async () => {
    await fc.assert(
      fc.asyncProperty(dims, seed, (shape, from) =>
        checkPullback({ op: "Relu", inputs: [awayFrom([0], shape, from)], seed: from }),
      ),
      RUNS,
    );
  });

  test("LeakyRelu", async () => {
    await fc.assert(
      fc.asyncProperty(dims, fc.constantFrom(0, 0.01, 0.3, -0.5, 2), seed, (shape, alpha, from) =>
        checkPullback({
          op: "LeakyRelu",
          attributes: { alpha: { float: alpha } },
          inputs: [awayFrom([0], shape, from)],
          seed: from,
        }),
      ),
      RUNS,
    );
    await checkPullback({ op: "LeakyRelu", inputs: [awayFrom([0], [3, 4], 1)] });
  });

  test("Clip between two bounds, one, or none", async () => {
    const bound = (value: number) => Tensor.float32([], [value]);
    for (const bounds of [[bound(-0.5), bound(1)], ["", bound(0.5)], [bound(-0.2), ""], [bound(0)], []] as const) {
      await checkPullback({ op: "Clip", inputs: [awayFrom([-0.5, -0.2, 0, 0.5, 1], [3, 5], 9), ...bounds] });
    }
  });
});
