import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import { Tensor, count } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, randomFrom, varyingOf, type RuleCase, type Varying } from "./rule-check.ts";

const RUNS = { numRuns: 30, seed: 3301 };

const random = randomFrom(33);
const x = (...dims: number[]) => varyingOf(dims, random);

// The runtime has no float64 kernel of AveragePool, GlobalAveragePool, GlobalMaxPool and MaxUnpool, which a MaxPool emits whose
// windows lie side by side.
const noFloat64 = { float64: false };

async function check(given: RuleCase): Promise<void> {
  await checkRule(given, random);
  await checkComposition(given, random);
}

/** Values in random order, 0.1 apart: no window has two maxima, and central differences do not change which it is. */
function apart(...dims: number[]): Varying {
  const order = Array.from({ length: count(dims) }, (_, place) => ({ place, key: random() }));
  order.sort((a, b) => a.key - b.key);
  const values = new Float32Array(order.length);
  order.forEach(({ place }, rank) => (values[place] = (rank - order.length / 2) / 10));
  return { dims, values };
}

interface Windows {
  readonly spatial: number[];
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** Windows along one to three axes. Pads are smaller than the window, as the runtime demands. */
function windows(dilated: boolean): fc.Arbitrary<Windows> {
  const axis = fc.record({
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: dilated ? 2 : 1 }),
    begin: fc.nat(2),
    end: fc.nat(2),
    room: fc.nat(3),
  });
  return fc.tuple(fc.array(axis, { minLength: 1, maxLength: 3 }), fc.nat(1)).map(([axes, ceil]) => ({
    spatial: axes.map(({ kernel, dilation, room }) => (kernel - 1) * dilation + 1 + room),
    attributes: {
      kernel_shape: axes.map(({ kernel }) => kernel),
      strides: axes.map(({ stride }) => stride),
      pads: [
        ...axes.map(({ begin, kernel }) => Math.min(begin, kernel - 1)),
        ...axes.map(({ end, kernel }) => Math.min(end, kernel - 1)),
      ],
      ceil_mode: ceil,
      ...(dilated ? { dilations: axes.map(({ dilation }) => dilation) } : {}),
    },
  }));
}

const autoPads = ["SAME_UPPER", "SAME_LOWER", "VALID"].flatMap((mode) => [
  { auto_pad: mode, kernel_shape: [3, 2], strides: [2, 3] },
  { auto_pad: mode, kernel_shape: [2, 3], strides: [1, 1] },
]);

describe("AveragePool", () => {
  test("any windows", async () => {
    await fc.assert(
      fc.asyncProperty(windows(false), fc.nat(1), ({ spatial, attributes }, padded) =>
        check({
          op: "AveragePool",
          attributes: { ...attributes, count_include_pad: padded },
          inputs: [x(2, 2, ...spatial)],
          ...noFloat64,
        }),
      ),
      { ...RUNS, numRuns: 60 },
    );
  });

  test.each(autoPads)("auto_pad $auto_pad, strides $strides", async (attributes) => {
    await check({ op: "AveragePool", attributes, inputs: [x(2, 2, 6, 7)], ...noFloat64 });
  });

  test("maps too large for one product", async () => {
    const attributes = { kernel_shape: [3, 3], strides: [2, 1], pads: [1, 0, 1, 2] };
    await check({ op: "AveragePool", attributes, inputs: [x(1, 2, 12, 17)], ...noFloat64 });
  });
});

