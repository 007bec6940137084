import { expect, test } from "vitest";
import type { Result } from "../../src/evaluation/result.ts";
import { resultTable } from "../../src/report/table.ts";
import { example, layer, row } from "./example.ts";

/** The κ of fc1 is 232.71222 ± √(11.94² + 0.31²) = 11.944; of its trace, √(3.1204² + 0.094²) = 3.1218. */
test("a result, by hand", () => {
  expect(resultTable(example)).toBe(
    `
model  lenet5.onnx (opset 17)
data   fashion-mnist.npz (train), n = 2000
loss   cross-entropy 0.04437 ± 0.00213, accuracy 98.70 %

layer      d × m  positions  relative flatness κ          Tr(H)   ‖W‖²  method
───────────────────────────────────────────────────────────────────────────────────────────
conv1     6 × 75        784         27.04 ± 1.89  5.523 ± 0.413  14.81  gauss-newton-exact
mel      64 × 80          1                    –              –      –  not measured
fc1    120 × 400          1         232.7 ± 11.9  67.52 ± 3.12   188.3  gauss-newton-probes
fc3      10 × 84          1         31.42 ± 1.90  8.240 ± 0.501  35.71  closed-form

not measured: mel: excluded by --exclude

whole network: fisher-rao-norm = 1.187 ± 0.031, backpropagated

warning: [gradient-not-small] fc1: the mean gradient is 0.21 of its per-sample size: not at a minimum

κ small = flat; κ has the unit of the loss; ± is one standard error; took 5.3 s`.trimStart(),
  );
});

const bare: Result = { ...example, layers: [layer("fc", 2, 3)], results: [], warnings: [] };
const tableOf = (result: Partial<Result>) =>
  resultTable({ ...bare, ...result })
    .split("\n\n")[1]!
    .split("\n");

test("a measure got in two ways takes two lines, the ways beside them", () => {
  const probes = row("fc", "relative-flatness", 4, 0.3, 0.4, "probes");
  const results = [
    { ...probes, curvature: "hessian" as const },
    { ...probes, value: 3, curvature: "gauss-newton" as const },
  ];
  expect(tableOf({ results })).toEqual([
    "layer  d × m  positions  relative flatness κ  method",
    "─".repeat(67),
    "fc     2 × 3          1        4.000 ± 0.500  probes (hessian)",
    "fc     2 × 3          1        3.000 ± 0.500  probes (gauss-newton)",
  ]);
});

test("options keep measures of one name apart; unknown measures go by their name", () => {
  const flatness = row("fc", "relative-flatness", 4, 0.5, 0, "probes");
  const results = [
    flatness,
    { ...flatness, value: 2, options: { perFeature: true } },
    row("fc", "norm-trace", -7, null, 0, "weights"),
    row("fc", "spectral-gap", 1.5, null, 0, "weights"),
  ];
  expect(tableOf({ layers: [layer("fc", 2, 3, { groups: 4 })], results })).toEqual([
    "layer            d × m  positions  relative flatness κ  relative flatness κ (perFeature: true)  ‖W‖²·Tr(H)  spectral-gap  method",
    "─".repeat(128),
    "fc     2 × 3, 4 groups          1        4.000 ± 0.500                           2.000 ± 0.500      -7.000         1.500  probes",
  ]);
});

test("layers that were estimated stand in the column of those that were not", () => {
  const exact = row("a", "hessian-trace", 4, 0.5, 0, "taylor-exact");
  const estimated = { ...row("b", "hessian-trace", 2, 0.3, 0.4, "taylor-probes"), options: { probes: 4 } };
  expect(tableOf({ layers: [layer("a", 2, 3), layer("b", 5, 2)], results: [exact, estimated] })).toEqual([
    "layer  d × m  positions          Tr(H)  method",
    "─".repeat(53),
    "a      2 × 3          1  4.000 ± 0.500  taylor-exact",
    "b      5 × 2          1  2.000 ± 0.500  taylor-probes",
  ]);
});

test("what is no number is printed, not hidden", () => {
  const results = [
    row("fc", "relative-flatness", NaN, NaN, 0, "probes"),
    row("fc", "hessian-trace", 1, NaN, 0, "probes"),
  ];
  expect(tableOf({ results })[2]).toBe("fc     2 × 3          1            NaN ± NaN  1.000 ± NaN  probes");
});

test("one sample has no standard error", () => {
  const one = { ...row("fc", "relative-flatness", 4, 0, 0.5, "probes"), standardError: { data: null, probe: 0.5 } };
  const text = resultTable({ ...bare, results: [one], loss: { kind: "cross-entropy", value: 2, standardError: null } });
  expect(text).toContain("loss   cross-entropy 2.000\n");
  expect(text).toContain("fc     2 × 3          1                4.000  probes\n");
  expect(text).not.toContain("±");
});

test("a regression without layers to measure still says so", () => {
  const text = resultTable({
    ...bare,
    loss: { kind: "squared-error", value: 2, standardError: 0.1 },
    model: { ...bare.model, activation: "Softmax" },
    layers: [],
  });
  expect(text).toBe(
    [
      "model  lenet5.onnx (opset 17, measured before its Softmax)",
      "data   fashion-mnist.npz (train), n = 2000",
      "loss   squared-error 2.000 ± 0.100",
      "",
      "took 5.3 s",
    ].join("\n"),
  );
});

test("names from a file cannot steer the terminal", () => {
  const name = "fc\u001b[2J\n1";
  const text = resultTable({ ...bare, layers: [layer(name, 2, 3, { skipped: "\u0007no" })] });
  // oxlint-disable-next-line no-control-regex
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  expect(text).toContain("not measured: fc\ufffd[2J\ufffd1: \ufffdno");
});
