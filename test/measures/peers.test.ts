import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import type { ResultRow } from "../../src/evaluation/result.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { losses64 } from "../float64-curvature.ts";
import { constantOf, run } from "../float64-reference.ts";
import { goldenBatch, goldenModel, goldenPath, measureAll, relativeError, rowOf } from "../golden-model.ts";
import { rewritten } from "../rewritten.ts";
import { datasetOf, measureSketch, modelOf, targetsOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
/** Sums in float64; only their order differs. */
const NORM = 1e-9;
/** What a difference must at least be, to be one. */
const CHANGED = 0.01;

function networkRow({ result }: Measurement, measure: string, from?: string): ResultRow {
  const row = result.results.find(
    (one) => one.layer === null && one.measure === measure && one.options["from"] === from,
  );
  if (!row) throw new Error(`no row ${measure} of the network`);
  return row;
}

describe("digits-mlp-relu: golden Fisher-Rao norms and norms", () => {
  const truth = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
    fisher_rao: Record<string, number>;
    l2: Record<string, number>;
  };
  const measures = ["fisher-rao-norm", "fisher-rao-closed-form", "squared-weight-norm", "loss", "accuracy"];
  const measure = (options: MeasureOptions = {}) =>
    measureAll(goldenModel("digits-mlp-relu"), goldenBatch("digits-mlp-relu"), { measures, ...options });

  test.each([
    [{}, 1.1865801, truth.l2["sq_all_weights_without_biases"]!],
    [{ biases: true }, 1.1356467, truth.l2["sq_all_parameters_with_biases"]!],
  ])("%o", async (options, fisherRao, norm) => {
    const measured = await measure(options);
    const row = networkRow(measured, "fisher-rao-norm");
    expect(relativeError(row.value, fisherRao)).toBeLessThan(TYPICAL);
    expect(row).toMatchObject({ method: "directional-derivative", curvature: null, n: 64, options });
    expect(relativeError(networkRow(measured, "squared-weight-norm").value, norm)).toBeLessThan(NORM);
  });

  test.each([
    [undefined, 3, "value_prefactor_weight_layers_3"],
    [1, 1, "value_prefactor_1"],
    [4, 4, "value_prefactor_weight_layers_plus_1_4"],
  ])("closed form, --prefactor %s", async (prefactor, used, key) => {
    const row = networkRow(await measure(prefactor === undefined ? {} : { prefactor }), "fisher-rao-closed-form");
    expect(relativeError(row.value, truth.fisher_rao[key]!)).toBeLessThan(TYPICAL);
    expect(row.options).toEqual({ prefactor: used });
  });

  test("loss and accuracy as rows are what stands at the head", async () => {
    const measured = await measure({ perSample: true });
    const { loss } = measured.result;
    expect(networkRow(measured, "loss")).toMatchObject({ value: loss.value, method: "forward" });
    expect(networkRow(measured, "loss").standardError).toEqual({ data: loss.standardError, probe: 0 });
    expect(networkRow(measured, "accuracy").value).toBe(loss.accuracy);
    const samples = measured.perSample.find((one) => one.measure === "loss")!;
    expect(samples.layer).toBeNull();
    expect(relativeError(samples.values.reduce((sum, value) => sum + value, 0) / 64, loss.value)).toBeLessThan(TYPICAL);
  });
});

/** Two hidden layers, with biases or without, and an activation. */
function mlp(from: number, { activation = "Relu", biases = true } = {}): Sketched {
  const s = new Sketch(from, [6]);
  const dense = (x: string, name: string, d: number, m: number) =>
    s.op("Gemm", [x, s.rows(name, [d, m]), ...(biases ? [s.random(`${name}.bias`, [d])] : [])], { transB: 1 });
  const a = s.op(activation, [dense("x", "a", 5, 6)]);
  const b = s.op(activation, [dense(a, "b", 5, 5)]);
  return s.done(dense(b, "c", 4, 5), 24);
}

function convolutional(from: number): Sketched {
  const s = new Sketch(from, [2, 6, 6]);
  const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [4, 2, 3, 3]), s.random("a.bias", [4])])]);
  const pooled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
  return s.done(s.op("MatMul", [s.op("Flatten", [pooled]), s.columns("b", 16, 3)]), 8);
}

/** ℓ_i with some constants over t times themselves at t = 1 + s. */
function lossesAlong(net: Sketched, loss: string, ids: readonly string[], scale: number): number[] {
  const given = new Map(
    ids.map((id) => {
      const { dims, data } = constantOf(net.graph.constants.get(id)!);
      return [id, { dims, data: data.map((value) => value * scale) }];
    }),
  );
  const outputs = run(net.graph, new Map([["x", net.x], ...given])).get(net.graph.outputs[0]!.name)!;
  const width = outputs.dims[1]!;
  const { value } = losses64.find(({ name }) => name === loss)!;
  return Array.from({ length: outputs.dims[0]! }, (_, sample) =>
    value(outputs.data.slice(sample * width, (sample + 1) * width), Float64Array.from(targetsOf(net, loss, sample))),
  );
}

