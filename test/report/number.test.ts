import { describe, expect, test } from "vitest";
import { duration, percentage, significant, withError } from "../../src/report/number.ts";

describe("a value with its error, by hand", () => {
  test.each([
    // Four digits of the value, two of the error, whichever reaches further.
    [31.419966, 1.9031, "31.42 ± 1.90"],
    [232.71222, 11.944, "232.7 ± 11.9"],
    [31.419966, 0.01234, "31.420 ± 0.012"],
    [1234.5, 56.7, "1235 ± 57"],
    [9.99996, 0.5, "10.00 ± 0.50"],
    [-0.51234, 0.0211, "-0.5123 ± 0.0211"],
    // An error larger than the value: two digits of it.
    [0.0123, 0.2, "0.01 ± 0.20"],
    [-0.001, 0.52, "0.00 ± 0.52"],
    [3, 997, "3 ± 997"],
    // Large and small: one exponent for both.
    [3.1419e7, 1.9e6, "(3.142 ± 0.190)e+7"],
    [-2.5e-9, 1.3e-10, "(-2.500 ± 0.130)e-9"],
    [99999.6, 12, "100000 ± 12"],
    // No error to speak of.
    [31.419966, 0, "31.42 ± 0"],
    [0, 0, "0 ± 0"],
    [31.419966, 1.2e-6, "31.42 ± 1.2e-6"],
    [1.2346e-8, null, "1.235e-8"],
    [12.5, null, "12.50"],
  ])("%d ± %s", (value, error, text) => {
    expect(withError(value, error)).toBe(text);
  });

  test("what is no number stays visible", () => {
    expect(withError(NaN, 1.5)).toBe("NaN ± 1.500");
    expect(withError(2, NaN)).toBe("2.000 ± NaN");
    expect(withError(-Infinity)).toBe("-Infinity");
    expect(withError(null as unknown as number)).toBe("NaN");
  });
});

test("numbers alone keep four digits", () => {
  expect([0, 1, 14.81206, 99999, 123456, 0.001, 0.000999, -188.3305].map(significant)).toEqual([
    "0",
    "1.000",
    "14.81",
    "99999",
    "1.235e+5",
    "0.001000",
    "9.990e-4",
    "-188.3",
  ]);
});

test("shares and spans of time", () => {
  expect(percentage(0.987)).toBe("98.70 %");
  expect([0, 0.0004, 0.318, 0.9999, 5.26, 9.96, 59.6, 125, 3599.7, 4320, NaN].map(duration)).toEqual([
    "0 ms",
    "0 ms",
    "318 ms",
    "1.0 s",
    "5.3 s",
    "10 s",
    "1 min 0 s",
    "2 min 5 s",
    "1 h 0 min",
    "1 h 12 min",
    "?",
  ]);
});
