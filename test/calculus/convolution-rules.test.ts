import fc from "fast-check";
import { describe, test } from "vitest";
import { checkComposition } from "./composition-check.ts";
import { checkRule, constantOf, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const RUNS = { numRuns: 25, seed: 3401 };

const random = randomFrom(34);
const x = (...dims: number[]) => varyingOf(dims, random);
const c = (...dims: number[]) => constantOf(dims, random);

/** The runtime has no float64 Conv and ConvTranspose. */
async function check(given: RuleCase): Promise<void> {
  await checkRule({ ...given, float64: false }, random);
  await checkComposition(given, random);
}

const axis = fc.record({
  kernel: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  begin: fc.nat(2),
  end: fc.nat(2),
  extra: fc.nat(2),
  room: fc.nat(2),
});
type Axis = typeof axis extends fc.Arbitrary<infer T> ? T : never;
const axes = fc.array(axis, { minLength: 1, maxLength: 3 });

const channels = fc.record({
  batch: fc.integer({ min: 1, max: 2 }),
  groups: fc.integer({ min: 1, max: 2 }),
  into: fc.integer({ min: 1, max: 2 }),
  out: fc.integer({ min: 1, max: 2 }),
  bias: fc.boolean(),
});
const varying = fc.constantFrom([true, false], [false, true], [true, true]);

function windowOf(list: readonly Axis[]) {
  return {
    strides: list.map(({ stride }) => stride),
    dilations: list.map(({ dilation }) => dilation),
    pads: [...list.map(({ begin }) => begin), ...list.map(({ end }) => end)],
  };
}

describe("ConvTranspose", () => {
  /** As the runtime demands: a positive output, and output_padding below the stride. */
  const possible = (list: readonly Axis[]) =>
    list.map((one) => {
      const reach = one.room * one.stride + (one.kernel - 1) * one.dilation + 1;
      const extra = Math.min(one.extra, one.stride - 1);
      const begin = Math.min(one.begin, reach - 1);
      return { ...one, extra, begin, end: Math.min(one.end, reach - 1 - begin) };
    });

  test("any windows, groups and padding of the output; input, kernel and bias vary", async () => {
    await fc.assert(
      fc.asyncProperty(
        axes.map(possible),
        channels,
        varying,
        (list, { batch, groups, into, out, bias }, [image, kernel]) =>
          check({
            op: "ConvTranspose",
            attributes: { ...windowOf(list), group: groups, output_padding: list.map(({ extra }) => extra) },
            inputs: [
              (image ? x : c)(batch, groups * into, ...list.map(({ room }) => room + 1)),
              (kernel ? x : c)(groups * into, out, ...list.map((one) => one.kernel)),
              ...(bias ? [x(groups * out)] : []),
            ],
          }),
      ),
      { ...RUNS, numRuns: 60 },
    );
  });

  test.each([
    ["defaults", [2, 3, 4, 3], [3, 2, 3, 2], {}],
    [
      "output_shape, smaller than the kernel reaches",
      [2, 2, 4, 3],
      [2, 2, 3, 3],
      { strides: [2, 2], output_shape: [8, 6] },
    ],
    [
      "output_shape, larger than the kernel reaches",
      [1, 2, 3, 3],
      [2, 1, 2, 2],
      { strides: [3, 2], output_shape: [10, 7] },
    ],
    [
      "output_shape with upper padding",
      [1, 2, 4, 3],
      [2, 1, 3, 3],
      { strides: [2, 2], output_shape: [8, 6], auto_pad: "SAME_UPPER" },
    ],
    ["SAME_UPPER", [1, 2, 3, 4], [2, 2, 3, 2], { auto_pad: "SAME_UPPER", strides: [2, 1] }],
    ["SAME_LOWER", [1, 2, 3, 4], [2, 2, 3, 2], { auto_pad: "SAME_LOWER", strides: [2, 1] }],
    ["SAME_UPPER, odd", [1, 2, 3, 4], [2, 2, 4, 3], { auto_pad: "SAME_UPPER", strides: [1, 2] }],
    ["SAME_LOWER, odd", [1, 2, 3, 4], [2, 2, 4, 3], { auto_pad: "SAME_LOWER", strides: [1, 2] }],
    ["SAME, kernel smaller than the stride", [1, 2, 3, 3], [2, 2, 1, 1], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["VALID", [1, 2, 3, 3], [2, 2, 2, 3], { auto_pad: "VALID", strides: [2, 2] }],
    [
      "depthwise",
      [2, 3, 3, 3],
      [3, 1, 3, 3],
      { group: 3, strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] },
    ],
  ] as const)("%s", async (_, image, kernel, attributes) => {
    await check({ op: "ConvTranspose", attributes, inputs: [x(...image), x(...kernel)] });
  });
});

describe("Conv", () => {
  test("any windows and groups; input, kernel and bias vary", async () => {
    await fc.assert(
      fc.asyncProperty(axes, channels, varying, (list, { batch, groups, into, out, bias }, [image, kernel]) =>
        check({
          op: "Conv",
          attributes: { ...windowOf(list), group: groups },
          inputs: [
            (image ? x : c)(batch, groups * into, ...list.map((one) => (one.kernel - 1) * one.dilation + 1 + one.room)),
            (kernel ? x : c)(groups * out, into, ...list.map((one) => one.kernel)),
            ...(bias ? [x(groups * out)] : []),
          ],
        }),
      ),
      { ...RUNS, numRuns: 40 },
    );
  });
});
