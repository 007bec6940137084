import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { DataError } from "../../src/errors.ts";
import { npyBytes, parseNpy } from "../../src/data/npy.ts";
import type { ElementType, TypedArray } from "../../src/graph/tensor.ts";
import { header, npyFile } from "./npy-bytes.ts";

const parse = (bytes: Uint8Array) => parseNpy(bytes, "x.npy");

describe("arrays written by hand", () => {
  it("int32, little endian", () => {
    const array = parse(npyFile(header("<i4", "(3,)"), [1, 0, 0, 0, 0, 1, 0, 0, 255, 255, 255, 255]));
    expect(array).toMatchObject({ name: "x", type: "int32", dims: [3] });
    expect(array.data).toEqual(Int32Array.of(1, 256, -1));
  });

  it("int32, big endian", () => {
    const array = parse(npyFile(header(">i4", "(2,)"), [0, 0, 0, 1, 255, 255, 255, 254]));
    expect(array.data).toEqual(Int32Array.of(1, -2));
  });

  it("float64 1.5, big endian, version 2 of the format", () => {
    const array = parse(npyFile(header(">f8", "(1,)"), [0x3f, 0xf8, 0, 0, 0, 0, 0, 0], 2));
    expect(array.data).toEqual(Float64Array.of(1.5));
  });

  it("a matrix in Fortran order: columns come first in the file", () => {
    const array = parse(npyFile(header("|u1", "(2, 3)", true), [1, 4, 2, 5, 3, 6], 3));
    expect(array.dims).toEqual([2, 3]);
    expect(array.data).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
  });

  it("float16 widened: 1, −2, the largest, the smallest, infinity, NaN", () => {
    const bits = [0x3c00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x7e00];
    const array = parse(
      npyFile(
        header("<f2", "(6,)"),
        bits.flatMap((word) => [word & 255, word >> 8]),
      ),
    );
    expect(array.type).toBe("float32");
    expect(array.data).toEqual(Float32Array.of(1, -2, 65504, 2 ** -24, Infinity, NaN));
  });

  it("int64 above 2⁵³ keeps every digit", () => {
    const array = parse(npyFile(header("<i8", "()"), [1, 0, 0, 0, 0, 0, 0, 0x40]));
    expect(array.dims).toEqual([]);
    expect(array.data).toEqual(BigInt64Array.of(2n ** 62n + 1n));
  });

  it("booleans, in the header of Python 2 with its long numbers and double quotes", () => {
    const text = `{"descr": "|b1", "shape": (3L,), "fortran_order": False}`;
    expect(parse(npyFile(text, [1, 0, 1]))).toMatchObject({ type: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) });
  });

  it("no elements at all", () => {
    expect(parse(npyFile(header("<f4", "(0, 1000000000000)"), []))).toMatchObject({
      dims: [0, 1e12],
      data: new Float32Array(0),
    });
  });

  it("a Node Buffer that is not aligned, in either byte order", () => {
    for (const [descr, bytes] of [
      ["<i4", [7, 0, 0, 0]],
      [">i4", [0, 0, 0, 7]],
    ] as const) {
      const file = npyFile(header(descr, "(1,)"), bytes);
      const shifted = Buffer.concat([Buffer.of(0), file]).subarray(1);
      expect(parse(shifted).data).toEqual(Int32Array.of(7));
      expect(Buffer.compare(shifted, file)).toBe(0);
    }
  });

  it("aligned data is not copied", () => {
    const bytes = npyBytes({ type: "float32", dims: [2], data: Float32Array.of(1, 2) });
    expect(parse(bytes).data.buffer).toBe(bytes.buffer);
  });
});

