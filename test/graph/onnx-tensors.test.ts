import { describe, expect, it, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { decodeModel, encodeModel } from "../../src/graph/onnx.ts";
import type { ElementType, Tensor, TypedArray } from "../../src/graph/tensor.ts";
import {
  addingModel,
  message,
  modelProto,
  nodeProto,
  packed,
  tensorProto,
  valueInfo,
  type Field,
} from "./onnx-bytes.ts";
import { runGraph, tensor } from "./running.ts";

// Fields of TensorProto.
const [FLOAT, INT32, INT64, RAW, DOUBLE, UINT64] = [4, 5, 7, 9, 10, 11];

const bytesOf = (array: TypedArray) => new Uint8Array(array.buffer);

interface Stored {
  readonly type: ElementType;
  readonly code: number;
  readonly field: Field;
  readonly data: TypedArray;
  readonly numbers: readonly number[];
}

const stored: readonly Stored[] = [
  {
    type: "float32",
    code: 1,
    field: [FLOAT, packed("float", 1.5, -2)],
    data: Float32Array.of(1.5, -2),
    numbers: [1.5, -2],
  },
  { type: "uint8", code: 2, field: [INT32, packed("int32", 200, 3)], data: Uint8Array.of(200, 3), numbers: [200, 3] },
  { type: "int8", code: 3, field: [INT32, packed("int32", -2, 3)], data: Int8Array.of(-2, 3), numbers: [-2, 3] },
  {
    type: "uint16",
    code: 4,
    field: [INT32, packed("int32", 65535, 3)],
    data: Uint16Array.of(65535, 3),
    numbers: [65535, 3],
  },
  { type: "int16", code: 5, field: [INT32, packed("int32", -9, 3)], data: Int16Array.of(-9, 3), numbers: [-9, 3] },
  { type: "int32", code: 6, field: [INT32, packed("int32", -9, 3)], data: Int32Array.of(-9, 3), numbers: [-9, 3] },
  {
    type: "int64",
    code: 7,
    field: [INT64, packed("int64", -9, 3)],
    data: BigInt64Array.of(-9n, 3n),
    numbers: [-9, 3],
  },
  { type: "bool", code: 9, field: [INT32, packed("int32", 1, 0)], data: Uint8Array.of(1, 0), numbers: [1, 0] },
  // 1.5 is 0 01111 1000000000; the smallest number above 0 is 2⁻²⁴.
  {
    type: "float16",
    code: 10,
    field: [INT32, packed("int32", 0x3e00, 1)],
    data: Uint16Array.of(0x3e00, 1),
    numbers: [1.5, 2 ** -24],
  },
  {
    type: "float64",
    code: 11,
    field: [DOUBLE, packed("double", 0.1, -2)],
    data: Float64Array.of(0.1, -2),
    numbers: [0.1, -2],
  },
  {
    type: "uint32",
    code: 12,
    field: [UINT64, packed("uint64", 4294967295, 3)],
    data: Uint32Array.of(4294967295, 3),
    numbers: [4294967295, 3],
  },
  {
    type: "uint64",
    code: 13,
    field: [UINT64, packed("uint64", 5, 3)],
    data: BigUint64Array.of(5n, 3n),
    numbers: [5, 3],
  },
  // The upper half of float32: −2 is 0xc0000000.
  {
    type: "bfloat16",
    code: 16,
    field: [INT32, packed("int32", 0xc000, 0x3f80)],
    data: Uint16Array.of(0xc000, 0x3f80),
    numbers: [-2, 1],
  },
];

/** c as a model's only constant: any type, as nothing but Identity reads it. */
function holding(proto: Uint8Array): Graph {
  return decodeModel(
    modelProto([
      [1, nodeProto("Identity", ["c"], ["y"])],
      [5, proto],
      [12, message([1, "y"])],
    ]),
  );
}

const constantOf = (graph: Graph) => graph.constants.get("c") as Tensor;

describe.each(stored)("elements of $type", ({ type, code, field, data, numbers }) => {
  test.each([
    ["in their typed field", field],
    ["as raw bytes", [RAW, bytesOf(data)] as Field],
  ])("%s", (_, written) => {
    const graph = holding(tensorProto("c", code, [2], written));
    const again = decodeModel(encodeModel(graph));
    for (const found of [constantOf(graph), constantOf(again)]) {
      expect(found.type).toBe(type);
      expect(found.dims).toEqual([2]);
      expect(found.data).toEqual(data);
      expect([...found.numbers()]).toEqual(numbers);
    }
  });
});

it("raw data is not copied, typed data once", () => {
  const raw = addingModel(tensorProto("c", 1, [2], [RAW, bytesOf(Float32Array.of(1, 2))]));
  // Wherever the message lies, so do the elements; where it lies at a multiple of four they are viewed.
  const offsets = [0, 1, 2, 3].filter((shift) => {
    const shifted = new Uint8Array(raw.length + shift).subarray(shift);
    shifted.set(raw);
    const { bytes, data } = constantOf(decodeModel(shifted));
    expect(bytes.buffer).toBe(shifted.buffer);
    expect(data).toEqual(Float32Array.of(1, 2));
    return data.buffer === shifted.buffer;
  });
  expect(offsets).toHaveLength(1);
  const found = constantOf(decodeModel(addingModel(tensorProto("c", 1, [2], [FLOAT, packed("float", 1, 2)]))));
  expect(found.data.buffer).toBe(found.data.buffer);
});

it("strings are kept, and have no numbers", () => {
  const graph = holding(tensorProto("c", 8, [2], [6, "one"], [6, "two"]));
  expect(constantOf(graph).type).toBe("string");
  expect(() => constantOf(graph).data).toThrow(ModelError);
  expect(new TextDecoder().decode(encodeModel(graph))).toMatch(/one[^]*two/);
});

it("an attribute's tensor with typed data is still there after encoding", async () => {
  const value = message([1, "value"], [20, 4], [5, tensorProto("", 7, [1], [INT64, packed("int64", 42)])]);
  const graph = decodeModel(
    modelProto([
      [1, nodeProto("ConstantOfShape", ["s"], ["y"], [5, value])],
      [5, tensorProto("s", 7, [1], [INT64, packed("int64", 3)])],
      [12, message([1, "y"])],
    ]),
  );
  expect((await runGraph(graph, new Map())).get("y")?.data).toEqual(BigInt64Array.of(42n, 42n, 42n));
});

it("a scalar and an empty tensor", () => {
  expect(constantOf(holding(tensorProto("c", 1, [], [FLOAT, packed("float", 7)]))).numbers()).toEqual(
    Float32Array.of(7),
  );
  expect(constantOf(holding(tensorProto("c", 1, [0, 3]))).numbers()).toEqual(new Float32Array());
});

it("dimensions that are not packed, as old writers have them", () => {
  const data: Field = [FLOAT, packed("float", 1, 2)];
  expect(constantOf(holding(message([1, 2], [1, 1], [2, 1], [8, "c"], data))).dims).toEqual([2, 1]);
});

it("the numbers of the runtime", async () => {
  const graph = decodeModel(addingModel(tensorProto("c", 1, [2], [FLOAT, packed("float", 10, 20)])));
  const results = await runGraph(graph, new Map([["x", tensor("float32", [2], [1, 2])]]));
  expect(results.get("y")?.data).toEqual(Float32Array.of(11, 22));
});

describe("refuses", () => {
  const refused: readonly [string, Uint8Array, string][] = [
    [
      "too few bytes",
      tensorProto("c", 1, [3], [RAW, new Uint8Array(8)]),
      "tensor c: expected 12 bytes for float32 3, have 8",
    ],
    [
      "too many bytes",
      tensorProto("c", 7, [2, 1], [RAW, new Uint8Array(17)]),
      "tensor c: expected 16 bytes for int64 2×1, have 17",
    ],
    [
      "too few numbers",
      tensorProto("c", 1, [3], [FLOAT, packed("float", 1)]),
      "expected 12 bytes for float32 3, have 4",
    ],
    ["no data", tensorProto("c", 1, []), "expected 4 bytes for float32 scalar, have 0"],
    [
      "numbers in another type's field",
      tensorProto("c", 7, [1], [FLOAT, packed("float", 1)]),
      "expected 8 bytes for int64 1, have 0",
    ],
    // Nothing of 4 · 10¹⁸ bytes is allocated.
    ["a giant", tensorProto("c", 1, [1e9, 1e9], [RAW, new Uint8Array(4)]), "have 4"],
    ["a negative size", tensorProto("c", 1, [2, -1]), "tensor c: expected dimensions of at least 0, found 2×-1"],
    ["float8", tensorProto("c", 17, [1], [RAW, new Uint8Array(1)]), "tensor c: element type 17 is not supported"],
    ["no type", tensorProto("", 0, [1]), "tensor of a constant: element type 0 is not supported"],
    [
      "data in another file, where there is none",
      tensorProto("c", 1, [2], [13, message([1, "location"], [2, "w.bin"])], [14, 1]),
      "tensor c: its data is in w.bin, and only the model's own bytes were given",
    ],
    [
      "data in a file without a name",
      tensorProto("c", 1, [2], [14, 1]),
      "tensor c: expected the name of the file that holds its data, found none",
    ],
    [
      "another length than the dimensions say",
      tensorProto(
        "c",
        1,
        [2],
        [13, message([1, "location"], [2, "w.bin"])],
        [13, message([1, "length"], [2, "12"])],
        [13, message([1, "offset"], [2, "4"])],
        [14, 1],
      ),
      "tensor c: expected 8 bytes in w.bin, the model says 12 from byte 4",
    ],
  ];
  test.each(refused)("%s", (_, proto, text) => {
    expect(() => decodeModel(addingModel(proto), { file: "m.onnx" })).toThrow(ModelError);
    expect(() => decodeModel(addingModel(proto), { file: "m.onnx" })).toThrow(text);
  });
});

it("a size in a value's type is read apart from names", () => {
  const graph = decodeModel(
    modelProto([
      [1, nodeProto("Relu", ["x"], ["y"])],
      [11, valueInfo("x", ["N", 3, ""])],
      [12, valueInfo("y", [])],
    ]),
  );
  expect(graph.inputs).toEqual([{ name: "x", type: "float32", dims: ["N", 3, undefined] }]);
  expect(graph.outputs).toEqual([{ name: "y", type: "float32", dims: [] }]);
});
