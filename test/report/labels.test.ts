import { expect, test } from "vitest";
import { measures } from "../../src/measures/catalog.ts";
import { measureLabel, normalizationText, rowLabel } from "../../src/report/labels.ts";
import { row } from "./example.ts";

test("a label is the measure's name, or its symbol as the catalog has it", () => {
  for (const { name, symbol } of measures) {
    const label = measureLabel(name);
    if (label !== name) expect(label.endsWith(symbol)).toBe(true);
  }
});

test("what all layers were normalised by is said once, options of a measure beside it, files without their folder", () => {
  const of = (options: Record<string, unknown>) => ({
    ...row("a", "squared-weight-norm", 1, null, 0, "weights"),
    options,
  });
  expect(rowLabel(of({ normalize: "std" }))).toBe("‖W‖²");
  expect(rowLabel(of({ normalize: "std", from: "runs/7/init.onnx" }))).toBe("‖W‖² (from: init.onnx)");
  expect(normalizationText([of({}), of({ normalize: "std" })])).toBe(
    "features over their standard deviation, weights times it",
  );
  expect(normalizationText([of({ normalize: "variance" })])).toBe("features over their variance, weights times it");
  expect(normalizationText([of({})])).toBeUndefined();
});
