import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { join } from "node:path";
import type { Epoch } from "../../src/training/history.ts";

/** What the folder of a run that has ended holds. */
export const runFiles = [
  "checkpoint.safetensors",
  "metrics.jsonl",
  "model.onnx",
  "recipe.yaml",
  "result.json",
  "weights.safetensors",
];

/** The epochs that a run has recorded, each a whole line. */
export function metricsOf(run: string): Epoch[] {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n");
  expect(lines.pop()).toBe("");
  return lines.map((line) => JSON.parse(line) as Epoch);
}
