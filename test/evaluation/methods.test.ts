import { describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { columnCost } from "../../src/evaluation/cost.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import type { Layer } from "../../src/graph/layers.ts";
import { goldenBatch, goldenModel, goldenTruth, measureAll, relativeError, rowOf } from "../golden-model.ts";
import { measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** float32 against float64: as the golden tests. */
const TYPICAL = 1e-5;

/** 6 → 8 → C. */
function classifier(classes: number): Sketched {
  const s = new Sketch(52, [6]);
  const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [8, 6])], { transB: 1 })]);
  return s.done(s.op("Gemm", [a, s.rows("b", [classes, 8])], { transB: 1 }), 4);
}

describe("auto", () => {
  test("is exact below 32 forward passes, and an estimate above", async () => {
    const few = await measureSketch(classifier(20), "cross-entropy");
    const many = await measureSketch(classifier(200), "cross-entropy");
    expect(rowOf(few, "a", "relative-flatness")).toMatchObject({
      method: "gauss-newton-exact",
      standardError: { probe: 0 },
    });
    expect(rowOf(many, "a", "relative-flatness").method).toBe("gauss-newton-probes");
    expect(rowOf(many, "a", "relative-flatness").standardError!.probe).toBeGreaterThan(0);
    for (const measured of [few, many]) expect(rowOf(measured, "b", "relative-flatness").method).toBe("closed-form");
  });

  test("looks at the layers that are asked for: the last costs one pass whatever the classes", async () => {
    const many = await measureSketch(classifier(200), "cross-entropy", { layers: "last" });
    expect(many.result.results.map(({ layer }) => layer)).toEqual(["b", "b", "b"]);
    expect(rowOf(many, "b", "relative-flatness").method).toBe("closed-form");
  });

  test("squared errors have nothing to gain from an estimate", async () => {
    const measured = await measureSketch(classifier(200), "squared-error-sum");
    expect(rowOf(measured, "a", "relative-flatness").method).toBe("gauss-newton-exact");
  });

  test("nor have three or four classes, even when probes are asked for", async () => {
    for (const classes of [2, 3, 4]) {
      const measured = await measureSketch(classifier(classes), "cross-entropy", { method: "probes" });
      expect(rowOf(measured, "a", "relative-flatness").method).toBe("gauss-newton-exact");
    }
    const measured = await measureSketch(classifier(5), "cross-entropy", { method: "probes" });
    expect(rowOf(measured, "a", "relative-flatness").method).toBe("gauss-newton-probes");
  });
});

/** `positions` rows, each for itself 64 → tanh 64 → tanh 64 → 16 classes, relative flatness. */
function rowByRow(positions: number, options: MeasureOptions = {}) {
  const s = new Sketch(54, [positions, 64]);
  const a = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 64, 64)])]);
  const b = s.op("Tanh", [s.op("MatMul", [a, s.columns("b", 64, 64)])]);
  const { graph, x } = s.done(s.op("MatMul", [b, s.columns("c", 64, 16)]), 24);
  const y = BigInt64Array.from({ length: 24 * positions }, (_, row) => BigInt(row % 16));
  const data = arrayDataset({ source: "sketch", sha256: "" }, [
    { name: "x", type: "float32", dims: x.dims, data: Float32Array.from(x.data) },
    { name: "y", type: "int64", dims: [24, positions], data: y },
  ]);
  return measureAll(modelOf(graph), data, { measures: ["relative-flatness"], ...options });
}

describe("auto, where a smooth network serves each position for itself", () => {
  test("sweeps while that is no dearer than 40 forward passes", async () => {
    const [measured, exact] = [await rowByRow(16), await rowByRow(16, { method: "exact" })];
    const methods = measured.result.results.map(({ method }) => method);
    expect(methods).toEqual(["taylor-probes", "taylor-exact", "closed-form"]);
    const [estimated, swept] = [measured, exact].map((each) => rowOf(each, "a", "relative-flatness"));
    expect(swept!.method).toBe("taylor-exact");
    const error = estimated!.standardError!.probe!;
    expect(error).toBeGreaterThan(0);
    expect(error).toBeLessThan(0.3 * swept!.value);
    expect(Math.abs(estimated!.value - swept!.value)).toBeLessThan(4 * error);
  });

  test("and always where each position's directions are few all the same", async () => {
    expect(rowOf(await rowByRow(8), "a", "relative-flatness").method).toBe("taylor-exact");
  });
});

