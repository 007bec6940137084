import { describe, expect, test } from "vitest";
import { DataError, UsageError } from "../../src/errors.ts";
import { lossNamed } from "../../src/losses/catalog.ts";
import { classIndices, classTerms, oneTerm, targets } from "../../src/losses/labels.ts";
import type { Labels, LabelOptions } from "../../src/losses/loss.ts";

const options: LabelOptions = { ignoreIndex: -100, sample: (index) => 100 + index };

function labels(type: Labels["type"], dims: number[], data: Labels["data"]): Labels {
  return { type, dims, data };
}

describe("class indices", () => {
  test.each([
    ["int64", [3], BigInt64Array.of(0n, 2n, 1n)],
    ["uint8", [3], Uint8Array.of(0, 2, 1)],
    ["float32", [3, 1], Float32Array.of(0, 2, 1)],
  ] as const)("%s labels become int64", (type, dims, data) => {
    expect(classIndices(labels(type, [...dims], data), classTerms([3, 4], dims.slice(1)), options)).toEqual({
      type: "int64",
      dims: [3, 1],
      data: BigInt64Array.of(0n, 2n, 1n),
    });
  });

  const one = (value: number) => () =>
    classIndices(labels("float32", [1], Float32Array.of(value)), classTerms([1, 10], []), options);
  const expected = "expected an integer from 0 to 9, as the model has 10 outputs";

  test.each([
    [10, "labels: sample 100 has label 10; "],
    [-1, "labels: sample 100 has label -1; "],
    [2.5, "labels: sample 100 has label 2.5; "],
    // With one term a sample there is nothing to leave out.
    [-100, "labels: sample 100 has label -100; "],
    [Number.NaN, "labels: sample 100 has label NaN; "],
    [Number.POSITIVE_INFINITY, "labels: sample 100 has label Infinity; "],
  ])("label %d is refused", (value, message) => {
    expect(one(value)).toThrow(new DataError(message + expected));
  });

  test("the sample is named, not its place in the batch", () => {
    const given = labels("int64", [3], BigInt64Array.of(1n, 1n, 7n));
    expect(() => classIndices(given, classTerms([3, 5], []), options)).toThrow(
      "labels: sample 102 has label 7; expected an integer from 0 to 4",
    );
  });

  test("several labels a sample where one is expected", () => {
    const given = labels("int64", [2, 3], new BigInt64Array(6));
    expect(() => classIndices(given, classTerms([2, 5], []), options)).toThrow(
      new DataError(
        "labels: expected 1 class index a sample, found shape [2, 3]; for targets use --loss squared-error-mean",
      ),
    );
  });

  const tokens = classTerms([2, 3, 5], [3]);

  test("tokens: those of the ignored label become −1", () => {
    const given = labels("int64", [2, 3], BigInt64Array.of(4n, -100n, 0n, -100n, 1n, 2n));
    expect(classIndices(given, tokens, options)).toEqual({
      type: "int64",
      dims: [2, 3],
      data: BigInt64Array.of(4n, -1n, 0n, -1n, 1n, 2n),
    });
  });

  test("tokens: another ignored label, which may be a class", () => {
    const given = labels("uint8", [1, 3], Uint8Array.of(0, 1, 255));
    expect(classIndices(given, tokens, { ...options, ignoreIndex: 255 }).data).toEqual(BigInt64Array.of(0n, 1n, -1n));
    expect(() => classIndices(given, tokens, { ...options, ignoreIndex: 0 })).toThrow("sample 100 has label 255");
    const within = labels("uint8", [1, 3], Uint8Array.of(0, 1, 2));
    expect(classIndices(within, tokens, { ...options, ignoreIndex: 0 }).data).toEqual(BigInt64Array.of(-1n, 1n, 2n));
  });

  test("tokens: −1 is no class, and −100 is not ignored where something else is", () => {
    const message = (label: number, ignored: number) =>
      `labels: sample 101 has label ${label}; expected an integer from 0 to 4, as the model has 5 outputs, or ${ignored} for a term that does not count`;
    const given = (label: number) => labels("int32", [2, 3], Int32Array.of(0, 0, 0, 0, label, 0));
    expect(() => classIndices(given(-1), tokens, options)).toThrow(new DataError(message(-1, -100)));
    expect(() => classIndices(given(-100), tokens, { ...options, ignoreIndex: -1 })).toThrow(
      new DataError(message(-100, -1)),
    );
  });

  test("tokens: a label for each", () => {
    expect(() => classIndices(labels("int64", [2, 4], new BigInt64Array(8)), tokens, options)).toThrow(
      new DataError(
        "labels: expected 3 class indices a sample, found shape [2, 4]; for targets use --loss squared-error-mean",
      ),
    );
  });
});

describe("targets", () => {
  test("of any type become float32, one an output", () => {
    const given = labels("float64", [2], Float64Array.of(0.1, -3));
    expect(targets(given, oneTerm([2, 1]), options)).toEqual({
      type: "float32",
      dims: [2, 1, 1],
      data: Float32Array.of(0.1, -3),
    });
    const whole = labels("int64", [1, 2], BigInt64Array.of(4n, -5n));
    expect(targets(whole, oneTerm([1, 2]), options).data).toEqual(Float32Array.of(4, -5));
    const map = labels("float32", [1, 2, 2], Float32Array.of(1, 2, 3, 4));
    expect(targets(map, oneTerm([1, 2, 2]), options)).toMatchObject({ dims: [1, 1, 4], data: map.data });
  });

  test("as many as outputs", () => {
    expect(() => targets(labels("float32", [4, 2], new Float32Array(8)), oneTerm([4, 3]), options)).toThrow(
      new DataError("targets: expected 3 numbers a sample, one for each output of the model, found shape [4, 2]"),
    );
    expect(() => targets(labels("float32", [4, 2], new Float32Array(8)), oneTerm([4, 1]), options)).toThrow(
      "targets: expected 1 number a sample, one for each output of the model, found shape [4, 2]",
    );
  });

  test.each([
    [Number.NaN, "NaN"],
    [Number.NEGATIVE_INFINITY, "-Infinity"],
    [1e39, "Infinity"],
  ])("%d is no float32 target", (value, text) => {
    const given = labels("float64", [2, 3], Float64Array.of(0, 0, 0, 0, value, 0));
    expect(() => targets(given, oneTerm([2, 3]), options)).toThrow(
      new DataError(`targets: sample 101 is ${text}; expected a finite number`),
    );
  });
});

test("a loss that does not exist", () => {
  expect(() => lossNamed("hinge")).toThrow(
    new UsageError(
      "loss hinge: no such loss; there are cross-entropy, binary-cross-entropy, squared-error-mean, squared-error-sum",
    ),
  );
});
