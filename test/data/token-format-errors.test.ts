import { describe, expect, it, test } from "vitest";
import { openDataset } from "../../src/data/open.ts";
import { DataError, UsageError } from "../../src/errors.ts";
import { survivesMutations } from "../mutations.ts";
import { memoryFiles } from "./memory-files.ts";
import { all, contents, open } from "./token-files.ts";

describe("what is refused", () => {
  const how = "tokens become samples by --preprocess tokens=T, T how many a sample has, and no other step.";
  const cases: [source: string, preprocess: string | undefined, error: Error][] = [
    ["tokens.bin", undefined, new UsageError(`tokens.bin: ${how}`)],
    ["tokens.bin", "scale=2", new UsageError(`tokens.bin: ${how}`)],
    ["tokens.bin", "tokens=3,scale=2", new UsageError(`tokens.bin: ${how}`)],
    ["tokens.npy", "flatten,tokens=3", new UsageError(`tokens.npy: ${how}`)],
    ...["0", "x", "3:int64", "-1", ":", "1.5"].map((value): [string, string, Error] => [
      "tokens.bin",
      `tokens=${value}`,
      new UsageError(
        `preprocess tokens=${value}: expected a number of tokens, and for a .bin file their type: tokens=256:uint32.`,
      ),
    ]),
    [
      "tokens.npy",
      "tokens=3:uint16",
      new UsageError(
        "preprocess tokens=3:uint16: tokens.npy says itself which type its tokens have: leave uint16 out.",
      ),
    ],
    [
      "tokens.bin",
      "tokens",
      new UsageError(
        "preprocess tokens: tokens.bin is one stream of 11 tokens: write how many make a sample, tokens=256.",
      ),
    ],
    ["tokens.bin", "tokens=11", new DataError("tokens.bin: expected 12 tokens or more for samples of 11, have 11.")],
    [
      "rows.npy",
      "tokens=4",
      new DataError("rows.npy: expected 5 tokens or more in a row for samples of 4, have [2, 4]."),
    ],
    [
      "cube.npy",
      "tokens=1",
      new DataError(
        "cube.npy: expected tokens, whole numbers in one stream [N] or in rows [n, T+1], have uint8 [1, 2, 3].",
      ),
    ],
    [
      "floats.npy",
      "tokens=1",
      new DataError(
        "floats.npy: expected tokens, whole numbers in one stream [N] or in rows [n, T+1], have float32 [4].",
      ),
    ],
    [
      "longer.npy",
      "tokens=1",
      new DataError(
        "longer.npy: expected 22 bytes of data after byte 128, have 23: the file is damaged, or holds a second array.",
      ),
    ],
    [
      "odd.bin",
      "tokens=1",
      new DataError("odd.bin: 31 bytes are no whole number of uint16 tokens: truncated or damaged."),
    ],
    [
      "cut.bin",
      "tokens=1",
      new DataError("cut.bin: expected 24 bytes for 12 uint16 tokens after byte 1024, have 22: truncated or damaged."),
    ],
    ["gpt2.bin", "tokens=1:uint32", new DataError("gpt2.bin: its header says uint16 tokens, and not uint32.")],
    [
      "wide.bin",
      "tokens=1",
      new DataError(
        "wide.bin: as uint16, every other number is below 4: these look like uint32 tokens; " +
          "write --preprocess tokens=T:uint32, or tokens=T:uint16 if they are not.",
      ),
    ],
    ["named.npz", "tokens=1", new DataError("named.npz: no array tokens. It has: a, b.")],
    ["none.bin", "tokens=1", new DataError("none.bin: no such file or directory.")],
  ];
  test.each(cases)("%s %s", async (source, preprocess, error) => {
    await expect(open(source, preprocess)).rejects.toThrow(error);
  });

  it("the step where there are no tokens", async () => {
    await expect(openDataset("example:digits", { preprocess: "tokens=3" })).rejects.toThrow(
      new UsageError(
        "preprocess tokens=3: expected tokens, whole numbers in a .bin, .npy or .npz file, and no other step; " +
          "here samples of x have dims [64].",
      ),
    );
  });

  it("thousands of damaged copies", async () => {
    for (const name of ["tokens.npy", "llama3.bin", "several.npz"]) {
      await survivesMutations(
        contents[name]!,
        async (bytes) => {
          const data = await openDataset(name, { preprocess: "tokens=3" }, memoryFiles({ [name]: bytes }));
          await data.read(all(data));
        },
        { runs: 1000 },
      );
    }
  });
});
