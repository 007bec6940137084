import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CommanderError } from "commander";
import { afterAll, describe, expect, test } from "vitest";
import { reparameterizeCommand } from "../../src/cli/reparameterize.ts";
import { FlatnessError } from "../../src/errors.ts";
import type { Result } from "../../src/evaluation/result.ts";
import { readModel, readModelAsWritten } from "../../src/graph/files.ts";
import type { ReparameterizationReport } from "../../src/reparameterize.ts";
import { relativeError } from "../golden-model.ts";
import { fails, printed } from "./command.ts";

/** Two float32 programs of the same function: their values by 1e-5, their outputs by a little more. */
const UNCHANGED = 1e-5;
/** A random twin is another set of numbers. */
const CHANGED = 0.01;

const folder = mkdtempSync(join(tmpdir(), "flatness-twins-"));
afterAll(() => rmSync(folder, { recursive: true }));
const golden = (name: string) => `test/golden/${name}/model.onnx`;

/** The same of a rewriting, run in this process: the message of its error. */
async function refusal(...args: string[]): Promise<string> {
  const out = join(folder, "refused.onnx");
  const command = reparameterizeCommand()
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  const error = await command.parseAsync([...args, "-o", out], { from: "user" }).catch((caught: unknown) => caught);
  expect(error instanceof FlatnessError || error instanceof CommanderError).toBe(true);
  expect(existsSync(out)).toBe(false);
  return (error as Error).message;
}

function rewrite(model: string, name: string, ...args: string[]): { file: string; report: ReparameterizationReport } {
  const file = join(folder, name);
  const text = printed("reparameterize", model, "-o", file, "--format", "json", "--threads", "1", ...args);
  return { file, report: JSON.parse(text) as ReparameterizationReport };
}

function kappas(model: string, data: string): number[] {
  const args = ["--data", data, "--measures", "relative-flatness", "--format", "json", "--threads", "1"];
  return (JSON.parse(printed("measure", model, ...args)) as Result).results.map(({ value }) => value);
}

const mlp = golden("digits-mlp-relu");
const digits = "test/golden/digits-mlp-relu/batch.npz";

describe("twins from the command line", () => {
  test("layer by layer: the file has the factors, its κ stays", () => {
    const { file, report } = rewrite(mlp, "layers.onnx", "--layer-wise", "2=7,4=1/7", "--data", digits);
    expect(report.layers).toEqual([
      { layer: "2", smallest: 7, largest: 7 },
      { layer: "4", smallest: 1 / 7, largest: 1 / 7 },
    ]);
    expect(report.proof).toMatchObject({ data: digits, n: 64, outputs: [{ output: "logits", compared: "values" }] });
    const [{ largestDifference, largestValue }] = report.proof.outputs as [(typeof report.proof.outputs)[number]];
    expect(largestDifference).toBeGreaterThan(0);
    expect(largestDifference / largestValue).toBeLessThan(UNCHANGED);
    const [before, after] = [readModel(mlp), readModel(file)].map(({ graph }) => graph.constants);
    expect(after!.get("2.weight")!.numbers()).toEqual(
      Float32Array.from(before!.get("2.weight")!.numbers(), (value) => 7 * value),
    );
    const [own, twins] = [kappas(mlp, digits), kappas(file, digits)];
    twins.forEach((value, index) => expect(relativeError(value, own[index]!)).toBeLessThan(UNCHANGED));
  });

  test("neuron by neuron, by seed; the function is proven on random samples where no data are given", () => {
    const args = ["--neuron-wise", "0", "--range", "0.2,5"];
    const one = rewrite(mlp, "one.onnx", ...args, "--seed", "3");
    const same = rewrite(mlp, "same.onnx", ...args, "--seed", "3");
    const other = rewrite(mlp, "other.onnx", ...args, "--seed", "4");
    expect(readFileSync(one.file)).toEqual(readFileSync(same.file));
    expect(readFileSync(one.file)).not.toEqual(readFileSync(other.file));
    expect(one.report.proof).toMatchObject({ data: "generated, seed 3", n: 64 });
    const [first] = one.report.layers as [(typeof one.report.layers)[number]];
    expect([first.smallest > 0.2, first.largest < 5, first.largest / first.smallest > 2]).toEqual([true, true, true]);
    const [own, twins] = [kappas(mlp, digits), kappas(one.file, digits)];
    expect(relativeError(twins[0]!, own[0]!)).toBeLessThan(UNCHANGED);
    expect(relativeError(twins[1]!, own[1]!)).toBeGreaterThan(CHANGED);
  });

  test("scores moved alike are compared after a softmax", () => {
    const { file, report } = rewrite(mlp, "shift.onnx", "--softmax-shift", "4", "--data", digits);
    expect(report.proof.outputs).toMatchObject([{ output: "logits", compared: "softmax" }]);
    expect(report.proof.outputs[0]!.largestDifference).toBeLessThan(UNCHANGED);
    const [own, twins] = [kappas(mlp, digits), kappas(file, digits)];
    expect(relativeError(twins[2]!, own[2]!)).toBeLessThan(UNCHANGED);
  });

  test("BatchNormalization folded: the nodes are gone, κ stays, what cannot be folded is said", () => {
    const model = golden("mini-resnet");
    const data = "test/golden/mini-resnet/batch.npz";
    const { file, report } = rewrite(model, "folded.onnx", "--fold-batch-norm", "--data", data);
    const count = (path: string) =>
      readModelAsWritten(path).graph.nodes.filter(({ op }) => op === "BatchNormalization").length;
    expect(report.folded!.length).toBe(count(model));
    expect(count(file)).toBe(0);
    expect(report.left).toEqual([]);
    const [own, twins] = [kappas(model, data), kappas(file, data)];
    expect(twins).toHaveLength(own.length);
    twins.forEach((value, index) => expect(relativeError(value, own[index]!)).toBeLessThan(UNCHANGED));
  });

  test("a text for readers says what was done and how far outputs differ", () => {
    const out = join(folder, "text.onnx");
    const text = printed("reparameterize", mlp, "-o", out, "--layer-wise", "2=8,4=1/8", "--data", digits);
    expect(text).toBe(
      [
        `${out}: the function of ${mlp} with other weights`,
        "layer 2: weights times 8",
        "layer 4: weights times 0.125",
        text.split("\n")[3],
        "",
      ].join("\n"),
    );
    // Powers of two round nothing.
    expect(text).toMatch(
      /^output logits: largest difference 0 on 64 samples, its largest value \d\S* \(.*batch.npz\)$/m,
    );
  });
});

