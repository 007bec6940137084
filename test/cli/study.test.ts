import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compared } from "../../src/cli/study-comparison.ts";
import type { Summary } from "../../src/studies/summary.ts";
import { changedText, tinyText } from "../studies/tiny-study.ts";

const root = resolve(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "flatness-study-"));
afterAll(() => rmSync(scratch, { recursive: true }));
/** A study takes seconds, on a busy machine a minute. */
const PATIENCE = 180_000;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function flatness(...args: string[]): Ended {
  return spawnSync(process.execPath, ["bin/flatness.js", "study", ...args], { cwd: root, encoding: "utf8" });
}

/** The same, without waiting for it. */
function begun(...args: string[]): Promise<Ended> {
  const child = spawn(process.execPath, ["bin/flatness.js", "study", ...args], { cwd: root });
  const [out, err]: [string[], string[]] = [[], []];
  child.stdout.setEncoding("utf8").on("data", (text: string) => out.push(text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => err.push(text));
  return new Promise((done) => {
    child.on("close", (status) => done({ status, stdout: out.join(""), stderr: err.join("") }));
  });
}

function written(name: string, text: string): string {
  const path = join(scratch, name);
  writeFileSync(path, text);
  return path;
}

const tiny = written("tiny.yaml", tinyText);
const reference = join(scratch, "reference");
const file = (out: string, name: string) => readFileSync(join(out, name));
const summaryOf = (out: string) => JSON.parse(file(out, "summary.json").toString()) as Summary;
const keys = (out: string) => readdirSync(join(out, "tasks")).sort();
let first: Ended;
beforeAll(() => {
  first = flatness("run", tiny, "--jobs", "2", "--out", reference);
}, PATIENCE);

describe("flatness study run", () => {
  test("does all tasks and writes results, summary, figures and report", () => {
    expect(first.status, first.stderr).toBe(0);
    expect(first.stdout).toMatch(
      /^Tiny networks\n12 runs compared; Kendall τ with generalization-gap, 95 % intervals\n/,
    );
    expect(first.stdout).toMatch(/^relative flatness, fc2 +12 +−?\d\.\d\d \[/m);
    expect(readdirSync(reference).sort()).toEqual([
      "figures",
      "networks",
      "report.html",
      "results.csv",
      "results.parquet",
      "study.yaml",
      "summary.json",
      "tasks",
    ]);
    expect(readdirSync(join(reference, "figures")).sort()).toEqual(
      ["1-correlations", "2-scatter"].flatMap((name) => ["png", "svg", "vl.json"].map((end) => `${name}.${end}`)),
    );
    expect(file(reference, "figures/1-correlations.png").subarray(1, 4).toString()).toBe("PNG");
    expect(file(reference, "study.yaml").toString()).toBe(tinyText);
    // A header, and two measures of twelve networks.
    expect(file(reference, "results.csv").toString().trimEnd().split("\r\n")).toHaveLength(1 + 24);
    expect(keys(reference)).toHaveLength(12);
    expect(summaryOf(reference).runs).toMatchObject({ total: 12, compared: 12, excluded: [], failed: [] });
  });

  test(
    "two runners on one folder share the work, and end with the same bytes as one runner of two jobs",
    async () => {
      const out = join(scratch, "shared");
      const both = await Promise.all([1, 2].map(() => begun("run", tiny, "--jobs", "1", "--out", out)));
      for (const { status, stderr } of both) expect(status, stderr).toBe(0);
      for (const name of ["results.csv", "results.parquet", "summary.json", "report.html", "figures/2-scatter.svg"]) {
        expect(file(out, name).equals(file(reference, name)), name).toBe(true);
      }
      expect(keys(out)).toEqual(keys(reference));
    },
    PATIENCE,
  );

  test(
    "does exactly what is missing or cannot be read, and takes networks that are kept",
    () => {
      const out = join(scratch, "resumed");
      expect(flatness("run", tiny, "--out", out, "--networks", "5").status).toBe(0);
      expect(summaryOf(out).runs.total).toBe(5);
      const [lost, broken, ...kept] = keys(out) as [string, string, ...string[]];
      rmSync(join(out, "tasks", lost), { recursive: true });
      writeFileSync(join(out, "tasks", broken, "runs.json"), '[{ "run": ');
      const made = (folder: string, names: readonly string[]) =>
        names.map((name) => statSync(join(out, folder, name)).ino);
      const networks = readdirSync(join(out, "networks"));
      const before = [made("tasks", kept), made("networks", networks)];
      const { status, stderr } = flatness("run", tiny, "--out", out, "--networks", "100");
      expect(status, stderr).toBe(0);
      expect(stderr).toContain("3 of 12 tasks are done already");
      expect([made("tasks", kept), made("networks", networks)]).toEqual(before);
      expect(file(out, "results.parquet").equals(file(reference, "results.parquet"))).toBe(true);
      // With nothing missing nothing is done.
      const again = flatness("run", tiny, "--out", out);
      expect(again.stderr).toBe("12 of 12 tasks are done already\n");
      expect(again.stdout.replaceAll(out, "")).toBe(first.stdout.replaceAll(reference, ""));
    },
    PATIENCE,
  );

  test(
    "tells of tasks that failed with their last lines, and analyses the rest",
    () => {
      const text = changedText(
        ["seeds: 3", "seeds: 1"],
        ["batchSize: [16, 32]", "stop.epochs: [2, 3, 4]"],
        ["learningRate: 0.01 }", "learningRate: 1e30 }"],
      );
      const out = join(scratch, "failing");
      const { status, stdout, stderr } = flatness("run", written("failing.yaml", text), "--out", out);
      expect(status, stderr).toBe(0);
      expect(stderr).toMatch(/^failed: 2, slow, seed 0: .*(loss|diverge)/m);
      expect(stdout).toContain("3 runs compared, 3 left out");
      const { runs } = summaryOf(out);
      expect(runs).toMatchObject({ total: 3, compared: 3 });
      expect(runs.failed.map(({ task, attempts }) => [task, attempts]).sort()).toEqual(
        [2, 3, 4].map((epochs) => [`${epochs}, slow, seed 0`, 1]),
      );
      for (const { reason, output } of runs.failed) expect(output.at(-1)).toContain(reason);
      expect(file(out, "report.html").toString()).toContain("failed after 1 attempt: 2, slow, seed 0");
      // Where all fail there is nothing to report.
      const none = flatness("run", join(scratch, "failing.yaml"), "--out", join(scratch, "none"), "--networks", "1");
      expect(none.status).toBe(2);
      expect(none.stderr).toMatch(/error: study tiny: all 1 tasks failed, the first: /);
    },
    PATIENCE,
  );

  test("a study that is wrong leaves nothing behind; another study's folder is refused", () => {
    const out = join(scratch, "never");
    const wrong = flatness("run", written("wrong.yaml", changedText(["seeds: 3", "seeds: 0"])), "--out", out);
    expect([wrong.status, wrong.stdout]).toEqual([2, ""]);
    expect(wrong.stderr).toBe(`error: ${join(scratch, "wrong.yaml")}:18:10: make.seeds: expected at least 1, came 0\n`);
    expect(existsSync(out)).toBe(false);
    const other = written("other.yaml", changedText(["name: tiny", 'name: "other"']));
    const refused = flatness("run", other, "--out", reference);
    expect([refused.status, refused.stderr]).toEqual([
      2,
      `error: ${reference}: holds the results of study tiny; expected another folder for other.\n`,
    ]);
  });
});

describe("flatness study", () => {
  test("report makes all again from results.parquet and study.yaml alone", () => {
    const out = join(scratch, "reported");
    mkdirSync(out);
    for (const name of ["results.parquet", "study.yaml"]) writeFileSync(join(out, name), file(reference, name));
    const { status, stdout, stderr } = flatness("report", out);
    expect(status, stderr).toBe(0);
    expect(stdout.replaceAll(out, "")).toBe(first.stdout.replaceAll(reference, ""));
    for (const name of ["summary.json", "report.html", "figures/1-correlations.vl.json", "figures/2-scatter.png"]) {
      expect(file(out, name).equals(file(reference, name)), name).toBe(true);
    }
    const absent = flatness("report", scratch);
    expect([absent.status, absent.stderr]).toEqual([
      2,
      `error: ${scratch}/study.yaml: no such file; expected the --out of \`flatness study run\`.\n`,
    ]);
  });

  test("compare sets two studies side by side, and says where intervals are apart", () => {
    const made = (name: string, title: string, value: number, low: number, high: number) => {
      const out = join(scratch, name);
      mkdirSync(out);
      const summary = summaryOf(reference);
      const kendall = { value, interval: [low, high], pValue: 0.5, adjusted: 0.5, null: [-0.3, 0.3] };
      const [measure] = summary.measures;
      const measures = [{ ...measure, correlations: { ...measure!.correlations, kendall } }];
      writeFileSync(join(out, "summary.json"), JSON.stringify({ ...summary, title, measures }));
      return out;
    };
    const [a, b] = [made("a", "One", -0.5, -0.7, -0.1), made("b", "Other", 0.25, 0.125, 0.5)];
    const { status, stdout } = flatness("compare", a, b);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^a: One \(12 runs\)\nb: Other \(12 runs\)\n/);
    expect(stdout).toMatch(
      /^relative flatness, fc2 +−0\.50 \[−0\.70, −0\.10\] +0\.25 \[0\.13, 0\.50\] +0\.75 +intervals apart$/m,
    );
    expect(compared(summaryOf(b), summaryOf(b))).toMatchObject([
      { measure: "relative-flatness", layer: "fc2", difference: 0, apart: false },
    ]);
    // What one of them lacks is shown all the same.
    expect(compared(summaryOf(reference), summaryOf(b))[1]).toMatchObject({
      measure: "squared-weight-norm",
      b: null,
      difference: null,
      apart: false,
    });
  });

  test("list and --schema print what they should", () => {
    expect(flatness("list").stdout).toMatch(/^figure-5-digits +Gap against flatness, 110 networks on digits *$/m);
    expect(JSON.parse(flatness("--schema").stdout)).toMatchObject({ type: "object", properties: { make: {} } });
  });
});