describe("damaged files", () => {
  const good = npyFile(header("<f4", "(2,)"), [0, 0, 0, 0, 0, 0, 0, 0]);
  const headerEnd = good.length - 8;
  const damaged: [name: string, bytes: Uint8Array, message: string][] = [
    [
      "cut in the data",
      good.subarray(0, headerEnd + 5),
      `x.npy: truncated: expected 8 bytes of data after byte ${headerEnd}, have 5.`,
    ],
    [
      "too long",
      Uint8Array.of(...good, 0),
      `x.npy: expected 8 bytes of data after byte ${headerEnd}, have 9: the file is damaged, or holds a second array.`,
    ],
    ["empty", new Uint8Array(0), "x.npy: truncated: expected a header of 10 bytes or more, have 0."],
    [
      "cut in the header",
      good.subarray(0, 20),
      `x.npy: truncated: expected ${headerEnd - 10} bytes of header after byte 10, have 10.`,
    ],
    [
      "a zip file",
      Uint8Array.of(0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0, 0),
      "x.npy: byte 0: not an .npy file: expected 93 4e 55 4d 50 59, came 50 4b 03 04 00 00.",
    ],
    ["version 4", good.with(6, 4), "x.npy: byte 6: .npy version 4: expected 1, 2 or 3."],
    [
      "a version 2 header of 4 GiB",
      npyFile("{}", [], 2).fill(255, 8, 12),
      "x.npy: byte 8: a header of 4294967295 bytes: expected at most 65535.",
    ],
    [
      "a shape that no file can have",
      npyFile(header("<f4", "(999999999999999, 999999999999999)"), [0]),
      "x.npy: truncated: expected 3.999999999999992e+30 bytes of data after byte 98, have 1.",
    ],
    [
      "code in the header",
      npyFile("{'descr': exit(), }", []),
      `x.npy: byte 20: damaged header: expected a Python literal, came "exit(), }\\n".`,
    ],
    [
      "a negative axis",
      npyFile(header("<f4", "(-1,)"), []),
      `x.npy: byte 61: damaged header: expected a Python literal, came "-1,), }\\n".`,
    ],
    [
      "a missing key",
      npyFile("{'descr': '<f4', 'shape': (1,)}", []),
      "x.npy: byte 10: damaged header: expected the keys descr, fortran_order, shape, came descr, shape.",
    ],
    [
      "something behind the dictionary",
      npyFile(`${header("<f4", "(1,)")} 1`, []),
      `x.npy: byte 68: damaged header: expected the header's end, came "1".`,
    ],
    [
      "a header without end",
      npyFile("{'descr': ", []),
      `x.npy: byte 21: damaged header: expected a value, came its end.`,
    ],
    ["deep nesting", npyFile("(".repeat(60000), []), `x.npy: byte 18: damaged header: expected a value, came "(".`],
    [
      "fortran_order that is no truth value",
      npyFile("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", []),
      "x.npy: byte 10: damaged header: expected True or False as fortran_order.",
    ],
    [
      "a shape of words",
      npyFile(header("<f4", "('a',)"), []),
      "x.npy: byte 10: damaged header: expected a tuple of at most 64 numbers as shape.",
    ],
  ];
  test.each(damaged)("%s", (_, bytes, message) => {
    expect(() => parse(bytes)).toThrow(new DataError(message));
  });

  const unsupported: [descr: string, shown: string][] = [
    ["'|O'", "'|O' (Python objects)"],
    ["'<U5'", "'<U5' (strings)"],
    ["'|S3'", "'|S3' (strings)"],
    ["'<c8'", "'<c8' (complex numbers)"],
    ["'<M8[ns]'", "'<M8[ns]' (dates)"],
    ["'|V16'", "'|V16' (raw bytes)"],
    ["'<f16'", "'<f16' (long doubles)"],
    ["'xf4'", "'xf4' (an unknown type)"],
    ["[('a', '<f4'), ('b', '<i8', (2,))]", "[…] (a structured type)"],
  ];
  test.each(unsupported)("dtype %s", (descr, shown) => {
    const bytes = npyFile(`{'descr': ${descr}, 'fortran_order': False, 'shape': (1,)}`, []);
    expect(() => parse(bytes)).toThrow(
      new DataError(
        `x.npy: dtype ${shown} is not supported: expected booleans, integers or floats of 1 to 8 bytes; ` +
          "convert the array with .astype(...) before it is saved.",
      ),
    );
  });
});

describe("writing", () => {
  it("the bytes of numpy.save", () => {
    const bytes = npyBytes({ type: "uint8", dims: [2], data: Uint8Array.of(5, 6) });
    const text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }".padEnd(117);
    expect(Buffer.from(bytes).toString("latin1")).toBe(`\x93NUMPY\x01\x00\x76\x00${text}\n\x05\x06`);
  });

  it("refuses what NumPy has not, and data that is not of the shape", () => {
    expect(() => npyBytes({ type: "bfloat16", dims: [1], data: new Uint16Array(1) })).toThrow(
      "an array of bfloat16 cannot be written as .npy.",
    );
    expect(() => npyBytes({ type: "uint8", dims: [2, 2], data: new Uint8Array(3) })).toThrow(
      "an array of shape (2, 2) needs 4 elements, has 3.",
    );
  });

  const element: Partial<Record<ElementType, (values: number[]) => TypedArray>> = {
    float32: (values) => Float32Array.from(values),
    float64: (values) => Float64Array.from(values),
    uint8: (values) => Uint8Array.from(values),
    int8: (values) => Int8Array.from(values),
    uint16: (values) => Uint16Array.from(values),
    int16: (values) => Int16Array.from(values),
    uint32: (values) => Uint32Array.from(values),
    int32: (values) => Int32Array.from(values),
    int64: (values) => BigInt64Array.from(values, (value) => BigInt(Math.trunc(value))),
    uint64: (values) => BigUint64Array.from(values, (value) => BigInt(Math.trunc(Math.abs(value)))),
    bool: (values) => Uint8Array.from(values, (value) => (value > 0 ? 1 : 0)),
  };
  const arrays = fc
    .record({
      type: fc.constantFrom(...(Object.keys(element) as ElementType[])),
      dims: fc.array(fc.nat({ max: 5 }), { maxLength: 4 }),
    })
    .chain(({ type, dims }) => {
      const size = dims.reduce((product, dim) => product * dim, 1);
      const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: size, maxLength: size });
      return values.map((list) => ({ type, dims, data: element[type]!(list) }));
    });

  it("what is written is read again", () => {
    fc.assert(fc.property(arrays, (array) => void expect(parse(npyBytes(array))).toEqual({ ...array, name: "x" })));
  });

  it("a file with some bytes changed gives an array or a DataError, never anything else", () => {
    const change = fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 6 });
    const outcomes = { read: 0, refused: 0 };
    fc.assert(
      fc.property(arrays, change, fc.nat({ max: 300 }), (array, changes, cut) => {
        const bytes = npyBytes(array);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        try {
          parse(cut < 30 ? bytes.subarray(0, bytes.length - cut) : bytes);
          outcomes.read++;
        } catch (error) {
          expect(error).toBeInstanceOf(DataError);
          outcomes.refused++;
        }
      }),
      { numRuns: 2000 },
    );
    expect(Math.min(outcomes.read, outcomes.refused)).toBeGreaterThan(20);
  });
});