/** √ mean ⟨θ, ∇ℓ_i⟩², and its standard error by the first-order rule, from differences in float64. */
function fisherRao64(net: Sketched, loss: string, ids: readonly string[]) {
  const step = 1e-6;
  const [up, down] = [lossesAlong(net, loss, ids, 1 + step), lossesAlong(net, loss, ids, 1 - step)];
  const squares = up.map((value, sample) => ((value - down[sample]!) / (2 * step)) ** 2);
  const n = squares.length;
  const mean = squares.reduce((sum, value) => sum + value, 0) / n;
  const variance = squares.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { value: Math.sqrt(mean), error: Math.sqrt(variance / n) / (2 * Math.sqrt(mean)) };
}

describe("Fisher-Rao norm against differences in float64", () => {
  const tanh = mlp(3, { activation: "Tanh" });
  test.each([
    ["ReLU", mlp(2), "cross-entropy", ["a.weight", "b.weight", "c.weight"], {}],
    [
      "biases too",
      mlp(2),
      "cross-entropy",
      ["a", "b", "c"].flatMap((l) => [`${l}.weight`, `${l}.bias`]),
      { biases: true },
    ],
    ["tanh", tanh, "cross-entropy", ["a.weight", "b.weight", "c.weight"], {}],
    ["squared error", tanh, "squared-error-mean", ["a.weight", "b.weight", "c.weight"], {}],
    ["convolution", convolutional(4), "cross-entropy", ["a.weight", "b.weight"], {}],
    [
      "convolution with its bias",
      convolutional(4),
      "cross-entropy",
      ["a.weight", "a.bias", "b.weight"],
      { biases: true },
    ],
  ] as const)("%s", async (_, net, loss, ids, options) => {
    const measured = await measureSketch(net, loss, { measures: ["fisher-rao-norm"], ...options });
    const { value, error } = fisherRao64(net, loss, ids);
    const row = networkRow(measured, "fisher-rao-norm");
    expect(relativeError(row.value, value)).toBeLessThan(TYPICAL);
    expect(relativeError(row.standardError!.data!, error)).toBeLessThan(TYPICAL);
  });

  test("the closed form is equal without biases, and not with them", async () => {
    const both = async (net: Sketched) => {
      const measured = await measureSketch(net, "cross-entropy", {
        measures: ["fisher-rao-norm", "fisher-rao-closed-form"],
      });
      return ["fisher-rao-norm", "fisher-rao-closed-form"].map((name) => networkRow(measured, name).value) as [
        number,
        number,
      ];
    };
    const [norm, closed] = await both(mlp(5, { biases: false }));
    expect(relativeError(closed, norm)).toBeLessThan(TYPICAL);
    const [other, unequal] = await both(mlp(5));
    expect(relativeError(unequal, other)).toBeGreaterThan(CHANGED);
  });
});

test("gradient norm against differences in float64, of layers and all together", async () => {
  const net = convolutional(6);
  const measured = await measureSketch(net, "cross-entropy", { measures: ["gradient-norm"], biases: true, batch: 3 });
  const squares = ["a.weight", "a.bias", "b.weight"].map((id) => {
    const tensor = net.graph.constants.get(id)!;
    const at = (place: number, change: number) => {
      const moved = Float64Array.from(tensor.numbers());
      moved[place]! += change;
      const outputs = run(
        net.graph,
        new Map([
          ["x", net.x],
          [id, { dims: tensor.dims, data: moved }],
        ]),
      ).get(net.graph.outputs[0]!.name)!;
      const [n, width] = outputs.dims as [number, number];
      let sum = 0;
      for (let sample = 0; sample < n; sample++) {
        const own = outputs.data.slice(sample * width, (sample + 1) * width);
        sum += losses64[0]!.value(own, Float64Array.from(targetsOf(net, "cross-entropy", sample))) / n;
      }
      return sum;
    };
    return Array.from({ length: tensor.size }, (_, place) => ((at(place, 1e-6) - at(place, -1e-6)) / 2e-6) ** 2).reduce(
      (sum, value) => sum + value,
      0,
    );
  });
  const [a, bias, b] = squares as [number, number, number];
  expect(relativeError(rowOf(measured, "a", "gradient-norm").value, Math.sqrt(a))).toBeLessThan(TYPICAL);
  expect(relativeError(rowOf(measured, "b", "gradient-norm").value, Math.sqrt(b))).toBeLessThan(TYPICAL);
  const whole = networkRow(measured, "gradient-norm");
  expect(relativeError(whole.value, Math.sqrt(a + bias + b))).toBeLessThan(TYPICAL);
  expect(whole).toMatchObject({ standardError: null, method: "gradient", options: { biases: true } });
});

