import fc from "fast-check";
import { describe, test } from "vitest";
import { Tensor } from "../../../src/graph/tensor.ts";
import { checkPullback } from "./pullback-check.ts";

const RUNS = { numRuns: 25, seed: 2404 };

const seed = fc.integer({ min: 1, max: 1e6 });
const dims = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
const integers = (...values: number[]) => Tensor.int64(values);

test("Transpose by every order, and by none given", async () => {
  const turned = dims.chain((shape) =>
    fc.record({ shape: fc.constant(shape), perm: fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }) }),
  );
  await fc.assert(
    fc.asyncProperty(turned, fc.boolean(), seed, ({ shape, perm }, given, from) =>
      checkPullback({ op: "Transpose", attributes: given ? { perm } : {}, inputs: [{ dims: shape }], seed: from }),
    ),
    RUNS,
  );
});

describe("shapes", () => {
  test.each([
    ["Reshape", [2, 3, 4], integers(4, 6), {}],
    ["Reshape", [2, 3, 4], integers(0, -1), {}],
    ["Reshape", [2, 3, 4], integers(-1), {}],
    ["Squeeze", [2, 1, 3, 1], integers(1, -1), {}],
    ["Unsqueeze", [2, 3], integers(0, -1, 2), {}],
    ["Flatten", [2, 3, 4], "", {}],
    ["Flatten", [2, 3, 4], "", { axis: 0 }],
    ["Flatten", [2, 3, 4], "", { axis: -1 }],
  ] as const)("%s of %j", async (op, shape, second, attributes) => {
    const inputs = second === "" ? [{ dims: shape }] : [{ dims: shape }, second];
    await checkPullback({ op, attributes, inputs });
  });
});

test("Concat of varying and constant parts, along any axis", async () => {
  const parts = fc.tuple(
    dims,
    fc.nat(3),
    fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    fc.boolean(),
  );
  await fc.assert(
    fc.asyncProperty(parts, seed, ([shape, place, lengths, negative], from) => {
      const axis = place % shape.length;
      const inputs = lengths.map((length) => ({ dims: shape.with(axis, length) }));
      const fixed = shape.with(axis, 2);
      const constant = Tensor.float32(fixed, new Float32Array(fixed.reduce((a, b) => a * b, 1)).fill(0.7));
      return checkPullback({
        op: "Concat",
        attributes: { axis: negative ? axis - shape.length : axis },
        inputs: [inputs[0]!, constant, ...inputs.slice(1)],
        seed: from,
      });
    }),
    RUNS,
  );
});

test("Pad with zeros or another constant, on all axes or some, by less than nothing too", async () => {
  const axis = fc
    .record({
      length: fc.integer({ min: 2, max: 4 }),
      begin: fc.integer({ min: -1, max: 2 }),
      end: fc.integer({ min: -1, max: 2 }),
    })
    .map((given) => (given.length + given.begin + given.end < 1 ? { ...given, end: 0 } : given));
  await fc.assert(
    fc.asyncProperty(
      fc.array(axis, { minLength: 1, maxLength: 4 }),
      fc.constantFrom(0, 1.5),
      fc.boolean(),
      seed,
      (axes, value, some, from) => {
        const shape = axes.map(({ length }) => length);
        const padded = some ? [axes.length - 1] : [...axes.keys()];
        const pads = [...padded.map((index) => axes[index]!.begin), ...padded.map((index) => axes[index]!.end)];
        const constant = Tensor.float32([], [value]);
        return checkPullback({
          op: "Pad",
          inputs: [{ dims: shape }, integers(...pads), constant, ...(some ? [integers(-1)] : [])],
          seed: from,
        });
      },
    ),
    RUNS,
  );
});

test("Slice from and to anywhere, counted from the end too", async () => {
  const axis = fc.record({
    length: fc.integer({ min: 2, max: 5 }),
    start: fc.nat(4),
    size: fc.integer({ min: 1, max: 5 }),
    negative: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 3 }), seed, (axes, from) => {
      const ranges = axes.map(({ length, start, size, negative }) => {
        const begin = start % length;
        // An end beyond the axis means the axis.
        const end = begin + size > length ? 1000 : begin + size;
        return negative ? [begin - length, end === 1000 || end === length ? 1000 : end - length] : [begin, end];
      });
      return checkPullback({
        op: "Slice",
        inputs: [
          { dims: axes.map(({ length }) => length) },
          integers(...ranges.map(([begin]) => begin!)),
          integers(...ranges.map(([, end]) => end!)),
          integers(...axes.keys()),
        ],
        seed: from,
      });
    }),
    RUNS,
  );
});

test("Slice with steps, backwards too", async () => {
  for (const [start, end, step] of [
    [0, 100, 2],
    [1, 6, 2],
    [0, 7, 3],
    [-1, -100, -1],
    [5, 0, -2],
    [6, -100, -3],
  ]) {
    const inputs = [{ dims: [2, 7, 2] }, integers(start!), integers(end!), integers(1), integers(step!)];
    await checkPullback({ op: "Slice", inputs });
  }
});

test("Pad by repeating the edge, or by reflection", async () => {
  for (const mode of ["edge", "reflect"]) {
    for (const pads of [
      [0, 1, 2, 0, 2, 1],
      [0, 0, 0, 0, 3, 0],
    ]) {
      await checkPullback({ op: "Pad", attributes: { mode }, inputs: [{ dims: [2, 4, 3] }, integers(...pads)] });
    }
  }
});

test("BatchNormalization of maps and of vectors", async () => {
  const channel = (values: number[]) => Tensor.float32([3], values);
  const statistics = [
    channel([1.5, -0.5, 2]),
    channel([0.1, 0.2, 0.3]),
    channel([0.5, -1, 0]),
    channel([0.5, 2, 1e-3]),
  ];
  for (const shape of [
    [2, 3],
    [2, 3, 4],
    [2, 3, 2, 4],
  ]) {
    const inputs = [{ dims: shape }, ...statistics];
    await checkPullback({ op: "BatchNormalization", inputs });
    await checkPullback({ op: "BatchNormalization", attributes: { epsilon: { float: 0.01 } }, inputs });
  }
});
