import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { LayerListing } from "../../src/evaluation/list-layers.ts";

const root = resolve(import.meta.dirname, "../..");
const lenet5 = "test/golden/lenet5-fashion/net00-batch64/model.onnx";
const miniGpt = "test/golden/mini-gpt/model.onnx";

function layers(...args: string[]) {
  return spawnSync(process.execPath, ["bin/flatness.js", "layers", ...args], { cwd: root, encoding: "utf8" });
}

function listing(model: string): LayerListing["layers"] {
  const { stdout, stderr, status } = layers(model, "--format", "json");
  expect(status, stderr).toBe(0);
  return (JSON.parse(stdout) as LayerListing).layers;
}

/** The cells of the table's rows. */
function table(model: string): string[][] {
  const { stdout, stderr, status } = layers(model);
  expect(status, stderr).toBe(0);
  expect(stdout).not.toContain("\u001b");
  const lines = stdout.split("\n").filter((line) => line.startsWith("│"));
  return lines.map((line) =>
    line
      .slice(1, -1)
      .split("│")
      .map((cell) => cell.trim()),
  );
}

describe("LeNet5", () => {
  test("with the method of each layer", () => {
    expect(listing(lenet5).map(({ name, d, m, positions, method }) => [name, d, m, positions, method])).toEqual([
      ["conv1", 6, 75, 784, "gauss-newton"],
      ["conv2", 16, 150, 100, "gauss-newton"],
      ["fc1", 120, 400, 1, "gauss-newton"],
      ["fc2", 84, 120, 1, "gauss-newton"],
      ["fc3", 10, 84, 1, "closed-form"],
    ]);
  });

  test("its cost by hand: nine columns, and less the higher the layer", () => {
    const rows = listing(lenet5);
    const costs = rows.map(({ cost }) => cost as number);
    expect(costs).toEqual(costs.toSorted((a, b) => b - a));
    // Products of a forward pass: 784·6·75 + 100·16·150 + 120·400 + 84·120 + 10·84.
    const forward = 352_800 + 240_000 + 48_000 + 10_080 + 840;
    expect(costs[3]).toBeCloseTo(1 + (9 * (840 + 10_080)) / forward, 10);
    expect(costs[2]).toBeCloseTo(1 + (9 * (840 + 10_080 + 48_000)) / forward, 10);
    expect(costs[4]).toBe(1);
  });

  test("as a table", () => {
    const [head, ...rows] = table(lenet5);
    expect(head).toEqual(["layer", "d × m", "positions", "groups", "method", "cost", "initializer"]);
    expect(rows.map((row) => row.slice(0, 5))).toEqual([
      ["conv1", "6 × 75", "784", "1", "gauss-newton"],
      ["conv2", "16 × 150", "100", "1", "gauss-newton"],
      ["fc1", "120 × 400", "1", "1", "gauss-newton"],
      ["fc2", "84 × 120", "1", "1", "gauss-newton"],
      ["fc3", "10 × 84", "1", "1", "closed-form"],
    ]);
    for (const row of rows) expect(row[5]).toMatch(/^(\d\.\d|\d{2,}) passes$/);
    expect(rows[4]![5]).toBe("1.0 passes");
  });
});

describe("a transformer", () => {
  const rows = listing(miniGpt);

  test("has its embedding first, swept layers below, and the head in closed form", () => {
    expect(rows.map(({ name, d, m, positions, method }) => [name, d, m, positions, method])).toEqual([
      ["tok", 32, 32, 16, "taylor-exact"],
      ["blocks.0.att.qkv", 96, 32, 16, "taylor-exact"],
      ["blocks.0.att.proj", 32, 32, 16, "taylor-exact"],
      ["blocks.0.f1", 64, 32, 16, "taylor-exact"],
      ["blocks.0.f2", 32, 64, 16, "taylor-exact"],
      ["blocks.1.att.qkv", 96, 32, 16, "taylor-exact"],
      ["blocks.1.att.proj", 32, 32, 16, "taylor-exact"],
      ["blocks.1.f1", 64, 32, 16, "taylor-exact"],
      ["blocks.1.f2", 32, 64, 16, "taylor-exact"],
      ["head", 32, 32, 16, "closed-form"],
    ]);
  });

  test("sweeps the layers above its last attention for less: nothing mixes their positions", () => {
    const cost = (name: string) => rows.find((row) => row.name === name)?.cost as number;
    // 32 directions instead of 32 for each of 16 rows.
    for (const name of ["att.proj", "f1", "f2"]) {
      expect(cost(`blocks.1.${name}`)).toBeLessThan(cost("blocks.1.att.qkv") / 8);
      // As many directions, through more of the network.
      expect(cost(`blocks.0.${name}`)).toBeGreaterThan(cost("blocks.1.att.qkv"));
    }
    expect(cost("head")).toBe(1);
  });

  test("as a table: whole numbers of passes, without exponents", () => {
    const [, ...cells] = table(miniGpt);
    expect(cells).toHaveLength(10);
    for (const row of cells) expect(row[5]).toMatch(/^(\d\.\d|\d{2,}) passes$/);
  });
});

describe("errors", () => {
  test.each([
    ["no such file", ["none.onnx"], /none\.onnx: no such file$/],
    ["an output that is not there", [miniGpt, "--output", "scores"], /output scores: no such output; the model has /],
    ["a format that is none of the list's", [miniGpt, "--format", "csv"], /Allowed choices are table, json/],
  ])("%s", (_, args, message) => {
    const { status, stdout, stderr } = layers(...args);
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr.trim()).toMatch(message);
  });
});
