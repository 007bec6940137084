import fc from "fast-check";
import { expect, it, test } from "vitest";
import { filled } from "../../src/graph/opset/filled.ts";
import type { ElementType } from "../../src/graph/tensor.ts";

/** Half a unit in the last of 11, 8, 24 and 53 bits; float16 numbers below 2⁻¹⁴ have an absolute unit. */
const half: Readonly<Partial<Record<ElementType, number>>> = {
  float16: 2 ** -11,
  bfloat16: 2 ** -8,
  float32: 2 ** -24,
  float64: 0,
};

test.each(Object.entries(half) as [ElementType, number][])("the nearest number of type %s", (type, relative) => {
  const finite = fc.double({ min: -65000, max: 65000, noNaN: true });
  fc.assert(
    fc.property(finite, (value) => {
      const smallest = type === "float16" ? 2 ** -25 : type === "float64" ? 0 : 2 ** -133;
      const [found = Number.NaN] = filled(type, [1], value).numbers();
      expect(Math.abs(found - value)).toBeLessThanOrEqual(Math.max(Math.abs(value) * relative, smallest));
    }),
  );
});

it("a number that is too large for half precision is infinite", () => {
  expect([...filled("float16", [2], -70000).numbers()]).toEqual([-Infinity, -Infinity]);
  expect([...filled("float16", [1], 65504).numbers()]).toEqual([65504]);
});
