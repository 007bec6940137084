import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { npzBytes } from "../src/data/npz.ts";
import { syntheticProblem } from "../src/data/synthetic/problem.ts";
import { DataError } from "../src/errors.ts";
import type { MeasureOptions } from "../src/evaluation/options.ts";
import { encodeModel } from "../src/graph/onnx.ts";
import { measureArrays } from "../src/measure-arrays.ts";
import { measure } from "../src/measure.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-arrays-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { models, arrays: arraysOf, train } = syntheticProblem({ phi: [16, 12], samples: 40, testSamples: 1 });
const arrays = arraysOf(train);

test.each<["ridge" | "logistic", Omit<MeasureOptions, "init" | "test">]>([
  ["logistic", {}],
  ["ridge", { labels: "target", layers: "last" }],
  ["logistic", { inputs: { x: "x" }, layers: ["phi.2"], loss: "cross-entropy" }],
])("%s with %j: what the same files give", async (name, options) => {
  const [model, data] = [join(folder, `${name}.onnx`), join(folder, "train.npz")] as [string, string];
  writeFileSync(model, encodeModel(models[name]));
  writeFileSync(data, npzBytes(arrays));
  const { result: written } = await measure(model, data, { threads: 1, ...options });
  const { result } = await measureArrays(models[name], arrays, { threads: 1, ...options });
  expect(result.results).toEqual(written.results);
  expect(result.loss).toEqual(written.loss);
  expect(result.model).toEqual({ ...written.model, file: name });
  expect(result.data).toEqual({ ...written.data, source: "arrays in memory" });
});

test("arrays that do not fit are refused as files are", async () => {
  const { y: _, ...unlabelled } = arrays;
  await expect(measureArrays(models.logistic, unlabelled)).rejects.toThrow(DataError);
  await expect(measureArrays(models.logistic, unlabelled)).rejects.toThrow("arrays in memory: no array y. It has: x");
});
