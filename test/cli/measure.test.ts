import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { npzBytes, parseNpz } from "../../src/data/npz.ts";
import type { Result } from "../../src/evaluation/result.ts";
import { flatness, root } from "./command.ts";

const model = "test/golden/digits-mlp-relu/model.onnx";
const data = "test/golden/digits-mlp-relu/batch.npz";
const folder = mkdtempSync(join(tmpdir(), "flatness-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

function fails(...args: string[]): string {
  const { status, stdout, stderr } = flatness("measure", ...args);
  expect(stdout).toBe("");
  expect(status, stderr).toBe(2);
  return stderr.trim();
}

const x = { type: "float32" as const, dims: [2, 64], data: new Float32Array(128) };
const y = { type: "int64" as const, dims: [2], data: BigInt64Array.of(1n, 2n) };

function batch(name: string, arrays: Parameters<typeof npzBytes>[0]): string {
  const file = join(folder, name);
  writeFileSync(file, npzBytes(arrays));
  return file;
}

describe("flatness measure", () => {
  test("prints a table without colour or cursor codes", () => {
    const { stdout, status } = flatness("measure", model, "--data", data);
    expect(status).toBe(0);
    expect(stdout).toContain("cross-entropy 0.1768 ± 0.0692, accuracy 93.75 %");
    expect(stdout).toMatch(/^4 +10 × 32 +1 +35\.48 ± 7\.97 +23\.80 ± 5\.37 +20\.59 +closed-form$/m);
    expect(stdout).not.toContain("\u001b");
  });

  test("writes JSON of schema 1, a report and per-sample values", () => {
    const [out, report, samples] = ["result.json", "report.html", "samples.npz"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const flags = ["--format", "json", "--out", out, "--report", report, "--per-sample", samples, "--threads", "1"];
    const { stdout, stderr, status } = flatness("measure", model, "--data", data, ...flags);
    expect(status, stderr).toBe(0);
    expect(stdout).toBe("");
    const result = JSON.parse(readFileSync(out, "utf8")) as Result;
    expect(result).toMatchObject({
      schema: 1,
      model: { file: model, opset: 13 },
      data: { source: data, n: 64 },
      loss: { kind: "cross-entropy", accuracy: 0.9375 },
      environment: { provider: "cpu", threads: 1, seed: 0 },
    });
    expect(result.layers.map(({ name, d, m }) => [name, d, m])).toEqual([
      ["0", 32, 64],
      ["2", 32, 32],
      ["4", 10, 32],
    ]);
    const row = result.results.find(({ layer, measure }) => layer === "4" && measure === "relative-flatness");
    expect(row).toMatchObject({ n: 64, method: "closed-form", curvature: "hessian", options: {} });
    expect(row?.value).toBeCloseTo(35.4808, 3);
    const npz = parseNpz(new Uint8Array(readFileSync(samples)), samples);
    expect(npz.names).toContain("relative-flatness/4");
    const values = npz.array("relative-flatness/4").data as Float32Array;
    expect(values.reduce((sum, value) => sum + value, 0) / 64).toBeCloseTo(row?.value as number, 4);
    expect(readFileSync(report, "utf8")).toContain("<svg");
  });

  test("CSV has a line a result", () => {
    const { stdout } = flatness(
      "measure",
      model,
      "--data",
      data,
      "--layers",
      "last",
      "--measures",
      "all",
      "--format",
      "csv",
    );
    expect(stdout.trim().split("\n")).toHaveLength(11);
  });

  test("layers are named with or without .weight", () => {
    const names = (layers: string) =>
      (
        JSON.parse(flatness("measure", model, "--data", data, "--layers", layers, "--format", "json").stdout) as Result
      ).layers.map(({ name }) => name);
    expect(names("2.weight,4")).toEqual(["2", "4"]);
    expect(names("last")).toEqual(["4"]);
  });

  test("--relative-error on too few samples measures all, and warns", () => {
    const args = ["--layers", "last", "--relative-error", "0.01", "--seed", "3", "--format", "json"];
    const { stdout, stderr, status } = flatness("measure", model, "--data", data, ...args);
    expect(status, stderr).toBe(0);
    const { data: used, environment, warnings } = JSON.parse(stdout) as Result;
    expect([used.n, environment.seed]).toEqual([64, 3]);
    expect(warnings.map(({ code }) => code)).toEqual(["dead-features", "relative-error-not-met"]);
  });

  test("--ignore-index leaves tokens out", () => {
    const gpt = "test/golden/mini-gpt";
    const loss = (...args: string[]) => {
      const given = ["--layers", "last", "--measures", "relative-flatness", "--format", "json", ...args];
      const { stdout, stderr, status } = flatness(
        "measure",
        `${gpt}/model.onnx`,
        "--data",
        `${gpt}/batch.npz`,
        "--threads",
        "1",
        ...given,
      );
      expect(status, stderr).toBe(0);
      return (JSON.parse(stdout) as Result).loss.value;
    };
    const labels = parseNpz(new Uint8Array(readFileSync(join(root, gpt, "batch.npz"))), "batch").array("y");
    const usual = Number(labels.data[0]);
    expect(loss()).toBe(loss("--ignore-index", "-1"));
    expect(loss("--ignore-index", String(usual))).not.toBe(loss());
  });

  test("an interrupt leaves nothing half-written", async () => {
    const out = join(folder, "interrupted.json");
    const lenet = "test/golden/lenet5-fashion/net00-batch64";
    const args = ["measure", `${lenet}/model.onnx`, "--data", `${lenet}/batch.npz`, "--batch", "1", "--out", out];
    const child = spawn(process.execPath, ["bin/flatness.js", ...args], { cwd: root });
    const seen = new Promise<void>((resolved) => child.stderr.once("data", () => resolved()));
    const exit = new Promise<number | null>((resolved) => child.once("exit", resolved));
    await Promise.race([seen, exit]);
    child.kill("SIGINT");
    const code = await exit;
    // Fast machines may be done before the signal; then the file is whole.
    if (code === 130) expect(existsSync(out)).toBe(false);
    else expect(JSON.parse(JSON.stringify(readFileSync(out, "utf8")))).toContain("relative flatness");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

describe("errors say what was expected, what came, what to do", () => {
  test.each([
    ["a missing model", [join(folder, "none.onnx"), "--data", data], /none\.onnx: no such file$/],
    ["a model that is none", ["README.md", "--data", data], /README\.md: not an ONNX model/],
    ["missing data", [model, "--data", join(folder, "none.npz")], /none\.npz: no such file or directory\.$/],
    [
      "an unknown layer",
      [model, "--data", data, "--layers", "fc9"],
      /layer fc9: no such layer\. The model has: 0, 2, 4\.$/,
    ],
    [
      "an unknown measure",
      [model, "--data", data, "--measures", "sharpness"],
      /measure sharpness: no such measure; there are relative-flatness/,
    ],
    [
      "an unknown loss",
      [model, "--data", data, "--loss", "hinge"],
      /loss hinge: no such loss; there are cross-entropy/,
    ],
    [
      "an unknown provider",
      [model, "--data", data, "--provider", "abacus"],
      /provider abacus: not available here; there are cpu/,
    ],
    ["no data", [model], /required option '--data <source>' not specified/],
    ["an unknown format", [model, "--data", data, "--format", "xml"], /Allowed choices are table, json, csv/],
    [
      "a place that cannot be written",
      [model, "--data", data, "--out", join(folder, "no/where.json")],
      /there is no folder/,
    ],
  ])("%s", (_, args, message) => {
    expect(fails(...args)).toMatch(message);
  });

  test.each([
    ["--probes", "0", "expected a whole number of at least 1."],
    ["--probes", "2.5", "expected a whole number of at least 1."],
    ["--relative-error", "0", "expected a number between 0 and 1, such as 0.02."],
    ["--relative-error", "1", "expected a number between 0 and 1, such as 0.02."],
    ["--relative-error", "2%", "expected a number between 0 and 1, such as 0.02."],
    ["--ignore-index", "none", "expected a whole number."],
    ["--ignore-index", "1e3", "expected a whole number."],
    ["--seed", "-1", "expected a whole number of at least 0."],
    ["--batch", "0", "expected a whole number of at least 1."],
    ["--threads", "many", "expected a whole number of at least 1."],
    ["--input", "x", "expected NAME=ARRAY."],
    ["--layers", ",", "expected a name, or several with commas between."],
    ["--method", "quick", "Allowed choices are auto, exact, probes."],
    ["--curvature", "fisher", "Allowed choices are hessian, gauss-newton."],
  ])("%s %s", (flag, value, message) => {
    expect(fails(model, "--data", data, `${flag}=${value}`)).toContain(message);
  });

  test("a truncated model", () => {
    const file = join(folder, "cut.onnx");
    writeFileSync(file, readFileSync(join(root, model)).subarray(0, 4096));
    expect(fails(file, "--data", data)).toMatch(
      /cut\.onnx: truncated or not an ONNX model: the field at byte \d+ needs 14510 bytes, have 4096$/,
    );
  });

  test("x of the wrong shape", () => {
    const file = batch("shape.npz", { x: { ...x, dims: [2, 8, 8] }, y });
    expect(fails(model, "--data", file)).toMatch(
      /input input expects samples of shape \[64\], array x has \[8, 8\]; --preprocess shape=64/,
    );
  });

  test("labels of another name", () => {
    const file = batch("named.npz", { x, kind: { ...y, data: BigInt64Array.of(1n, 10n) } });
    expect(fails(model, "--data", file, "--labels", "kind")).toMatch(/sample 1 has label 10; expected an integer/);
    expect(fails(model, "--data", file)).toMatch(/no array y\. It has: x float32 \(2, 64\); kind int64 \(2\)\./);
  });

  test("labels out of range", () => {
    const file = batch("labels.npz", { x, y: { ...y, data: BigInt64Array.of(1n, 10n) } });
    expect(fails(model, "--data", file)).toMatch(
      /sample 1 has label 10; expected an integer from 0 to 9, as the model has 10 outputs/,
    );
  });

  test("NaN in the data", () => {
    const file = batch("nan.npz", { x: { ...x, data: x.data.map((_, index) => (index === 70 ? Number.NaN : 0)) }, y });
    expect(fails(model, "--data", file)).toMatch(/x.*sample 1.*NaN|NaN.*sample 1/);
  });

  test("empty data", () => {
    const file = batch("empty.npz", {
      x: { ...x, dims: [0, 64], data: new Float32Array(0) },
      y: { ...y, dims: [0], data: new BigInt64Array(0) },
    });
    expect(fails(model, "--data", file)).toMatch(/x is empty: expected one sample or more/);
  });
});

test("the command says so where it is not built", () => {
  const copy = mkdtempSync(join(tmpdir(), "flatness-unbuilt-"));
  execFileSync("cp", ["-r", join(root, "bin"), copy]);
  writeFileSync(join(copy, "package.json"), '{ "type": "module" }');
  const { status, stderr } = spawnSync(process.execPath, [join(copy, "bin/flatness.js")], { encoding: "utf8" });
  rmSync(copy, { recursive: true });
  expect([status, stderr]).toEqual([2, "flatness is not built: run npm run build\n"]);
});