describe("distances from initial weights", () => {
  const net = mlp(8);
  const initial = rewritten(net, {
    "a.weight": (value, [row]) => value + (row === 0 ? 0.5 : 0),
    "c.bias": (value) => value - 2,
  });
  const init = { file: "init.onnx", graph: initial.graph };

  test("of layers and of the network, beside the norms", async () => {
    const measured = await measureSketch(net, "cross-entropy", {
      measures: ["squared-weight-norm"],
      init,
      biases: true,
    });
    const of = (layer: string) =>
      measured.result.results.filter((row) => row.layer === layer).map(({ value, options }) => [value, options]);
    const norm = rowOf(measured, "a", "squared-weight-norm").value;
    const rounded = net.graph.constants.get("a.weight")!.numbers().slice(0, 6);
    const moved = Array.from(rounded, (value) => Math.fround(value + 0.5) - value);
    const squared = moved.reduce((sum, value) => sum + value ** 2, 0);
    expect(of("a")).toEqual([
      [norm, {}],
      [expect.closeTo(squared, 9), { from: "init.onnx" }],
    ]);
    expect(of("b")[1]).toEqual([0, { from: "init.onnx" }]);
    expect(networkRow(measured, "squared-weight-norm", "init.onnx").value).toBeCloseTo(squared + 4 * 4, 4);
  });

  test("weights of another size, or none of the name", async () => {
    const constants = new Map(initial.graph.constants).set("b.weight", Tensor.float32([1, 2], [0, 0]));
    const other = { file: "init.onnx", graph: { ...initial.graph, constants } };
    const options = { measures: ["squared-weight-norm"], init: other };
    await expect(measureSketch(net, "cross-entropy", options)).rejects.toThrow(
      "init.onnx: expected the weights b.weight of 5×5 that the model has, its b.weight is 1×2.",
    );
    constants.delete("b.weight");
    await expect(measureSketch(net, "cross-entropy", options)).rejects.toThrow("it has no b.weight.");
  });
});

describe("the generalization gap", () => {
  const net = mlp(9);
  const measured = async (options: MeasureOptions) => measureSketch(net, "cross-entropy", options);

  test("is the difference of two means, with the errors of both", async () => {
    const data = datasetOf(net, "cross-entropy");
    const indices = Int32Array.from([1, 2, 3, 5, 8, 13, 21]);
    const test = { data, indices, description: "" };
    const [whole, part] = [await measured({ test }), await measureAll(modelOf(net.graph), data, {}, indices)];
    const row = networkRow(whole, "generalization-gap");
    expect(row.value).toBeCloseTo(part.result.loss.value - whole.result.loss.value, 6);
    const error = Math.hypot(part.result.loss.standardError!, whole.result.loss.standardError!);
    expect(row.standardError!.data).toBeCloseTo(error, 6);
    expect(whole.result.test).toMatchObject({ source: "sketch", n: 7, loss: { accuracy: part.result.loss.accuracy } });
    expect(whole.result.test!.loss.value).toBeCloseTo(part.result.loss.value, 6);
  });

  test("without test data it is not measured, and says why", async () => {
    const { result } = await measured({ measures: ["loss", "generalization-gap"] });
    expect(result.skipped).toEqual([
      { measure: "generalization-gap", reason: "expected data to test on; --test gives it" },
    ]);
    await expect(measured({ measures: ["generalization-gap"] })).rejects.toThrow(
      "measure generalization-gap: expected data to test on; --test gives it",
    );
  });

  test("test samples of another shape", async () => {
    const other = new Sketch(1, [7]);
    const data = datasetOf(other.done(other.op("Identity", ["x"]), 3), "cross-entropy");
    const test = { data, indices: Int32Array.of(0), description: "" };
    await expect(measured({ test })).rejects.toThrow(/expects samples of shape \[6\], array x has \[7\]/);
  });
});

test("a regression has no accuracy, and no noise lowers it", async () => {
  const measures = ["loss", "accuracy", "pac-bayes-flatness"];
  const { result } = await measureSketch(mlp(2), "squared-error-mean", { measures });
  expect(result.skipped).toEqual([
    { measure: "accuracy", reason: "loss squared-error-mean has no accuracy" },
    { measure: "pac-bayes-flatness", reason: "loss squared-error-mean has no accuracy for noise to lower" },
  ]);
});
