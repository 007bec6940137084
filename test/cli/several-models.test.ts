import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import type { Runs } from "../../src/evaluation/result.ts";
import { goldenPath, relativeError } from "../golden-model.ts";
import { fails, printed } from "./command.ts";

/** Float32 on the device against float64: rounding of a few thousand products. */
const TYPICAL = 1e-5;

const at = "test/golden/digits-mlp-relu";
const data = ["--data", `${at}/batch.npz`, "--threads", "1"];
const folder = mkdtempSync(join(tmpdir(), "flatness-models-"));
afterAll(() => rmSync(folder, { recursive: true }));

interface Truth {
  readonly layers: readonly { readonly initializer: string; readonly kappa: number; readonly trace: number }[];
}
const truth = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
  base: Truth;
  twins: Record<string, { file: string; from_file_float32_weights: Truth }>;
};
const twins = Object.values(truth.twins);
const models = [`${at}/model.onnx`, ...twins.map(({ file }) => `${at}/${file}`)];
const truths = [truth.base, ...twins.map(({ from_file_float32_weights }) => from_file_float32_weights)];

describe("a network and its twins, by another program's float64", () => {
  const [out, report, samples] = ["runs.json", "runs.html", "runs.npz"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  printed("measure", ...models, ...data, "--format", "json", "--out", out, "--report", report, "--per-sample", samples);
  const { runs } = JSON.parse(readFileSync(out, "utf8")) as Runs;

  test("a result a model, in the order given", () => {
    expect(runs.map(({ model }) => model.file)).toEqual(models);
    for (const [index, { results }] of runs.entries()) {
      for (const { initializer, kappa, trace } of truths[index]!.layers) {
        const value = (measure: string) =>
          results.find((row) => `${row.layer}.weight` === initializer && row.measure === measure)!.value;
        expect(relativeError(value("relative-flatness"), kappa)).toBeLessThan(TYPICAL);
        expect(relativeError(value("hessian-trace"), trace)).toBeLessThan(TYPICAL);
      }
    }
  });

  test("one report, with every model in it", () => {
    const page = readFileSync(report, "utf8");
    for (const { file } of twins) expect(page).toContain(`<th scope="row">${file}</th>`);
    expect(page).toContain("<svg");
  });

  test("values per sample under the model's name", () => {
    const { names, array } = parseNpz(new Uint8Array(readFileSync(samples)), samples);
    expect(names).toContain("model.onnx/relative-flatness/4");
    const last = array(`${twins[0]!.file}/relative-flatness/4`).data as Float32Array;
    const mean = last.reduce((sum, value) => sum + value, 0) / last.length;
    expect(relativeError(mean, truths[1]!.layers[2]!.kappa)).toBeLessThan(TYPICAL);
  });
});

test("one table, a row a model; the same model twice is one row", () => {
  const table = printed("measure", models[0]!, models[5]!, models[0]!, ...data, "--layers", "last");
  expect(table).toMatch(/^models 2 in test\/golden\/digits-mlp-relu\/$/m);
  expect(table).toMatch(/^model.onnx +35\.48 ± 7\.97$/m);
  expect(table.match(/^model\.onnx +35\.48/gm)).toHaveLength(1);
  expect(table).toMatch(/^twin_neuron.onnx +\d+\.\d+ ± \d+\.\d+$/m);
});

test("CSV has the models in its lines", () => {
  const flags = ["--layers", "last", "--measures", "relative-flatness", "--format", "csv"];
  const lines = printed("measure", models[0]!, models[1]!, ...data, ...flags)
    .trim()
    .split("\n");
  expect(lines).toHaveLength(3);
  expect(lines[2]).toContain("twin_layer");
});

describe("refuses", () => {
  test("one file of weights for several models", () => {
    expect(fails("measure", models[0]!, models[1]!, ...data, "--weights", "w.npz")).toMatch(
      /^--weights: expected one model with it, as tensors go into one network; came 2: /,
    );
  });

  test("--invariance for several models", () => {
    expect(fails("measure", models[0]!, models[1]!, ...data, "--invariance", "2")).toMatch(
      /^--invariance: .* one model, came several models\.$/,
    );
  });

  test("a model that is not there, before any is measured", () => {
    expect(fails("measure", models[0]!, "none.onnx", ...data)).toMatch(/^none\.onnx: /);
  });

  test("a model that the data do not fit, by its name", () => {
    const gpt = "test/golden/mini-gpt/model.onnx";
    expect(fails("measure", models[0]!, gpt, ...data)).toMatch(/mini-gpt\/model\.onnx: /);
  });
});
