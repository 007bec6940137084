import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pullBack } from "../../../src/calculus/vjp.ts";
import { attributes, Builder } from "../../../src/graph/builder.ts";
import { valuesOf } from "../../run-graph.ts";
import { checkPullback, distinct } from "./pullback-check.ts";

const RUNS = { numRuns: 40, seed: 2303 };

const seed = fc.integer({ min: 1, max: 1e6 });
const axis = fc
  .record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    begin: fc.nat(2),
    end: fc.nat(2),
    room: fc.nat(4),
  })
  // Padding as wide as the window would make windows of nothing, which the runtime refuses.
  .map((given) => ({
    ...given,
    begin: Math.min(given.begin, given.kernel - 1),
    end: Math.min(given.end, given.kernel - 1),
  }));

function windows(axes: number) {
  return fc.array(axis, { minLength: axes, maxLength: axes }).map((list) => ({
    spatial: list.map(({ kernel, room }) => kernel + room),
    attributes: {
      kernel_shape: list.map(({ kernel }) => kernel),
      strides: list.map(({ stride }) => stride),
      pads: [...list.map(({ begin }) => begin), ...list.map(({ end }) => end)],
    },
  }));
}

const window = fc.oneof(windows(1), windows(2), windows(2), windows(3));

describe("AveragePool", () => {
  test("every window, counting padding or not, whole windows or overhanging ones", async () => {
    await fc.assert(
      fc.asyncProperty(window, fc.nat(1), fc.nat(1), seed, ({ spatial, attributes: given }, counted, ceil, from) =>
        checkPullback({
          op: "AveragePool",
          attributes: { ...given, count_include_pad: counted, ceil_mode: ceil },
          inputs: [{ dims: [2, 2, ...spatial] }],
          seed: from,
        }),
      ),
      RUNS,
    );
  });

  test.each(["SAME_UPPER", "SAME_LOWER", "VALID"])("auto_pad %s", async (mode) => {
    const given = { auto_pad: mode, kernel_shape: [2, 3], strides: [2, 2] };
    await checkPullback({ op: "AveragePool", attributes: given, inputs: [{ dims: [1, 2, 5, 6] }] });
  });
});

test("GlobalAveragePool", async () => {
  for (const spatial of [[5], [3, 4], [2, 3, 2]]) {
    await checkPullback({ op: "GlobalAveragePool", inputs: [{ dims: [2, 3, ...spatial] }] });
  }
});

describe("MaxPool", () => {
  test("windows that overlap, leave gaps, hang over or are padded", async () => {
    await fc.assert(
      fc.asyncProperty(window, fc.nat(1), seed, ({ spatial, attributes: given }, ceil, from) =>
        checkPullback({
          op: "MaxPool",
          attributes: { ...given, ceil_mode: ceil },
          inputs: [distinct([2, 2, ...spatial], from)],
          seed: from,
        }),
      ),
      RUNS,
    );
  });

  test("windows side by side, small planes and large, with and without a remainder", async () => {
    const side = fc.record({
      kernel: fc.integer({ min: 1, max: 3 }),
      windows: fc.integer({ min: 1, max: 9 }),
      rest: fc.nat(2),
    });
    await fc.assert(
      fc.asyncProperty(side, side, fc.integer({ min: 1, max: 2 }), seed, (tall, wide, channels, from) => {
        const length = ({ kernel, windows: count, rest }: typeof tall) => kernel * count + Math.min(rest, kernel - 1);
        const kernel = [tall.kernel, wide.kernel];
        return checkPullback({
          op: "MaxPool",
          attributes: { kernel_shape: kernel, strides: kernel },
          inputs: [distinct([2, channels, length(tall), length(wide)], from)],
          seed: from,
        });
      }),
      { ...RUNS, numRuns: 25 },
    );
  });

  test("windows with holes", async () => {
    const given = { kernel_shape: [2, 2], strides: [2, 1], dilations: [2, 3] };
    await checkPullback({ op: "MaxPool", attributes: given, inputs: [distinct([2, 2, 6, 7], 3)] });
  });

  // By hand: of equal elements the first has it all, in rows and then columns, as in torch; shared by windows it has each.
  test.each([
    [
      "side by side",
      [2, 2],
      [1, 2, 3, 4],
      [
        [1, 0, 2, 0],
        [0, 0, 0, 0],
        [3, 0, 4, 0],
        [0, 0, 0, 0],
      ],
    ],
    [
      "overlapping",
      [1, 1],
      [1, 2, 3, 4, 5, 6, 7, 8, 9],
      [
        [1, 2, 3, 0],
        [4, 5, 6, 0],
        [7, 8, 9, 0],
        [0, 0, 0, 0],
      ],
    ],
  ] as const)("ties of windows %s", async (_, strides, cotangents, expected) => {
    const b = new Builder();
    const x = b.input("x", "float32", [1, 1, 4, 4]);
    b.node({
      op: "MaxPool",
      domain: "",
      name: "pool",
      inputs: [x],
      outputs: ["y"],
      attributes: attributes({ kernel_shape: [2, 2], strides }),
    });
    const u = b.input("u", "float32", b.dims("y"));
    const pulled = pullBack(b, new Map([["y", u]]), [x], 0).get(x) as string;
    const flat = { type: "float32" as const, dims: [1, 1, 4, 4], data: new Float32Array(16).fill(0.5) };
    const given = { type: "float32" as const, dims: b.dims("y"), data: Float32Array.from(cotangents) };
    const { dx } = await valuesOf(b, { dx: pulled }, { x: flat, u: given });
    expect([...(dx as Float64Array)]).toEqual(expected.flat());
  });
});
