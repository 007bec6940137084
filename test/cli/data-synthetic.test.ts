import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { parseNpz } from "../../src/data/npz.ts";
import { flatness } from "./command.ts";

const folder = mkdtempSync(join(tmpdir(), "flatness-synthetic-"));
afterAll(() => rmSync(folder, { recursive: true }));

const few = ["--samples", "60", "--test-samples", "40", "--phi", "16,12"];

describe("flatness data synthetic", () => {
  test("writes data and models that are measured as they stand, and says what it made", () => {
    const out = join(folder, "first");
    const { stdout, stderr, status } = flatness("data", "synthetic", "--out", out, ...few);
    expect(status, stderr).toBe(0);
    expect(readdirSync(out).sort()).toEqual([
      "logistic.onnx",
      "phi.onnx",
      "ridge.onnx",
      "synthetic.json",
      "teacher.onnx",
      "test.npz",
      "train.npz",
    ]);
    const npz = parseNpz(readFileSync(join(out, "train.npz")), "train.npz");
    expect(npz.names.map((name) => `${name} ${npz.array(name).type} [${npz.array(name).dims.join()}]`)).toEqual([
      "x float32 [60,16]",
      "y int64 [60]",
      "target float32 [60,1]",
      "features float32 [60,10]",
      "flipped uint8 [60]",
    ]);
    const { heads } = JSON.parse(readFileSync(join(out, "synthetic.json"), "utf8")) as {
      heads: { logistic: { test: { crossEntropy: number } } };
    };
    const loss = heads.logistic.test.crossEntropy.toPrecision(4);
    expect(stdout).toContain(`${out}: 60 training and 40 test samples of 16 inputs and 10 features`);
    const measured = flatness(
      "measure",
      join(out, "logistic.onnx"),
      "--data",
      join(out, "test.npz"),
      "--layers",
      "last",
    );
    expect(measured.status, measured.stderr).toBe(0);
    expect(measured.stdout).toContain(`loss   cross-entropy ${loss} ±`);
    expect(measured.stdout).toMatch(/^head +2 × 10 +1 +\d/m);
  });

  test("the same options write the same bytes, another seed other ones", () => {
    const made = (name: string, ...more: string[]) => {
      const out = join(folder, name);
      const { status, stderr, stdout } = flatness(
        "data",
        "synthetic",
        "--out",
        out,
        ...few,
        "--format",
        "json",
        ...more,
      );
      expect(status, stderr).toBe(0);
      expect(stdout).toBe(readFileSync(join(out, "synthetic.json"), "utf8"));
      return Object.fromEntries(
        readdirSync(out).map((file) => [file, readFileSync(join(out, file)).toString("base64")]),
      );
    };
    const [once, again, other] = [made("once"), made("again"), made("other", "--seed", "1")];
    expect(again).toEqual(once);
    expect(other["train.npz"]).not.toBe(once["train.npz"]);
    expect(other["phi.onnx"]).toBe(once["phi.onnx"]);
    expect(other["teacher.onnx"]).toBe(once["teacher.onnx"]);
  });

  test.each([
    [["--separation", "-1"], "option '--separation <c>' argument '-1' is invalid. expected a number from 0."],
    [["--phi", "8,16"], "phi: layer phi.1 would make 16 units of 8: without an exact inverse"],
    [["--phi", "deep"], "expected widths with commas between, such as 64,32,16, or none."],
    [["--flip", "2"], "synthetic: flip: expected a probability from 0 to 1, came 2."],
    [["--informative", "1"], "4 clusters do not fit on the 2 corners of 1 informative features"],
    [["--logistic-penalty", "0"], "give a penalty above 0"],
    [["--labels", "wrong"], "Allowed choices are likelier, cluster."],
    [["--samples", "1000000000"], "expected at most"],
  ])("refuses %j with a sentence, exit 2, and writes nothing", (args, message) => {
    const out = join(folder, "refused");
    const { status, stdout, stderr } = flatness("data", "synthetic", "--out", out, ...args);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
    expect(existsSync(out)).toBe(false);
  });

  test("does not write over what is there, but into an empty folder", () => {
    const [full, file, empty] = ["full", "file", "empty"].map((name) => join(folder, name)) as [string, string, string];
    for (const path of [full, empty]) mkdirSync(path);
    writeFileSync(join(full, "mine"), "");
    writeFileSync(file, "");
    expect(flatness("data", "synthetic", "--out", full, ...few).stderr).toBe(
      `error: ${full}: is not empty: expected a folder that is new or empty.\n`,
    );
    expect(flatness("data", "synthetic", "--out", file, ...few).stderr).toBe(
      `error: ${file}: is a file: expected a folder that is new or empty.\n`,
    );
    expect(flatness("data", "synthetic", "--out", empty, ...few, "--phi", "none").status).toBe(0);
    expect(readdirSync(empty)).toContain("train.npz");
    expect(readdirSync(empty)).not.toContain("phi.onnx");
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
