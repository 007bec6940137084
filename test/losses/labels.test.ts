import { describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../src/errors.ts";
import { lossNamed } from "../../src/losses/catalog.ts";
import { classIndices, targets } from "../../src/losses/labels.ts";
import type { Labels } from "../../src/losses/loss.ts";

const sample = (index: number) => 100 + index;

function labels(type: Labels["type"], dims: number[], data: Labels["data"]): Labels {
  return { type, dims, data };
}

describe("class indices", () => {
  test.each([
    ["int64", [3], BigInt64Array.of(0n, 2n, 1n)],
    ["uint8", [3], Uint8Array.of(0, 2, 1)],
    ["float32", [3, 1], Float32Array.of(0, 2, 1)],
  ] as const)("%s labels become int64", (type, dims, data) => {
    expect(classIndices(labels(type, [...dims], data), [3, 4], sample)).toEqual({
      type: "int64",
      dims: [3],
      data: BigInt64Array.of(0n, 2n, 1n),
    });
  });

  const one =
    (value: number, outputs = [1, 10]) =>
    () =>
      classIndices(labels("float32", [1], Float32Array.of(value)), outputs, sample);
  const expected = "expected an integer from 0 to 9, as the model has 10 outputs";

  test.each([
    [10, "labels: sample 100 has label 10; "],
    [-1, "labels: sample 100 has label -1; "],
    [2.5, "labels: sample 100 has label 2.5; "],
    [Number.NaN, "labels: sample 100 has label NaN; "],
    [Number.POSITIVE_INFINITY, "labels: sample 100 has label Infinity; "],
  ])("label %d is refused", (value, message) => {
    expect(one(value)).toThrow(new DataError(message + expected));
  });

  test("the sample is named, not its place in the batch", () => {
    const given = labels("int64", [3], BigInt64Array.of(1n, 1n, 7n));
    expect(() => classIndices(given, [3, 5], sample)).toThrow(
      "labels: sample 102 has label 7; expected an integer from 0 to 4",
    );
  });

  test("several labels a sample", () => {
    const given = labels("int64", [2, 3], new BigInt64Array(6));
    expect(() => classIndices(given, [2, 5], sample)).toThrow(
      new DataError(
        "labels: expected one class index a sample, found shape [2, 3]; for targets use --loss squared-error-mean",
      ),
    );
  });

  test.each([[[2, 1]], [[2, 3, 5]]])("outputs %j are no scores of classes", (outputs) => {
    expect(one(0, outputs)).toThrow(
      new DataError(
        `loss cross-entropy: expected outputs of shape [samples, 2 or more classes], the model gives [${outputs.join(", ")}]`,
      ),
    );
  });
});

describe("targets", () => {
  test("of any type become float32 in the shape of the outputs", () => {
    const given = labels("float64", [2], Float64Array.of(0.1, -3));
    expect(targets(given, [2, 1], sample)).toEqual({ type: "float32", dims: [2, 1], data: Float32Array.of(0.1, -3) });
    const whole = labels("int64", [1, 2], BigInt64Array.of(4n, -5n));
    expect(targets(whole, [1, 2], sample).data).toEqual(Float32Array.of(4, -5));
  });

  test("as many as outputs", () => {
    expect(() => targets(labels("float32", [4, 2], new Float32Array(8)), [4, 3], sample)).toThrow(
      new DataError("targets: expected 3 numbers a sample, as the model has outputs [4, 3], found shape [4, 2]"),
    );
  });

  test.each([
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [1e39, "Infinity"],
  ])("%d is no float32 target", (value, text) => {
    const given = labels("float64", [2, 3], Float64Array.of(0, 0, 0, 0, value, 0));
    expect(() => targets(given, [2, 3], sample)).toThrow(
      new DataError(`targets: sample 101 is ${text}; expected a finite number`),
    );
  });
});

test("a loss that does not exist", () => {
  expect(() => lossNamed("hinge")).toThrow(
    new UsageError("loss hinge: no such loss; there are cross-entropy, squared-error-mean, squared-error-sum"),
  );
});