test("predicted cost by hand: a pass, and each column through what is above and the products", () => {
  const layer = (d: number, m: number, positions: number) => ({ d, m, positions, groups: 1 }) as Layer;
  const all = [layer(4, 10, 1), layer(5, 4, 1), layer(3, 5, 1)];
  // Forward 40 + 20 + 15 = 75. The lowest layer: columns through 20 + 15, products 40.
  expect(columnCost(all, [all[0]!], 9)).toBeCloseTo(1 + (9 * (35 + 40)) / 75, 12);
  expect(columnCost(all, [all[2]!], 9)).toBeCloseTo(1 + (9 * 15) / 75, 12);
});

describe("--curvature gauss-newton", () => {
  test("is the Hessian where the network above is piecewise linear", async () => {
    const folder = "digits-mlp-relu";
    const measured = await measureAll(goldenModel(folder), goldenBatch(folder), { curvature: "gauss-newton" });
    for (const { initializer, kappa_ggn } of goldenTruth(folder).layers) {
      const row = rowOf(measured, initializer.replace(".weight", ""), "relative-flatness");
      expect(row.curvature).toBe("gauss-newton");
      expect(relativeError(row.value, kappa_ggn)).toBeLessThan(TYPICAL);
    }
    expect(measured.result.warnings.filter(({ code }) => code.startsWith("gauss-newton"))).toEqual([]);
  });

  test("is measured, and warned of, where a product of branches makes it another", async () => {
    const s = new Sketch(53, [4]);
    const a = s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 });
    const net = s.done(s.op("Gemm", [s.op("Mul", [a, a]), s.rows("b", [3, 5])], { transB: 1 }), 40);
    const hessian = rowOf(await measureSketch(net, "cross-entropy"), "a", "relative-flatness");
    expect(hessian).toMatchObject({ method: "taylor-exact", curvature: "hessian" });
    const measured = await measureSketch(net, "cross-entropy", { curvature: "gauss-newton" });
    const forced = rowOf(measured, "a", "relative-flatness");
    expect(forced.method).toBe("gauss-newton-exact");
    // Two routes to the Gauss-Newton part: columns pulled back, and the sweep's own.
    expect(relativeError(hessian.gaussNewton!.value, forced.value)).toBeLessThan(TYPICAL);
    expect(relativeError(hessian.value, forced.value)).toBeGreaterThan(0.05);
    expect(measured.result.warnings).toEqual([
      {
        code: "gauss-newton-is-not-hessian",
        layer: "a",
        text: "the Gauss-Newton matrix was measured; operator Mul above the layer is smooth, so that the Hessian of the definition differs",
      },
    ]);
  });
});

describe("layers by name", () => {
  const folder = "lenet5-fashion/net00-batch64";
  const [model, data] = [goldenModel(folder), goldenBatch(folder)];
  const some = Int32Array.of(0, 1, 2);

  test("layer, initializer, node or name with .weight, in the model's order", async () => {
    const layers = ["fc1.weight", "conv1", "/conv2/Conv"];
    const measured = await measureAll(model, data, { layers, measures: ["squared-weight-norm"] }, some);
    expect(measured.result.layers.map(({ name }) => name)).toEqual(["conv1", "conv2", "fc1"]);
  });

  test("one that does not exist", async () => {
    await expect(measureAll(model, data, { layers: ["fc9"] }, some)).rejects.toThrow(
      "layer fc9: no such layer. The model has: conv1, conv2, fc1, fc2, fc3.",
    );
  });
});
