import { expect, test } from "vitest";
import { firstNaN } from "../../src/graph/nan.ts";
import { Tensor, type StoredBytes } from "../../src/graph/tensor.ts";

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** A tensor whose bytes come two elements at a time, and are not to be read whole. */
function inPieces(array: Float32Array): Tensor {
  const bytes = bytesOf(array);
  const stored: StoredBytes = {
    location: { file: "", offset: 0, length: bytes.length },
    read: () => expect.fail("read whole"),
    *pieces() {
      for (let at = 0; at < bytes.length; at += 8) yield bytes.subarray(at, at + 8);
    },
  };
  return new Tensor("float32", [array.length], stored);
}

const { NaN: none, POSITIVE_INFINITY: infinity } = Number;

test.each([
  ["float32", Tensor.float32([3], [1, 2, none]), 2],
  ["float64", Tensor.of("float64", [2], Float64Array.of(none, none)), 0],
  ["float16: 0x7e00", Tensor.of("float16", [2], Uint16Array.of(0x3c00, 0x7e00)), 1],
  ["bfloat16: 0x7fc0", Tensor.of("bfloat16", [2], Uint16Array.of(0x3f80, 0x7fc0)), 1],
  ["float32 in pieces, in the last", inPieces(Float32Array.of(1, 2, 3, 4, none)), 4],
  ["float32 in pieces, in the middle", inPieces(Float32Array.of(1, 2, none, 4, none)), 2],
  ["float32 in pieces, nowhere", inPieces(Float32Array.of(1, 2, 3)), undefined],
  ["what is infinite is a number: masks are", Tensor.float32([2], [-infinity, infinity]), undefined],
  ["the bits of one as an integer", Tensor.of("int32", [1], Int32Array.of(0x7fc00000)), undefined],
  ["nothing", Tensor.float32([0], []), undefined],
])("the first that is no number: %s", (_, tensor, expected) => expect(firstNaN(tensor)).toBe(expected));