describe("MaxPool", () => {
  test("any windows", async () => {
    await fc.assert(
      fc.asyncProperty(windows(true), ({ spatial, attributes }) =>
        check({
          op: "MaxPool",
          attributes,
          inputs: [apart(2, 2, ...spatial)],
          float64: String(attributes["kernel_shape"]) !== String(attributes["strides"]),
        }),
      ),
      { ...RUNS, numRuns: 60 },
    );
  });

  test.each([
    ["all of the map", [2, 2], [6, 8], {}],
    ["with a rest", [2, 3], [7, 8], {}],
    ["with a last window that hangs over", [2, 3], [7, 8], { ceil_mode: 1 }],
    ["of large maps", [2, 2], [18, 20], {}],
    ["of large maps, with a rest", [2, 3], [21, 26], {}],
    ["of large maps, with a last window that hangs over", [2, 3], [21, 26], { ceil_mode: 1 }],
    ["along one axis", [3], [9], {}],
    ["along three axes", [2, 2, 1], [4, 4, 3], {}],
    ["counted by columns", [2, 2], [4, 6], { storage_order: 1 }],
  ] as const)("windows side by side: %s", async (_, kernel, spatial, more) => {
    const attributes = { kernel_shape: kernel, strides: kernel, ...more };
    await check({ op: "MaxPool", attributes, inputs: [apart(2, 1, ...spatial)], ...noFloat64 });
  });

  test("windows that overlap, counted by columns", async () => {
    const attributes = { kernel_shape: [3, 2], strides: [1, 2], pads: [1, 0, 1, 1], storage_order: 1 };
    await check({ op: "MaxPool", attributes, inputs: [apart(2, 2, 5, 6)], output: [0, 2] });
  });

  test.each(autoPads)("auto_pad $auto_pad, strides $strides", async (attributes) => {
    await check({ op: "MaxPool", attributes, inputs: [apart(2, 2, 6, 7)] });
  });
});

describe("MaxUnpool", () => {
  const places = (dims: number[], ...values: number[]) => Tensor.of("int64", dims, BigInt64Array.from(values, BigInt));
  const attributes = { kernel_shape: [2, 2], strides: [2, 2] };

  test("places in maps of their own", async () => {
    await check({
      op: "MaxUnpool",
      attributes,
      inputs: [x(1, 2, 1, 2), places([1, 2, 1, 2], 1, 6, 12, 11)],
      ...noFloat64,
    });
  });

  test("to a given shape", async () => {
    const inputs = [x(1, 1, 2, 2), places([1, 1, 2, 2], 0, 3, 9, 23), Tensor.int64([1, 1, 5, 5])];
    await check({ op: "MaxUnpool", attributes, inputs, ...noFloat64 });
  });
});

describe("global pools", () => {
  test.each([[[2, 3, 4]], [[2, 3, 4, 3]], [[2, 1, 2, 3, 2]]])("of %s", async (dims) => {
    await check({ op: "GlobalAveragePool", inputs: [x(...dims)], ...noFloat64 });
    await check({ op: "GlobalMaxPool", inputs: [apart(...dims)], ...noFloat64 });
  });
});

describe("equal maxima", () => {
  test.each([
    ["MaxPool", { kernel_shape: [2, 2], strides: [2, 2] }, [1, 0, 2, 0, 0, 0, 0, 0]],
    ["MaxPool", { kernel_shape: [2, 2] }, [1, 2, 3, 0, 0, 0, 0, 0]],
    ["GlobalMaxPool", {}, [1, 0, 0, 0, 0, 0, 0, 0]],
  ] as const)("the first takes all: %s %o", async (op, attributes, expected) => {
    const b = new Builder();
    const map = b.input("x", "float32", [1, 1, 2, 4]);
    const y = b.add(op, [map], attributes);
    const u = b.input("u", "float32", b.dims(y));
    const pulled = pullBack(b, new Map([[y, u]]), [map], 0).get(map) as string;
    const values = await valuesOf(
      b,
      { pulled },
      {
        x: { type: "float32", dims: [1, 1, 2, 4], data: new Float32Array(8).fill(0.5) },
        u: {
          type: "float32",
          dims: b.dims(u),
          data: Float32Array.from({ length: count(b.dims(u)) }, (_, place) => place + 1),
        },
      },
    );
    expect([...values["pulled"]!]).toEqual(expected);
  });
});
