import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { npyBytes } from "../../src/data/npy.ts";
import { npzBytes } from "../../src/data/npz.ts";
import type { BoundResult, RobustnessResult } from "../../src/theory/result.ts";

const run = promisify(execFile);
const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "flatness-theory-"));
afterAll(() => rmSync(folder, { recursive: true }));
const file = (name: string) => join(folder, name);
const golden = (name: string) => `test/golden/${name}`;

async function flatness(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ["bin/flatness.js", ...args], { cwd: root });
  return stdout;
}

/** The sentence of a command that fails with exit code 2. */
async function refusal(...args: string[]): Promise<string> {
  const failed = await flatness(...args).catch((error: { code: number; stderr: string }) => error);
  if (typeof failed === "string") throw new Error(`expected an error, got ${failed}`);
  expect(failed.code, failed.stderr).toBe(2);
  expect(failed.stderr).not.toContain("    at ");
  return failed.stderr.trim();
}

const array = (dims: number[], values: (index: number) => number) => ({
  type: "float32" as const,
  dims,
  data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => values(index)),
});
const diagonal = (value: number) => array([32, 32], (index) => (index % 33 === 0 ? value : 0));
writeFileSync(file("half.npy"), npyBytes(diagonal(0.5)));
writeFileSync(file("double.npy"), npyBytes(diagonal(2)));
writeFileSync(file("oblong.npy"), npyBytes(array([32, 30], () => 0)));
writeFileSync(file("none.npy"), npyBytes(array([0, 32, 32], () => 0)));
writeFileSync(file("directions.npy"), npyBytes(array([2, 32], (index) => (index % 33 === 0 ? 1 : 0))));
writeFileSync(file("long.npy"), npyBytes(array([32], () => 1)));
writeFileSync(file("lopsided.npy"), npyBytes(array([32, 32], (index) => (index === 1 ? 0.5 : 0))));

const digits = ["test/golden/digits-mlp-relu/model.onnx", "--data", golden("digits-mlp-relu/batch.npz")];
const robustness = ["robustness", ...digits];

describe("flatness robustness", () => {
  test("prints a table, JSON and CSV of the same rows, and writes a page with a figure", async () => {
    const asked = [...robustness, "--delta", "0.03,0.1", "--draws", "20", "--antithetic", "--epsilon", "0.001"];
    const page = file("report.html");
    const json = JSON.parse(await flatness(...asked, "--format", "json", "--report", page)) as RobustnessResult;
    expect(json.rows).toHaveLength(2);
    const [first, second] = json.rows;
    expect(first).toMatchObject({ layer: "4", delta: 0.03, draws: 20, holds: true, matrix: null });
    expect(second).toMatchObject({ delta: 0.1, holds: false });
    expect(second!.measured / second!.theory!).toBeCloseTo(1, 0);
    expect(Object.keys(first!)).toEqual(
      expect.arrayContaining(["layer", "delta", "measured", "standardError", "theory", "draws", "holds"]),
    );
    expect(json.features).toEqual({ family: "orthogonal", options: { antithetic: "true" } });
    expect(json.layers[0]!.flatness!.value).toBeCloseTo(35.4808, 3);
    const lines = (await flatness(...asked, "--format", "csv")).trim().split("\r\n");
    expect(lines).toHaveLength(3);
    expect(lines[1]!.split(",")[4]).toBe(String(first!.measured));
    const table = await flatness(...asked);
    expect(table).toMatch(/no, largest at α = 0.1/);
    const html = readFileSync(page, "utf8");
    expect(html).toMatch(/<figure[^]*<svg[^]*E_F \(nats\)/);
    expect(html).not.toMatch(/NaN|undefined|<script/);
  });

  test("reads matrices, directions and covariances of files", async () => {
    for (const [features, rows] of [
      [`matrix:${file("half.npy")}`, 1],
      [`directions:${file("directions.npy")}`, 2],
      [`covariance:${file("half.npy")}`, 1],
      ["kernel", 1],
    ] as const) {
      const args = ["--features", features, "--delta", "0.03", "--draws", "30", "--antithetic", "--format", "json"];
      const result = JSON.parse(await flatness(...robustness, ...args)) as RobustnessResult;
      expect(result.rows).toHaveLength(rows);
      for (const { measured, theory } of result.rows)
        expect(Math.abs(measured - theory!)).toBeLessThan(0.1 * Math.abs(theory!));
    }
  });

  test.each([
    [["--delta", "0"], "delta 0: expected a number above 0"],
    [["--delta", "-1"], "delta -1: expected a number above 0"],
    [["--delta", "x"], "expected a number"],
    [["--epsilon", "0"], "epsilon 0: expected a number above 0"],
    [["--features", "ortho"], "features ortho: expected orthogonal, kernel"],
    [["--features", "kernel", "--sigma", "0"], "sigma 0: expected a number above 0"],
    [["--sigma", "2"], "only the features of the kernel have one"],
    [["--features", `matrix:${file("double.npy")}`], "double.npy: expected a spectral norm of at most 1, it has 2.000"],
    [["--features", `matrix:${file("oblong.npy")}`], "expected an array [32, 32] or [k, 32, 32]"],
    [["--features", `matrix:${file("absent.npy")}`], "absent.npy"],
    [["--features", `directions:${file("long.npy")}`], "long.npy: expected a length of at most 1, it has 5.657"],
    [["--features", `covariance:${file("lopsided.npy")}`], "expected a symmetric matrix"],
    [["--features", `covariance:${file("double.npy")}`], "expected eigenvalues of at most 1"],
    [["--features", `matrix:${file("none.npy")}`], "none.npy: expected at least one of 32 × 32, it has none"],
    [["--layer", "fc9"], "layer fc9: no such layer"],
    [["--teacher", "test/golden/digits-mlp-relu/model.onnx"], "expected a teacher that reads the 32 features"],
  ])("refuses %j", async (args, sentence) => {
    const out = file("refused.json");
    expect(await refusal(...robustness, ...args, "--out", out)).toContain(sentence);
    expect(existsSync(out)).toBe(false);
  });

  test("refuses NaN in the data", async () => {
    const path = file("nan.npz");
    const x = array([4, 64], (index) => (index === 70 ? Number.NaN : 1));
    writeFileSync(path, npzBytes({ x, y: { type: "int64", dims: [4], data: new BigInt64Array(4) } }));
    expect(await refusal("robustness", digits[0]!, "--data", path)).toMatch(/NaN/);
  });
});

