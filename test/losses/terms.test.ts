import { describe, expect, test } from "vitest";
import { DataError } from "../../src/errors.ts";
import { Builder } from "../../src/graph/builder.ts";
import { classTerms, oneTerm } from "../../src/losses/labels.ts";
import type { Terms } from "../../src/losses/loss.ts";
import { product } from "../float64-array.ts";
import { valuesOf } from "../run-graph.ts";
import { floats } from "./at-scores.ts";

/** Where in a sample's outputs, numbered in C order, each score [T, C] of the second of two samples comes from. */
async function places(outputs: readonly number[], { arrange, terms, classes }: Terms): Promise<number[][]> {
  const b = new Builder();
  const size = product(outputs.slice(1));
  const f = b.input("f", "float32", outputs);
  const scores = arrange(b, f);
  expect(b.dims(scores)).toEqual([2, terms, classes]);
  const { f: got } = await valuesOf(
    b,
    { f: scores },
    {
      f: floats(
        outputs,
        Float64Array.from({ length: 2 * size }, (_, index) => index - size),
      ),
    },
  );
  return Array.from({ length: terms }, (_, term) =>
    Array.from(got!.subarray(size + term * classes, size + (term + 1) * classes)),
  );
}

describe("class scores: the axis of classes is the one that labels lack", () => {
  test("[B, C]: one term", async () => {
    expect(await places([2, 3], classTerms([2, 3], []))).toEqual([[0, 1, 2]]);
  });

  test("[B, T, C], tokens", async () => {
    const terms = classTerms([2, 2, 3], [2]);
    expect(await places([2, 2, 3], terms)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
  });

  test("[B, C, T], tokens of torch's order", async () => {
    const terms = classTerms([2, 3, 2], [2]);
    expect(await places([2, 3, 2], terms)).toEqual([
      [0, 2, 4],
      [1, 3, 5],
    ]);
  });

  test("[B, C, H, W], pixels: term h·W + w, as labels [H, W] lie", async () => {
    const terms = classTerms([2, 2, 2, 3], [2, 3]);
    expect(await places([2, 2, 2, 3], terms)).toEqual([0, 1, 2, 3, 4, 5].map((pixel) => [pixel, pixel + 6]));
  });

  test("[B, H, W, C], pixels", async () => {
    const terms = classTerms([2, 2, 3, 4], [2, 3]);
    expect(await places([2, 2, 3, 4], terms)).toEqual(
      [0, 1, 2, 3, 4, 5].map((pixel) => [0, 1, 2, 3].map((c) => pixel * 4 + c)),
    );
  });

  test("where either could be, the last", async () => {
    expect(await places([2, 2, 2], classTerms([2, 2, 2], [2]))).toEqual([
      [0, 1],
      [2, 3],
    ]);
    // The middle axis is never that of classes.
    expect(await places([2, 2, 2, 2], classTerms([2, 2, 2, 2], [2, 2]))).toEqual(
      [0, 1, 2, 3].map((pixel) => [2 * pixel, 2 * pixel + 1]),
    );
  });

  test.each([
    { outputs: [2, 1], labels: [] },
    { outputs: [2, 3, 5], labels: [] },
    { outputs: [2, 3, 5], labels: [4] },
    { outputs: [2, 3, 1], labels: [3] },
    { outputs: [2, 1, 3], labels: [3] },
    { outputs: [2, 4, 5, 6], labels: [4, 6] },
    { outputs: [2, 5], labels: [3] },
    { outputs: [2], labels: [] },
  ])("outputs $outputs with labels $labels are no scores of classes", ({ outputs, labels }) => {
    expect(() => classTerms(outputs, labels)).toThrow(
      new DataError(
        `loss cross-entropy: outputs [${outputs.join(", ")}] need labels of those dims without the axis of 2 or more classes, one class index a term; the labels of a sample have dims [${labels.join(", ")}]. For targets use --loss squared-error-mean`,
      ),
    );
  });
});

test("a regression's outputs are one term, in the order that they lie in", async () => {
  expect(await places([2, 2, 3], oneTerm([2, 2, 3]))).toEqual([[0, 1, 2, 3, 4, 5]]);
});
