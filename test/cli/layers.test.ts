import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import type { LayerListing } from "../../src/evaluation/list-layers.ts";

const root = resolve(import.meta.dirname, "../..");

function listing(model: string): LayerListing {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ["bin/flatness.js", "layers", model, "--format", "json"],
    {
      cwd: root,
      encoding: "utf8",
    },
  );
  expect(status, stderr).toBe(0);
  return JSON.parse(stdout) as LayerListing;
}

test("layers of LeNet5, with the method of each", () => {
  const { layers } = listing("test/golden/lenet5-fashion/net00-batch64/model.onnx");
  expect(layers.map(({ name, d, m, positions, method }) => [name, d, m, positions, method])).toEqual([
    ["conv1", 6, 75, 784, "gauss-newton"],
    ["conv2", 16, 150, 100, "gauss-newton"],
    ["fc1", 120, 400, 1, "gauss-newton"],
    ["fc2", 84, 120, 1, "gauss-newton"],
    ["fc3", 10, 84, 1, "closed-form"],
  ]);
});
