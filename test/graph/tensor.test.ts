import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { elementTypes } from "../../src/graph/onnx-tensors.ts";
import { clampedInt64, count, elementSize, Tensor } from "../../src/graph/tensor.ts";
import { fixed, runNode } from "./one-node.ts";

/** Every pattern of 16 bits but those of NaN, which a test cannot tell apart. */
function patterns(exponent: number): Uint16Array {
  return Uint16Array.from({ length: 65536 }, (_, index) => index).filter((bits) => (bits & exponent) !== exponent);
}

describe("half precision is widened as the runtime does it", () => {
  test.each([
    ["float16" as const, 0x7c00],
    ["bfloat16" as const, 0x7f80],
  ])("%s", async (type, exponent) => {
    const bits = patterns(exponent);
    const half = Tensor.of(type, [bits.length], bits);
    const [float] = await runNode({ op: "Cast", inputs: [fixed(half)], attributes: { to: 1 } });
    expect(half.numbers()).toEqual(float?.data);
  });

  it("and beyond the finite numbers by hand", () => {
    const special = Uint16Array.of(0x7c00, 0xfc00, 0x7e00);
    expect(Tensor.of("float16", [3], special).numbers()).toEqual(Float32Array.of(Infinity, -Infinity, Number.NaN));
    expect(Tensor.of("bfloat16", [2], Uint16Array.of(0x7f80, 0xff80)).numbers()).toEqual(
      Float32Array.of(Infinity, -Infinity),
    );
  });
});

describe("integers of 64 bits", () => {
  test.each([
    [2 ** 63, 2n ** 63n - 1n],
    [Infinity, 2n ** 63n - 1n],
    [-(2 ** 63), -(2n ** 63n)],
    [-Infinity, -(2n ** 63n)],
    [2 ** 62, 2n ** 62n],
    [-0, 0n],
  ])("%d is clamped to %d", (value, expected) => expect(clampedInt64(value)).toBe(expected));

  it("are a scalar or a list", () => {
    expect(Tensor.int64(3).dims).toEqual([]);
    expect(Tensor.int64([3, -4]).dims).toEqual([2]);
    expect(Tensor.int64([3, -4]).numbers()).toEqual([3, -4]);
  });
});

it("data that is not aligned is copied, and right", () => {
  const bytes = new Uint8Array(13);
  bytes.set(new Uint8Array(Float32Array.of(1.5, -2, 3).buffer), 1);
  const tensor = new Tensor("float32", [3], bytes.subarray(1));
  expect(tensor.data).toEqual(Float32Array.of(1.5, -2, 3));
  expect(tensor.data.buffer).not.toBe(bytes.buffer);
});

it("bytes that are fetched are fetched when they are needed, and once", () => {
  let times = 0;
  const tensor = new Tensor("uint8", [2], () => {
    times += 1;
    return Uint8Array.of(5, 6);
  });
  expect([tensor.size, times]).toEqual([2, 0]);
  expect([...tensor.numbers(), ...tensor.numbers(), times]).toEqual([5, 6, 5, 6, 1]);
});

it("a part of an array is that part", () => {
  expect(Tensor.of("int32", [2], Int32Array.of(1, 2, 3, 4).subarray(1, 3)).numbers()).toEqual([2, 3]);
});

it("strings have no numbers", () => {
  expect(() => new Tensor("string", [1], new Uint8Array()).numbers()).toThrow(ModelError);
});

it("sizes of elements, in the specification's order", () => {
  const sizes = elementTypes.map((type) => type && elementSize(type));
  expect(sizes).toEqual([undefined, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, undefined, undefined, 2]);
  expect([count([]), count([2, 3]), count([2, 0])]).toEqual([1, 6, 0]);
});
