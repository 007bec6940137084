import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { npzBytes, parseNpz } from "../../src/data/npz.ts";
import type { Result, Runs } from "../../src/evaluation/result.ts";
import { bytesOf, safetensorsBytes, type Written } from "../checkpoints/safetensors-bytes.ts";
import { goldenPath, relativeError } from "../golden-model.ts";
import { fails, flatness, printed } from "./command.ts";

/** Float32 on the device against float64: rounding of a few thousand products. */
const TYPICAL = 1e-5;

const lenet = "test/golden/lenet5-fashion";
const model = `${lenet}/net00-batch64/model.onnx`;
const onImages = ["--data", `${lenet}/first-256.npz`, "--preprocess", "scale=255,pad=2,channels=3", "--threads", "1"];
const states = "test/golden/state-dicts";
const folder = mkdtempSync(join(tmpdir(), "flatness-weights-"));
afterAll(() => rmSync(folder, { recursive: true }));

// Six trained networks, three formats in turn: .npz as it is, with DataParallel's prefix, and .safetensors.
const all = parseNpz(readFileSync(goldenPath("lenet5-fashion", "weights.npz")), "weights.npz");
for (let network = 0; network < 6; network++) {
  const own = all.names.filter((name) => name.startsWith(`net0${network}.`));
  const arrays = own.map((name) => [name.slice("net00.".length), all.array(name)] as const);
  const file = join(folder, `epoch-${2 * network + 1}`);
  if (network % 3 === 2) {
    const written = arrays.map(([name, { dims, data }]): [string, Written] => {
      return [name, { dtype: "F32", shape: dims, bytes: bytesOf(data as Float32Array) }];
    });
    writeFileSync(`${file}.safetensors`, safetensorsBytes(Object.fromEntries(written)));
  } else {
    const prefix = network % 3 === 0 ? "" : "module.";
    writeFileSync(`${file}.npz`, npzBytes(Object.fromEntries(arrays.map(([name, array]) => [prefix + name, array]))));
  }
}

interface Truth {
  readonly kappa: number;
  readonly trace: number;
}
const truth = JSON.parse(readFileSync(goldenPath("lenet5-fashion", "kappa-all-layers-n256.json"), "utf8")) as Record<
  string,
  Record<string, Truth>
>;

function expectTruth(result: Result, network: number): void {
  for (const [layer, { kappa, trace }] of Object.entries(truth[network]!)) {
    const value = (measure: string) =>
      result.results.find((row) => row.layer === layer && row.measure === measure)?.value ?? Number.NaN;
    expect(relativeError(value("relative-flatness"), kappa)).toBeLessThan(TYPICAL);
    expect(relativeError(value("hessian-trace"), trace)).toBeLessThan(TYPICAL);
  }
}