describe("refuses, and writes nothing", () => {
  test("where what lies between is not positively homogeneous, by the node's name", async () => {
    const tanh = golden("digits-mlp-tanh");
    expect(await refusal(tanh, "--layer-wise", "0=7,2=1/7")).toMatch(
      /^layer 0: .*: node \S+ \(Tanh\) is not positively homogeneous/,
    );
    expect(await refusal(tanh, "--neuron-wise", "0")).toMatch(
      /^layer 0: .*: node \S+ \(Tanh\) is not positively homogeneous\.$/,
    );
    expect(await refusal(golden("digits-cnn-gelu-bn"), "--neuron-wise", "all")).toMatch(
      /no neuron of the model can be rescaled: /,
    );
    expect(await refusal(golden("mini-gpt"), "--softmax-shift", "blocks.0.mlp.0")).toMatch(
      /^layer blocks\.0\.mlp\.0: /,
    );
    expect(await refusal(mlp, "--fold-batch-norm")).toMatch(
      /^no BatchNormalization can be folded: the model has none\.$/,
    );
  });

  test.each([
    [["--layer-wise", "2=7"], /^layer 4: its outputs would be multiplied by 7, expected 1: .* With 4=1\/7 /],
    [["--layer-wise", "9=7"], /^layer 9: no such layer\. The model has: 0, 2, 4\.$/],
    [["--layer-wise", "2=7/0"], /expected LAYER=FACTOR/],
    [["--layer-wise", "2=7,2=3"], /expected one factor for layer 2/],
    [["--neuron-wise", "0", "--range", "5,0.2"], /expected two positive numbers, the smaller first/],
    [["--softmax-shift", "4", "--range", "0.2,5"], /^--range: expected --neuron-wise with it/],
    [[], /^expected one of --layer-wise, .*, came none/],
    [["--fold-batch-norm", "--softmax-shift", "4"], /came --softmax-shift and --fold-batch-norm/],
    [["--softmax-shift", "4", "--split", "test"], /^--split: expected --data with it/],
    [["--softmax-shift", "4", "--input-shape", "z=3"], /^input z: no such input\. The model has: /],
    [["--softmax-shift", "4", "--input-shape", "3x3"], /expected NAME=SHAPE/],
  ])("%j", async (args, message) => {
    expect(await refusal(mlp, ...args)).toMatch(message);
  });

  test("factors that float32 has no digits for: the twin is another function", () => {
    const out = join(folder, "far.onnx");
    const factors = "0=1e30,2=1e15,4=1e-45";
    expect(fails("reparameterize", mlp, "-o", out, "--layer-wise", factors)).toMatch(/ of the twin differs by /);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});

test("measure --invariance says how far each measure moves, in table, JSON and report", () => {
  const report = join(folder, "invariance.html");
  const args = ["measure", mlp, "--data", digits, "--invariance", "2", "--threads", "1"];
  const table = printed(...args, "--report", report);
  expect(table).toMatch(/largest relative change over all layers, in 2 random networks of the same function/);
  const line = (name: string) => table.split("\n").find((text) => text.startsWith(name) && /e-|\(/.test(text))!;
  expect(line("relative flatness κ")).toMatch(/^relative flatness κ +\d\.\de-\d+ +\d\S* \(\d\) +\d\.\de-\d+$/);
  expect(line("Tr(H)")).toMatch(/^Tr\(H\) +\d\S* \(\d\) +\d\S* \(\d\) +\d\.\de-\d+$/);
  expect(readFileSync(report, "utf8")).toContain("In other networks of the same function");
  const { invariance } = JSON.parse(printed(...args, "--format", "json")) as Result;
  // In each of three kinds of network: three measures of three layers, and the norm of all weights.
  expect(invariance).toHaveLength(3 * (3 * 3 + 1));
  expect(fails(...args, "--format", "csv")).toMatch(/^--invariance: expected --format table or json/);
  expect(fails(...args, "--relative-error", "0.1")).toMatch(/^invariance is measured on the same samples for all/);
});

test("a model is not written over", () => {
  const { file } = rewrite(golden("digits-mlp-relu"), "own.onnx", "--layer-wise", "0=2,2=1/2");
  const before = readFileSync(file);
  expect(fails("reparameterize", file, "-o", file, "--layer-wise", "0=2,2=1/2")).toBe(
    `${file}: is the model itself: expected another file for its twin`,
  );
  expect(readFileSync(file).equals(before)).toBe(true);
});
