import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { numpyGlobals, PickledArray } from "../../src/data/numpy-pickle.ts";
import { plainGlobals } from "../../src/data/pickle-globals.ts";
import { readPickle } from "../../src/data/pickle.ts";
import { DataError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";

const read = (bytes: Uint8Array) =>
  readPickle(bytes, { label: "a.pkl", globals: { ...plainGlobals, ...numpyGlobals } }).value;
const array = (type: PickledArray["type"], dims: number[], data: PickledArray["data"]) =>
  Object.assign(new PickledArray(), { type, dims, data });

const six = [0, 1, 2, 3, 4, 5];
const expected: Record<string, unknown> = {
  u1: array("uint8", [2, 3], Uint8Array.from(six)),
  b1: array("bool", [2, 3], Uint8Array.of(0, 1, 0, 1, 0, 1)),
  f2: array("float32", [2, 3], Float32Array.of(0, 0.5, 1, 1.5, 2, 2.5)),
  "<i4": array("int32", [2, 3], Int32Array.from(six)),
  ">i4": array("int32", [2, 3], Int32Array.from(six)),
  i8: array("int64", [2, 3], BigInt64Array.of(-3n, -2n, -1n, 0n, 1n, 2n)),
  f4: array("float32", [2, 3], Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25)),
  fortran: array("float64", [2, 3], Float64Array.from(six)),
  "big fortran": array("float64", [2, 3], Float64Array.from(six)),
  "scalar array": array("uint16", [], Uint16Array.of(5)),
  empty: array("float32", [0, 3], new Float32Array(0)),
  number: 2.5,
  "whole number": 7n,
};

/** Written by numpy-pickles.py. */
describe.each([1, 2])("what NumPy %s pickles", (version) => {
  const path = new URL(`./numpy-pickles-${version}.json`, import.meta.url);
  const written: Record<string, Record<string, string>> = JSON.parse(readFileSync(path, "utf8"));
  const bytesOf = (name: string, protocol: string) => new Uint8Array(Buffer.from(written[name]![protocol]!, "base64"));

  test.each(Object.keys(expected))("%s", (name) => {
    for (const protocol of Object.keys(written[name]!)) {
      expect(read(bytesOf(name, protocol)), `protocol ${protocol}`).toEqual(expected[name]);
    }
  });

  it("thousands of damaged copies", async () => {
    for (const protocol of ["0", "2", "5"]) {
      await survivesMutations(bytesOf("big fortran", protocol), read, { runs: 700 });
    }
  });
});

describe("damage", () => {
  const ascii = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const dtype = (code: string) => `cnumpy\ndtype\n(U\u0002${code}I0\nI1\ntR`;
  const start = "cnumpy.core.multiarray\n_reconstruct\n)R";
  const cases: [what: string, text: string, message: string][] = [
    ["objects", `${dtype("O8")}.`, "byte 25: a NumPy dtype O8: expected booleans, integers or floats."],
    ["a dtype's state", `${dtype("u1")}Nb.`, "byte 27: damaged: expected the state of a dtype."],
    ["an array's state", `${start}Nb.`, "byte 39: damaged: expected an array's shape, dtype and bytes."],
    [
      "a shape that is none",
      `${start}((I-1\nt${dtype("u1")}I0\nU\u0000tb.`,
      "byte 77: damaged: expected an array's shape, dtype and bytes.",
    ],
    [
      "too few bytes",
      `${start}((I3\nt${dtype("u2")}I0\nU\u0002abtb.`,
      "byte 78: damaged: expected 6 bytes for an array [3], have 2.",
    ],
    [
      "a shape beyond all bytes",
      `${start}((I1099511627776\nI1099511627776\nt${dtype("u2")}I0\nU\u0002abtb.`,
      "expected 2.4178516392292583e+24 bytes for an array [1099511627776, 1099511627776], have 2.",
    ],
  ];
  test.each(cases)("%s", (_, text, message) => {
    expect(() => read(ascii(text))).toThrow(DataError);
    expect(() => read(ascii(text))).toThrow(message);
  });

  it("a dtype that is a tuple of tuples is not written out", () => {
    // 2^100 numbers, were they.
    const bytes = ascii(`cnumpy\ndtype\n)${"2\u0086".repeat(100)}\u0085R.`);
    expect(() => read(bytes)).toThrow("a NumPy dtype (…): expected booleans, integers or floats.");
  });

  it("bytes that are converted again and again are refused before memory is full", () => {
    const elements = 4096;
    const raw = `T${String.fromCharCode(0, (elements * 2) >> 8, 0, 0)}${"x".repeat(elements * 2)}q\u0001`;
    const again = `${start}(h\u0002h\u0003I0\nh\u0001tb0`;
    const bomb = ascii(`${raw}0(I${elements}\ntq\u00020${dtype("u2")}q\u00030${again.repeat(1000)}N.`);
    expect(() => read(bomb)).toThrow("damaged: its values need more than");
  });
});
