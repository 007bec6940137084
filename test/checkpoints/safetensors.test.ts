import { describe, expect, it, test } from "vitest";
import { inMemory } from "../../src/checkpoints/byte-ranges.ts";
import { readTensors } from "../../src/checkpoints/open.ts";
import { ModelError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { bytesOf, float32, safetensorsBytes, withHeader, type Written } from "./safetensors-bytes.ts";

const read = (bytes: Uint8Array) => readTensors(inMemory("w.safetensors", bytes));

// 1, −2, 0.5 and the largest number: by hand from the two definitions of half precision.
const halves = bytesOf(Uint16Array.of(0x3c00, 0xc000, 0x3800, 0x7bff));
const brains = bytesOf(Uint16Array.of(0x3f80, 0xc000, 0x3f00, 0x7f7f));
const tensors: Record<string, Written> = {
  "fc.weight": float32([2, 3], [1, 2, 3, 4, 5, 6]),
  "fc.bias": { dtype: "F64", shape: [2], bytes: bytesOf(Float64Array.of(0.1, -7)) },
  half: { dtype: "F16", shape: [4], bytes: halves },
  brain: { dtype: "BF16", shape: [2, 2], bytes: brains },
  count: { dtype: "I64", shape: [], bytes: bytesOf(BigInt64Array.of(-3n)) },
  flags: { dtype: "BOOL", shape: [3], bytes: Uint8Array.of(1, 0, 1) },
  none: float32([0, 5], []),
};
const file = safetensorsBytes(tensors, { format: "pt" });

describe("a file by the public format", () => {
  const found = read(file).tensors;

  it("has its tensors and not its metadata", () => {
    expect([...found.keys()].toSorted()).toEqual(Object.keys(tensors).toSorted());
  });

  test.each([
    ["fc.weight", "float32", [2, 3], [1, 2, 3, 4, 5, 6]],
    ["fc.bias", "float64", [2], [0.1, -7]],
    ["half", "float16", [4], [1, -2, 0.5, 65504]],
    ["brain", "bfloat16", [2, 2], [1, -2, 0.5, 3.3895313892515355e38]],
    ["count", "int64", [], [-3]],
    ["flags", "bool", [3], [1, 0, 1]],
    ["none", "float32", [0, 5], []],
  ])("%s", (name, type, dims, values) => {
    const tensor = found.get(name)!;
    expect([tensor.type, tensor.dims, Array.from(tensor.numbers())]).toEqual([type, dims, values]);
  });

  it("is read only where a tensor is asked for", () => {
    const ranges: [number, number][] = [];
    const whole = inMemory("w.safetensors", file);
    const counted = {
      ...whole,
      read: (at: number, length: number) => {
        ranges.push([at, length]);
        return whole.read(at, length);
      },
    };
    const tensor = readTensors(counted).tensors.get("fc.weight")!;
    const header = ranges.length;
    expect(ranges.reduce((sum, [, length]) => sum + length, 0)).toBeLessThan(file.length - 24);
    expect(tensor.numbers()[5]).toBe(6);
    expect(ranges.slice(header).map(([, length]) => length)).toEqual([24]);
  });
});

describe("what is refused, with the byte", () => {
  const header = (entry: object) => withHeader(JSON.stringify({ w: entry }), new Uint8Array(8));
  const entry = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
  const start = 8 + Math.ceil(JSON.stringify({ w: entry }).length / 8) * 8;
  const huge = withHeader("{}");
  huge.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const longer = withHeader("{}");
  longer[0] = 200;
  const cases: [string, Uint8Array, string][] = [
    ["too few bytes", file.slice(0, 7), "truncated: expected 8 bytes or more, have 7."],
    ["a header of no size", huge, "byte 0: a header of 9223372036854776000 bytes: expected at most 100000000."],
    ["a header beyond the end", longer, "truncated: expected a header of 200 bytes after byte 8, have 8."],
    ["no JSON", withHeader("{no"), "byte 8: the header is no JSON: "],
    ["no UTF-8", withHeader("{}").with(9, 0xff), "byte 8: the header is no JSON: "],
    ["a list", withHeader("[]"), "byte 8: expected a JSON object as the header."],
    ["no entry", header([]), "byte 8: the header's entry of w: type undefined: expected one of BOOL, U8,"],
    ["a type of another kind", header({ ...entry, dtype: "F8_E4M3" }), 'entry of w: type "F8_E4M3": expected one of'],
    [
      "a type of lists in lists",
      withHeader(`{"w":{"dtype":${"[".repeat(2 ** 17)}${"]".repeat(2 ** 17)}}}`),
      "entry of w: type […]: expected one of",
    ],
    ["a type that objects inherit", header({ ...entry, dtype: "toString" }), 'entry of w: type "toString": expected'],
    ["a negative size", header({ ...entry, shape: [-2] }), "entry of w: expected a shape of whole numbers."],
    ["half an element", header({ ...entry, shape: [1.5] }), "entry of w: expected a shape of whole numbers."],
    ["no offsets", header({ ...entry, data_offsets: [0] }), "entry of w: expected two data_offsets."],
    [
      "another length",
      header({ ...entry, shape: [3] }),
      "expected 12 bytes for float32 [3], has bytes 0 to 8 of the data",
    ],
    [
      "more elements than there are numbers",
      header({ ...entry, shape: [2 ** 52, 2 ** 52] }),
      "has bytes 0 to 8 of the data.",
    ],
    [
      "the end beyond the file's",
      header({ ...entry, shape: [3], data_offsets: [0, 12] }),
      "expected 12 bytes of data, have 8.",
    ],
    ["a gap", header({ ...entry, shape: [1], data_offsets: [4, 8] }), "w begins at byte 4 of the data: expected 0"],
    ["more data than tensors", header({ ...entry, shape: [1], data_offsets: [0, 4] }), "4 bytes belong to no tensor"],
    [
      "two in one place",
      withHeader(JSON.stringify({ v: entry, w: entry }), new Uint8Array(8)),
      "w begins at byte 0 of the data: expected 8",
    ],
  ];
  test.each(cases)("%s", (_, bytes, message) => {
    expect(() => read(bytes)).toThrow(ModelError);
    expect(() => read(bytes)).toThrow(`w.safetensors: `);
    expect(() => read(bytes)).toThrow(message);
  });

  it("names the byte at which the data differs", () => {
    const cut = header({ ...entry, shape: [1], data_offsets: [0, 4] });
    const at = cut.length - 8 + 4;
    expect(() => read(cut)).toThrow(`w.safetensors: byte ${at}: 4 bytes belong to no tensor`);
    expect(start).toBeGreaterThan(8);
  });
});

test("damaged files are read or refused", async () => {
  const readAll = (bytes: Uint8Array) => {
    for (const tensor of read(bytes).tensors.values()) tensor.numbers();
  };
  const { refused } = await survivesMutations(file, readAll);
  // A byte of the header or the length nearly always matters; one of the data never does.
  expect(refused).toBeGreaterThan(1000);
});