describe("flatness bound", () => {
  const example = ["bound", "example:digits-mlp", "--data", "example:digits", "--split", "train"];

  test("prints parts that make the gap, and writes a page", async () => {
    const page = file("bound.html");
    const args = [...example, "--test", "example:digits", "--draws", "10", "--delta", "grid"];
    const json = JSON.parse(await flatness(...args, "--format", "json", "--report", page)) as BoundResult;
    const of = (quantity: string) => json.rows.filter((row) => row.quantity === quantity);
    const deltas = of("sum").map((row) => row.delta);
    expect(deltas.slice(0, 4)).toEqual([0.01, 0.03, 0.1, 0.3]);
    expect(deltas[4]).toBeCloseTo(1437 ** (-1 / 36), 12);
    deltas.forEach((_, index) => {
      const parts = of("representativeness + label term")[index]!.value! + of("feature robustness")[index]!.value!;
      expect(parts).toBeCloseTo(of("sum")[index]!.value!, 12);
      expect(of("sum")[index]!.value! - of("gap")[0]!.value!).toBeCloseTo(of("sum − gap")[index]!.value!, 12);
    });
    expect(of("kde-representativeness")).toMatchObject([{ delta: null, status: "estimated" }]);
    expect(of("C1")[0]).toMatchObject({ value: null, status: "theoretical" });
    expect(json.warnings.map(({ code }) => code)).toContain("labels-unknown");
    const html = readFileSync(page, "utf8");
    expect(html).toMatch(/<figure[^]*<svg/);
    expect(html).not.toMatch(/NaN|undefined|<script/);
    expect(await flatness(...args.slice(0, -2), "--delta", "0.1", "--format", "csv")).toContain("empirical risk,,");
  }, 120_000);

  test("refuses training data for held-out data, and a layer with positions", async () => {
    const same = [...example, "--test", "example:digits", "--test-split", "train"];
    expect(await refusal(...same)).toMatch(/1437 of its 1437 samples are in the training data/);
    const conv = golden("lenet5-fashion/net00-batch64");
    const args = ["bound", `${conv}/model.onnx`, "--data", `${conv}/batch.npz`, "--test", `${conv}/batch.npz`];
    expect(await refusal(...args, "--layer", "conv2")).toMatch(/layer conv2: it has 100 positions a sample/);
    expect(await refusal(...example, "--test", "example:digits", "--probability", "1")).toMatch(/probability 1/);
    expect(await refusal(...example, "--test", "example:digits", "--delta", "0")).toMatch(/delta 0/);
  });
});
