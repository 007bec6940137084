import fc from "fast-check";
import { describe, test } from "vitest";
import { Tensor } from "../../../src/graph/tensor.ts";
import { product } from "../../float64-array.ts";
import { normals } from "../../sketch.ts";
import { checkPullback, type Varying } from "./pullback-check.ts";

const RUNS = { numRuns: 20, seed: 2101 };

const size = fc.integer({ min: 1, max: 4 });
const seed = fc.integer({ min: 1, max: 1e6 });

function constant(dims: readonly number[], from: number): Tensor {
  return Tensor.float32(dims, Array.from({ length: product(dims) }, normals(from)));
}

/** One operand a constant, or both varying. */
function operands(
  dims: readonly (readonly number[])[],
  varying: readonly boolean[],
  from: number,
): (Varying | Tensor)[] {
  return dims.map((each, index) => (varying[index] ? { dims: each } : constant(each, from + index)));
}

const varying = fc.constantFrom([true, false], [false, true], [true, true]);

describe("MatMul", () => {
  test("matrices, with batch axes that are broadcast", async () => {
    const shapes = fc.constantFrom<[number[], number[]]>(
      [[], []],
      [[2], []],
      [[], [3]],
      [[2], [2]],
      [[2, 3], [3]],
      [
        [2, 1],
        [2, 3],
      ],
      [
        [1, 3],
        [2, 1],
      ],
    );
    await fc.assert(
      fc.asyncProperty(shapes, size, size, size, varying, seed, ([left, right], m, k, n, which, from) =>
        checkPullback({
          op: "MatMul",
          inputs: operands(
            [
              [...left, m, k],
              [...right, k, n],
            ],
            which,
            from,
          ),
          seed: from,
        }),
      ),
      RUNS,
    );
  });

  test.each([
    ["a vector on the left", [3], [2, 3, 4]],
    ["a vector on the right", [2, 4, 3], [3]],
    ["a matrix and a vector", [4, 3], [3]],
  ])("%s", async (_, left, right) => {
    for (const which of [
      [true, false],
      [false, true],
      [true, true],
    ]) {
      await checkPullback({ op: "MatMul", inputs: operands([left, right], which, 5) });
    }
  });
});

describe("Gemm", () => {
  test("every transposition, alpha, beta and shape of the bias", async () => {
    const bias = fc.constantFrom("none", "row", "column", "matrix", "one");
    const factor = fc.constantFrom(1, 0.5, -2);
    const which = fc.constantFrom([true, false, false], [false, true, false], [false, false, true], [true, true, true]);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          m: size,
          k: size,
          n: size,
          transA: fc.nat(1),
          transB: fc.nat(1),
          alpha: factor,
          beta: factor,
          bias,
          which,
          seed,
        }),
        ({ m, k, n, transA, transB, alpha, beta, bias: shape, which: given, seed: from }) => {
          const a = transA ? [k, m] : [m, k];
          const b = transB ? [n, k] : [k, n];
          const c = { none: undefined, row: [n], column: [m, 1], matrix: [m, n], one: [] }[shape];
          const dims = c ? [a, b, c] : [a, b];
          const some = c ? given : [given[0] || !given[1], given[1]!];
          return checkPullback({
            op: "Gemm",
            attributes: { transA, transB, alpha: { float: alpha }, beta: { float: beta } },
            inputs: operands(dims, some as boolean[], from),
            seed: from,
          });
        },
      ),
      RUNS,
    );
  });
});

describe("Conv", () => {
  const axis = fc.record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
    begin: fc.nat(2),
    end: fc.nat(2),
    room: fc.nat(3),
  });
  const window = fc.array(axis, { minLength: 1, maxLength: 3 }).map((axes) => ({
    spatial: axes.map(({ kernel, dilation, room }) => (kernel - 1) * dilation + 1 + room),
    kernel: axes.map(({ kernel }) => kernel),
    attributes: {
      strides: axes.map(({ stride }) => stride),
      dilations: axes.map(({ dilation }) => dilation),
      pads: [...axes.map(({ begin }) => begin), ...axes.map(({ end }) => end)],
    },
  }));
  const channels = fc.record({
    batch: fc.integer({ min: 1, max: 2 }),
    groups: fc.integer({ min: 1, max: 2 }),
    into: fc.integer({ min: 1, max: 2 }),
    out: fc.integer({ min: 1, max: 2 }),
  });

  test("every window, in groups, along one to three axes: input and bias", async () => {
    await fc.assert(
      fc.asyncProperty(
        window,
        channels,
        fc.boolean(),
        seed,
        ({ spatial, kernel, attributes }, { batch, groups, into, out }, biased, from) =>
          checkPullback({
            op: "Conv",
            attributes: { ...attributes, group: groups },
            inputs: [
              { dims: [batch, groups * into, ...spatial] },
              constant([groups * out, into, ...kernel], from),
              ...(biased ? [{ dims: [groups * out] }] : []),
            ],
            seed: from,
          }),
      ),
      { ...RUNS, numRuns: 40 },
    );
  });

  test.each(["SAME_UPPER", "SAME_LOWER", "VALID"])("auto_pad %s", async (mode) => {
    for (const strides of [
      [1, 1],
      [2, 3],
    ]) {
      const attributes = { auto_pad: mode, strides };
      await checkPullback({ op: "Conv", attributes, inputs: [{ dims: [2, 2, 6, 7] }, constant([3, 2, 2, 4], 1)] });
    }
  });
});
