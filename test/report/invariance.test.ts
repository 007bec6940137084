import { expect, test } from "vitest";
import type { InvarianceRow, Result } from "../../src/evaluation/result.ts";
import { resultHtml } from "../../src/report/html.ts";
import { invarianceText } from "../../src/report/invariance.ts";
import { resultTable } from "../../src/report/table.ts";
import { example } from "./example.ts";

const rows = (measure: string, layer: string | null, changes: readonly (number | null)[]): InvarianceRow[] =>
  (["layer-wise", "neuron-wise"] as const).map((rewriting, index) => {
    return { layer, measure, options: {}, rewriting, largestChange: changes[index]!, twins: 3 };
  });
const result: Result = {
  ...example,
  invariance: [
    ...rows("relative-flatness", "fc1", [1.23e-7, 0.352]),
    ...rows("relative-flatness", "fc2", [4.56e-7, 0.21]),
    ...rows("squared-weight-norm", "fc1", [2, null]),
    ...rows("squared-weight-norm", "fc2", [0, 5]),
    ...rows("max-eigenvalue", null, [0, 0.5]),
  ],
};

test("the largest change over layers, where it is notable with its layer", () => {
  expect(invarianceText(result)).toEqual([
    "largest relative change over all layers, in 3 random networks of the same function, rewritten",
    "                     layer-wise           neuron-wise",
    "─────────────────────────────────────────────────────",
    "relative flatness κ      4.6e-7            0.35 (fc1)",
    "‖W‖²                  2.0 (fc1)               ∞ (fc1)",
    "max-eigenvalue                0  0.50 (whole network)",
  ]);
  expect(resultTable(result)).toContain("\nrelative flatness κ      4.6e-7            0.35 (fc1)\n");
  expect(invarianceText(example)).toEqual([]);
});

test("the page has the same numbers, and no such section where nothing was asked", async () => {
  const page = await resultHtml(result);
  expect(page).toContain(
    '<th scope="row">relative flatness κ</th><td class="number">4.6e-7</td><td class="number">0.35 (fc1)</td>',
  );
  expect(page).toContain("to 3 random\nones that compute the same with other weights");
  expect(await resultHtml(example)).not.toContain('id="invariance"');
});

test("the page says of each warning what to do, once", async () => {
  const text = "few";
  const warnings = [
    { code: "few-samples" as const, text },
    { code: "dead-features" as const, layer: "a", text },
    { code: "dead-features" as const, layer: "b", text },
  ];
  const page = await resultHtml({ ...example, warnings });
  expect(page.match(/<dt><code>dead-features<\/code><\/dt>/g)).toHaveLength(1);
  expect(page).toContain(
    "<dt><code>few-samples</code></dt><dd>Measure on more samples before you compare values.</dd>",
  );
});
