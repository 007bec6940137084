import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { Result } from "../../src/evaluation/result.ts";
import { defaultMeasures, measures } from "../../src/measures/catalog.ts";
import { fails, printed } from "./command.ts";

const golden = "test/golden/digits-mlp-relu";
const model = `${golden}/model.onnx`;
const data = ["--data", `${golden}/batch.npz`];
const folder = mkdtempSync(join(tmpdir(), "flatness-peers-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("flatness measures", () => {
  test("says of every measure what the catalog says", () => {
    const text = printed("measures");
    expect(text.split("\n\n")).toHaveLength(measures.length);
    for (const { name, equation, source, invariances } of measures) {
      const block = text.split("\n\n").find((each) => each.startsWith(`${name}  `))!;
      for (const part of [equation, source, ...invariances]) expect(block).toContain(part);
    }
  });

  test("as JSON, into a file", () => {
    const out = join(folder, "measures.json");
    expect(printed("measures", "--format", "json", "--out", out)).toBe("");
    const listed = JSON.parse(readFileSync(out, "utf8")) as Record<string, unknown>[];
    expect(listed.map(({ name }) => name)).toEqual(measures.map(({ name }) => name));
    expect(listed.filter(({ isDefault }) => isDefault).map(({ name }) => name)).toEqual(defaultMeasures);
    expect(listed.find(({ name }) => name === "fisher-rao-norm")).toMatchObject({
      symbol: "‖θ‖_FR",
      scope: "network",
      needs: ["derivative rules"],
      exactness: "exact",
      inAll: true,
    });
  });
});

describe("flatness measure", () => {
  test("rows of layers and of the network in the table, the CSV, JSON and the report", () => {
    const asked = ["measure", model, ...data, "--measures", "all,pac-bayes-bound", "--normalize", "std"];
    const more = ["--init", `${golden}/twin_neuron.onnx`, "--biases", "--prefactor", "4", "--noise-draws", "2"];
    const report = join(folder, "report.html");
    const table = printed(...asked, ...more, "--report", report);
    expect(table).toContain("layers features over their standard deviation, weights times it");
    expect(table).toMatch(/^2 +32 × 32 +1 +66\.80 ± 15\.96 +22\.21 ± 5\.32/m);
    expect(table).toContain("whole network: ‖W‖² (biases: true) = 153.1, weights");
    expect(table).toMatch(/^whole network: ‖W‖² \(biases: true, from: twin_neuron\.onnx\) = \d/m);
    expect(table).toMatch(
      /^whole network: fisher-rao-norm \(biases: true\) = 1\.136 ± 0\.422, directional-derivative$/m,
    );
    expect(table).toContain("whole network: fisher-rao-closed-form (prefactor: 4) = 1.521 ± 0.567, forward");
    expect(table).toContain("not measured: generalization-gap: expected data to test on; --test gives it");
    expect(table).toContain("warning: [features-dropped] 2: 3 of 32 features do not vary on the data");

    const page = readFileSync(report, "utf8");
    for (const part of ["fisher-rao-norm (biases: true)", "standard deviation", "generalization-gap: not measured"])
      expect(page).toContain(part);

    const csv = printed(...asked, ...more, "--format", "csv");
    expect(csv).toMatch(
      /^test\S*,,,,,,fisher-rao-norm,1\.13564\d*,0\.422\d*,0,64,directional-derivative,,,"\{""biases"":true\}"/m,
    );

    const result = JSON.parse(printed(...asked, ...more, "--format", "json")) as Result;
    const bound = result.results.filter(({ measure }) => measure === "pac-bayes-bound");
    expect(bound.map(({ layer, options }) => [layer, options])).toEqual([
      [null, { biases: true }],
      [null, { biases: true, from: `${golden}/twin_neuron.onnx` }],
    ]);
    for (const { noise, standardError, method } of bound) {
      expect(noise!.draws).toBe(2);
      expect(noise!.drop).toBeLessThanOrEqual(0.1 + 1e-9);
      expect(standardError!.probe).toBeGreaterThan(0);
      expect(method).toBe("bisection");
    }
    const [{ value, noise }] = bound as [(typeof bound)[number]];
    const squared = 153.0752063174405;
    expect(value).toBeCloseTo(squared / (4 * noise!.sigma ** 2) + Math.log(64 / noise!.sigma) + 10, 6);
    expect(result.layers.find(({ name }) => name === "2")!.dropped).toEqual([16, 21, 30]);
  });

  test("--test takes the part test, says what is on it, and adds the gap to the default measures", () => {
    const asked = [
      "measure",
      "example:digits-mlp",
      "--data",
      "example:digits",
      "--split",
      "train",
      "--test",
      "example:digits",
    ];
    const result = JSON.parse(printed(...asked, "--format", "json", "--layers", "last")) as Result;
    expect(result.test).toMatchObject({ source: "example:digits", split: "test", n: 360 });
    const gap = result.results.find(({ measure }) => measure === "generalization-gap")!;
    expect(gap.value).toBeCloseTo(result.test!.loss.value - result.loss.value, 9);
    expect(printed(...asked)).toMatch(
      /^test   example:digits \(test\), n = 360: cross-entropy 0\.\d+ ± 0\.\d+, accuracy \d/m,
    );
  });

  test("samples to test on that are measured on", () => {
    const asked = ["measure", "example:digits-mlp", "--data", "example:digits", "--test", "example:digits"];
    const message =
      "--test example:digits: expected other samples than those measured on; --split and --test-split name parts of a source.";
    expect(fails(...asked)).toBe(message);
    expect(fails(...asked, "--split", "test")).toBe(message);
    expect(fails(...asked, "--split", "train", "--test-split", "train")).toBe(message);
  });

  test("noise in proportion to weights has a flatness and no bound", () => {
    const asked = ["measure", model, ...data, "--noise", "magnitude-aware", "--noise-draws", "2", "--layers", "last"];
    const table = printed(...asked, "--measures", "pac-bayes-flatness,pac-bayes-bound");
    expect(table).toMatch(/pac-bayes-flatness \(noise: magnitude-aware\) = \d/);
    expect(table).toContain("not measured: pac-bayes-bound: the bound is that of noise of one size for all weights");
  });

  test("initial weights of another network, and numbers that are none", () => {
    const init = "test/golden/digits-mlp-tanh/model.onnx";
    expect(fails("measure", model, ...data, "--init", init)).toBe(
      `${init}: expected the weights 0.weight of 32×64 that the model has, its 0.weight is 24×64.`,
    );
    expect(fails("measure", model, ...data, "--prefactor", "-1")).toContain("expected a number above 0, such as 6.");
    expect(fails("measure", model, ...data, "--noise-draws", "1")).toContain("expected a whole number of at least 2.");
  });
});
