import fc from "fast-check";
import { describe, test } from "vitest";
import type { AttributeValue } from "../../src/graph/builder.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { checkComposition } from "./composition-check.ts";
import { checkRule, randomFrom, varyingOf, type RuleCase } from "./rule-check.ts";

const RUNS = { numRuns: 40, seed: 3601 };

const random = randomFrom(36);
const x = (...dims: number[]) => varyingOf(dims, random);
const floats = (...values: number[]) => Tensor.float32([values.length], values);
const list = (...values: number[]) => Tensor.int64(values);

type Attributes = Readonly<Record<string, AttributeValue>>;

/** The runtime has no float64 Resize. */
async function check(inputs: RuleCase["inputs"], attributes: Attributes = {}): Promise<void> {
  const given = { op: "Resize", attributes, inputs, float64: false };
  await checkRule(given, random);
  await checkComposition(given, random);
}

const coordinates = [
  "half_pixel",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "half_pixel_symmetric",
  "tf_crop_and_resize",
] as const;

const how: fc.Arbitrary<Attributes> = fc.oneof(
  fc.constantFrom("round_prefer_floor", "round_prefer_ceil", "floor", "ceil").map((nearest_mode) => ({ nearest_mode })),
  fc.constant({ mode: "linear" }),
  fc.record({
    mode: fc.constant("cubic"),
    exclude_outside: fc.nat(1),
    cubic_coeff_a: fc.constantFrom({ float: -0.75 }, { float: -0.5 }),
  }),
);

/** Lengths of an axis before and after, the factor between them where it is given, and the part that is read. */
const axis = fc.record({
  size: fc.integer({ min: 1, max: 7 }),
  outputs: fc.integer({ min: 1, max: 9 }),
  scale: fc.constantFrom(0.3, 0.5, 0.6, 0.75, 1, 1.1, 1.2, 1.5, 2, 2.3, 3),
  region: fc.constantFrom<readonly [number, number]>([0, 1], [0.2, 0.7], [-0.25, 1.25], [0.5, 0.5], [0.75, 1.5]),
});

describe("Resize", () => {
  test.each(coordinates)("of images, in every mode: %s", async (mode) => {
    await fc.assert(
      fc.asyncProperty(how, axis, axis, fc.boolean(), async (attributes, tall, wide, byScale) => {
        const scaled = [tall, wide].map(({ size, scale }) => Math.max(scale, 1.01 / size));
        const size = byScale
          ? (["", floats(1, 1, ...scaled)] as const)
          : (["", "", list(1, 2, tall.outputs, wide.outputs)] as const);
        const ends = [0, 1].map((end) => [end, end, tall.region[end]!, wide.region[end]!]);
        const roi = mode === "tf_crop_and_resize" ? floats(...ends.flat()) : "";
        const extrapolation = { extrapolation_value: { float: 3 } };
        await check([x(1, 2, tall.size, wide.size), roi, ...size.slice(1)], {
          ...attributes,
          ...extrapolation,
          coordinate_transformation_mode: mode,
        });
      }),
      RUNS,
    );
  });

  test("nearest, of any axes", async () => {
    const roundings = fc.constantFrom("round_prefer_floor", "round_prefer_ceil", "floor", "ceil");
    await fc.assert(
      fc.asyncProperty(fc.array(axis, { minLength: 1, maxLength: 5 }), roundings, (axes, nearest_mode) =>
        check(
          [
            x(...axes.map(({ size }) => Math.min(size, 4))),
            "",
            "",
            list(...axes.map(({ outputs }) => Math.min(outputs, 5))),
          ],
          { nearest_mode },
        ),
      ),
      RUNS,
    );
  });

  test.each([
    ["of large images", [1, 2, 9, 12], [1, 2, 5, 20]],
    ["of images, channels last", [2, 4, 3, 2], [2, 7, 5, 2]],
    ["of sequences", [2, 3, 5], [2, 3, 8]],
    ["of volumes", [1, 2, 2, 3, 4], [1, 2, 3, 4, 2]],
    ["of matrices", [3, 4], [5, 2]],
    ["of the batch too", [2, 3, 4], [3, 3, 6]],
    ["of nothing", [2, 3, 4, 5], [2, 3, 4, 5]],
  ])("linear, %s", async (_, from, to) => {
    await check([x(...from), "", "", list(...to)], { mode: "linear" });
  });

  test.each([
    ["linear", {}],
    ["linear", { exclude_outside: 1 }],
    ["cubic", {}],
    ["cubic", { exclude_outside: 1, cubic_coeff_a: { float: -0.5 } }],
  ])("%s and filtered %o", async (mode, attributes) => {
    await check([x(1, 2, 5, 6), "", floats(1, 1, 0.5, 0.4)], { mode, antialias: 1, ...attributes });
    await check([x(1, 2, 5, 3), "", "", list(1, 2, 3, 7)], { mode, antialias: 1, ...attributes });
  });

  test("that keeps one length by a scale that is not 1", async () => {
    await check([x(1, 2, 5, 3), "", floats(1, 1, 1.1, 1.9)], { mode: "linear" });
  });

  test("of some axes", async () => {
    await check([x(2, 1, 4, 5), "", floats(0.5, 2)], { mode: "linear", axes: [3, 2] });
    await check([x(2, 1, 4, 5), "", "", list(2, 3)], { mode: "nearest", axes: [0, 3] });
    const crop = { coordinate_transformation_mode: "tf_crop_and_resize", mode: "linear", axes: [2, 3] };
    await check([x(1, 2, 5, 6), floats(-0.25, 0.1, 0.75, 1.2), "", list(7, 4)], crop);
  });
});