describe("six LeNet5 through --weights on one graph", () => {
  const [out, report, samples] = ["runs.json", "runs.html", "runs.npz"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const names = [1, 3, 5, 7, 9, 11].map((epoch) => `epoch-${epoch}.${epoch % 6 === 5 ? "safetensors" : "npz"}`);

  test("as a pattern: κ and trace of every layer, a run each, epochs as people count", () => {
    const outputs = ["--format", "json", "--out", out, "--report", report, "--per-sample", samples];
    printed("measure", model, "--weights", join(folder, "epoch-*"), ...onImages, ...outputs);
    const { schema, runs } = JSON.parse(readFileSync(out, "utf8")) as Runs;
    expect(schema).toBe(1);
    expect(runs.map((run) => run.model.weights?.file)).toEqual(names.map((name) => join(folder, name)));
    expect(new Set(runs.map((run) => run.model.weights?.sha256)).size).toBe(6);
    for (const [network, run] of runs.entries()) {
      expect(run.model.file).toBe(model);
      expect(run.warnings.filter(({ code }) => code.startsWith("weights"))).toEqual([]);
      expectTruth(run, network);
    }
    const npz = parseNpz(readFileSync(samples), samples);
    const values = npz.array(`${names[3]}/relative-flatness/fc3`).data as Float32Array;
    expect(relativeError(values.reduce((sum, value) => sum + value, 0) / 256, truth[3]!["fc3"]!.kappa)).toBeLessThan(
      TYPICAL,
    );
    expect(readFileSync(report, "utf8").match(/<details>/g)).toHaveLength(6);
  }, 60_000);

  test("as parts of one file, given one by one; the last layer as a table", () => {
    const parts = ["net04", "net05"].map((part) => `${lenet}/weights.npz#${part}`);
    const text = printed("measure", model, "--weights", ...parts, ...onImages, "--layers", "last");
    expect(text).toContain(`model  ${model} (opset 13) with 2 files of weights in ${lenet}/\n`);
    expect(text).toMatch(/^weights\.npz#net04 +79\.78 ± 10\.16$/m);
    expect(text).toMatch(/^weights\.npz#net05 +251\.3 ± 30\.1$/m);
  });

  test("one file is one result", () => {
    const text = printed("measure", model, "--weights", join(folder, names[1]!), ...onImages, "--format", "json");
    const result = JSON.parse(text) as Result;
    expect(result.model.weights).toMatchObject({ file: join(folder, names[1]!) });
    expectTruth(result, 1);
  });
});

describe("--explain-weights", () => {
  test("prints what becomes what, of torch.save's dictionary, without data", () => {
    const text = printed("measure", `${states}/model.onnx`, "--weights", `${states}/nested.pt`, "--explain-weights");
    expect(text).toContain(`${states}/nested.pt → ${states}/model.onnx: 17 of 17 weights\n`);
    expect(text).toMatch(/^onnx::MatMul_71 +\[16, 8\] +model\.module\.down\.weight +\[8, 16\] +module +transposed$/m);
    expect(text).toMatch(/^fc\.bias +\[3\] +model\.module\.fc\.bias +\[3\] +name$/m);
    expect(text).toMatch(/^kept: \/gn\/Constant_1_output_0 \[2\]: all 0 or all 1/m);
    expect(text).toMatch(/^ignored: optimizer: state of an optimizer$/m);
    expect(text).toMatch(/^ignored: model\.module\.bn\.num_batches_tracked: BatchNorm's count of batches/m);
  });

  test("as JSON; two files are a list", () => {
    const files = ["plain", "nested"].map((name) => `${states}/${name}.pt`);
    const args = ["--explain-weights", "--format", "json"];
    const one = JSON.parse(printed("measure", `${states}/model.onnx`, "--weights", files[0]!, ...args));
    expect(one.matches).toHaveLength(17);
    expect(one.matches).toContainEqual({
      initializer: "onnx::MatMul_70",
      dims: [16, 16],
      tensor: "square.weight",
      tensorDims: [16, 16],
      by: "module",
      layout: "turned",
    });
    expect([one.missing, one.leftOver, one.misfit]).toEqual([[], [], undefined]);
    const two = JSON.parse(printed("measure", `${states}/model.onnx`, "--weights", ...files, ...args));
    expect(two.map(({ weights }: { weights: { file: string } }) => weights.file)).toEqual(files);
  });

  test("of a misfit is printed, and the misfit is the error", () => {
    const { status, stdout, stderr } = flatness(
      "measure",
      `${states}/model-folded.onnx`,
      "--weights",
      `${states}/plain.pt`,
      "--explain-weights",
    );
    expect(status).toBe(2);
    expect(stdout).toMatch(/^missing: onnx::Conv_70 \[4\]$/m);
    expect(stdout).toMatch(/^left over: bn\.running_var \[4\]$/m);
    expect(stderr).toMatch(/^error: .*plain\.pt: does not fit .*model-folded\.onnx: the export folded BatchNorm bn/);
  });
});

describe("errors say what was expected, what came, what to do", () => {
  const [first] = ["epoch-1.npz"].map((name) => join(folder, name)) as [string];

  test.each<[string, string[], RegExp]>([
    [
      "no file of a pattern",
      [model, "--weights", join(folder, "best-*.pt"), ...onImages],
      /best-\*\.pt: no file of this pattern: expected at least one\.$/,
    ],
    [
      "no such file",
      [model, "--weights", join(folder, "none.pt"), ...onImages],
      /none\.pt: no such file or directory\.$/,
    ],
    [
      "several models in one file",
      [model, "--weights", `${lenet}/weights.npz`, ...onImages],
      /has the weights of several models: net00, .*choose one, such as .*weights\.npz#net00\.$/,
    ],
    [
      "another network's",
      [model, "--weights", `${states}/plain.pt`, ...onImages],
      /plain\.pt: does not fit .*missing in the file: conv1\.weight \[6, 3, 5, 5\].*left over in the file: conv\.weight \[4, 1, 3, 3\]/,
    ],
    [
      "what would be executed",
      [model, "--weights", `${states}/module.pt`, ...onImages],
      /names the Python object torch\.nn\.modules\.linear\.Linear, .* Nothing was executed\.$/,
    ],
    ["nothing to explain", [model, "--explain-weights"], /--explain-weights: expected --weights with a file\.$/],
    [
      "a form that an explanation has not",
      [model, "--weights", first, "--explain-weights", "--format", "csv"],
      /--format csv: .* expected table or json\.$/,
    ],
    ["no data", [model, "--weights", first], /required option '--data <source>' not specified$/],
  ])("%s", (_, args, message) => {
    expect(fails("measure", ...args)).toMatch(message);
  });

  test("a damaged file among several is found before any is measured", () => {
    const bad = join(folder, "damaged.npz");
    writeFileSync(bad, readFileSync(first).subarray(0, 100_000));
    const out = join(folder, "never.json");
    expect(fails("measure", model, "--weights", first, bad, ...onImages, "--out", out)).toMatch(
      /damaged\.npz: truncated/,
    );
    expect(existsSync(out)).toBe(false);
  });
});
