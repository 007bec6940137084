import { describe, expect, it, test } from "vitest";
import type { NamedArray } from "../../src/data/dataset.ts";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes } from "../../src/data/npz.ts";
import { chosenSamples } from "../../src/data/samples.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { memoryFiles } from "./memory-files.ts";

const list = (...values: number[]) => ({
  type: "int32" as const,
  dims: [values.length],
  data: Int32Array.from(values),
});
const npy = (array: Omit<NamedArray, "name">) => npyBytes(array);
const files = memoryFiles({
  "some.npy": npy(list(4, 0, 4)),
  "big.npy": npy({ type: "int64", dims: [2], data: BigInt64Array.of(3n, 1n) }),
  "one.npz": npzBytes({ train_idx: list(2, 1) }),
  "two.npz": npzBytes({ a: list(1), b: list(2) }),
  "far.npy": npy(list(0, 5)),
  "negative.npy": npy(list(-1)),
  "float.npy": npy({ type: "float32", dims: [1], data: Float32Array.of(1) }),
  "matrix.npy": npy({ type: "uint8", dims: [1, 1], data: Uint8Array.of(1) }),
  "empty.npy": npy(list()),
});
const choose = (text?: string) => chosenSamples(text, 5, files);

describe("what is chosen", () => {
  const cases: [text: string | undefined, indices: number[], description: string][] = [
    [undefined, [0, 1, 2, 3, 4], "all 5"],
    ["3", [0, 1, 2], "the first 3 of 5"],
    ["5", [0, 1, 2, 3, 4], "the first 5 of 5"],
    ["some.npy", [4, 0, 4], "3 of 5, listed in some.npy"],
    ["big.npy", [3, 1], "2 of 5, listed in big.npy"],
    ["one.npz", [2, 1], "2 of 5, listed in one.npz"],
  ];
  test.each(cases)("%s", async (text, indices, description) => {
    expect(await choose(text)).toEqual({ indices: Int32Array.from(indices), description });
  });

  it("the golden subset of Fashion-MNIST", async () => {
    const path = new URL("../golden/lenet5-fashion/subset-indices.npz", import.meta.url).pathname;
    const { indices } = await chosenSamples(path, 60000);
    expect(new Set(indices).size).toBe(2000);
  });
});

describe("errors", () => {
  const range = "expected a whole number from 1 to 5, the samples of the data.";
  const cases: [text: string, error: Error][] = [
    ["6", new UsageError(`--samples 6: ${range}`)],
    ["0", new UsageError(`--samples 0: ${range}`)],
    ["-2", new UsageError(`--samples -2: ${range}`)],
    ["2.5", new UsageError(`--samples 2.5: ${range}`)],
    ["1e3", new UsageError(`--samples 1e3: ${range}`)],
    ["list.txt", new UsageError("--samples list.txt: expected a number, or an .npy or .npz file of indices.")],
    ["none.npy", new DataError("none.npy: no such file or directory.")],
    ["two.npz", new DataError("two.npz: expected one array of indices, have a, b.")],
    ["far.npy", new DataError("far.npy: x[1] is 5: expected 0 to 4, the samples of the data.")],
    ["negative.npy", new DataError("negative.npy: x[0] is -1: expected 0 to 4, the samples of the data.")],
    ["float.npy", new DataError("float.npy: x: expected a list of whole numbers, have float32 (1).")],
    ["matrix.npy", new DataError("matrix.npy: x: expected a list of whole numbers, have uint8 (1, 1).")],
    ["empty.npy", new DataError("empty.npy: x: expected a list of whole numbers, have int32 (0).")],
  ];
  test.each(cases)("%s", async (text, error) => {
    await expect(choose(text)).rejects.toThrow(error);
  });
});
