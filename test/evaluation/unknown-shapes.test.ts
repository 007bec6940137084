import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { npzBytes } from "../../src/data/npz.ts";
import { ModelError, UnsupportedOperatorError } from "../../src/errors.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import type { Result } from "../../src/evaluation/result.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { encodeModel } from "../../src/graph/onnx.ts";
import { measureAll, rowOf } from "../golden-model.ts";
import { modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** float32 of two graphs for the same numbers, other kernels. */
const SAME = 1e-5;

const root = resolve(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "flatness-unknown-"));
afterAll(() => rmSync(folder, { recursive: true }));

const [T, H] = [4, 3];

/** Tokens → dense → LSTM → ReLU of a dense layer → dense. */
function recurrent(): Sketched {
  const s = new Sketch(501, [T, 3]);
  const a = s.op("MatMul", ["x", s.columns("a", 3, 3)]);
  const weights = [s.random("l.w", [1, 4 * H, 3], 0.5), s.random("l.r", [1, 4 * H, H], 0.5)];
  const turned = s.op("Transpose", [a], { perm: [1, 0, 2] });
  const y = s.op("LSTM", [turned, ...weights], { hidden_size: H });
  const last = s.op("Slice", [y, s.integers(T - 1), s.integers(T), s.integers(0)]);
  const h = s.op("Reshape", [last, s.integers(-1, H)]);
  const b = s.op("Relu", [s.op("Gemm", [h, s.rows("b", [5, H])], { transB: 1 })]);
  return s.done(s.op("Gemm", [b, s.rows("c", [3, 5])], { transB: 1 }), 40);
}

/** 4 → 5 → 5 → 3 with one Sigmoid that is replaced by an operator of the runtime's own, which nobody else knows. */
function foreign(): { net: Sketched; known: Graph } {
  const s = new Sketch(502, [4]);
  const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
  const gate = s.op("Mul", [a, s.op("Sigmoid", [a])]);
  const b = s.op("Relu", [s.op("Gemm", [gate, s.rows("b", [5, 5])], { transB: 1 })]);
  const net = s.done(s.op("Gemm", [b, s.rows("c", [3, 5])], { transB: 1 }), 40);
  const { graph } = net;
  const nodes = graph.nodes
    .filter(({ op }) => op !== "Sigmoid")
    .map((node) =>
      node.op === "Mul"
        ? { ...node, op: "QuickGelu", domain: "com.microsoft", inputs: [a], attributes: { alpha: one } }
        : node,
    );
  return { net: { ...net, graph: { ...graph, nodes, domains: new Map([["com.microsoft", 1]]) } }, known: graph };
}

/** The samples with three labels in turn. */
function arraysOf({ x }: Sketched) {
  const n = x.dims[0]!;
  const labels = BigInt64Array.from({ length: n }, (_, index) => BigInt(index % 3));
  return {
    x: { type: "float32" as const, dims: x.dims, data: Float32Array.from(x.data) },
    y: { type: "int64" as const, dims: [n], data: labels },
  };
}

function measureNet(net: Sketched, options: MeasureOptions = {}) {
  const { x, y } = arraysOf(net);
  const arrays = [
    { name: "x", ...x },
    { name: "y", ...y },
  ];
  return measureAll(modelOf(net.graph), arrayDataset({ source: "sketch", sha256: "" }, arrays), options);
}

const one = { kind: "float", value: 1 } as const;

describe("an operator without a shape rule: the model is run once", () => {
  const reason = "no derivative rule for operator LSTM of node LSTM_2 (LSTM) above it";

  test.each([undefined, 1, 7, 40])("an LSTM below dense layers, in batches of %s", async (batch) => {
    const net = recurrent();
    const measured = await measureNet(net, { batch });
    expect(measured.result.layers.map(({ name, skipped }) => [name, skipped])).toEqual([
      ["a", reason],
      ["b", undefined],
      ["c", undefined],
    ]);
    const methods = ["b", "c"].map((name) => rowOf(measured, name, "relative-flatness").method);
    expect(methods).toEqual(["gauss-newton-exact", "closed-form"]);
    const alone = await measureNet(net, { batch: 16 });
    for (const { layer, measure, value } of alone.result.results) {
      expect(Math.abs(rowOf(measured, layer!, measure).value / value - 1)).toBeLessThan(SAME);
    }
  });

  test("an operator of the runtime's own: what is above it has the values that it has below a known one", async () => {
    const { net, known } = foreign();
    const measured = await measureNet(net);
    const expected = await measureNet({ ...net, graph: known });
    expect(measured.result.layers[0]?.skipped).toBe(
      "no derivative rule for operator QuickGelu of node Mul_3 (com.microsoft.QuickGelu) above it",
    );
    expect(measured.result.loss.value).toBeCloseTo(expected.result.loss.value, 5);
    for (const name of ["b", "c"]) {
      for (const measure of ["relative-flatness", "hessian-trace"]) {
        const [found, truth] = [measured, expected].map((each) => rowOf(each, name, measure));
        expect(found!.method).toBe(truth!.method);
        expect(Math.abs(found!.value / truth!.value - 1)).toBeLessThan(SAME);
      }
    }
  });

  test("in a model exported for one batch size: what to do", async () => {
    const exportedFor = (size: number): Sketched => {
      const net = recurrent();
      return { ...net, graph: { ...net.graph, inputs: [{ name: "x", type: "float32", dims: [size, T, 3] }] } };
    };
    const sentence = (size: number) =>
      `the model was exported for batches of ${size}, and the shape of LSTM_2_out at another size is unknown, as its operator has no shape rule: export it with a dynamic batch size`;
    await expect(measureNet(exportedFor(2))).rejects.toThrow(new ModelError(sentence(2)));
    await expect(measureNet(exportedFor(1))).rejects.toThrow(new ModelError(`${sentence(1)}, or use --batch 1`));
    const [fixed, free] = [await measureNet(exportedFor(1), { batch: 1 }), await measureNet(recurrent())];
    for (const { layer, measure, value } of free.result.results) {
      expect(Math.abs(rowOf(fixed, layer!, measure).value / value - 1)).toBeLessThan(SAME);
    }
  });

  test("nothing of what was asked for: an error with the reason", async () => {
    await expect(measureNet(recurrent(), { layers: ["a"] })).rejects.toThrow(
      new UnsupportedOperatorError(`layer a: ${reason}`),
    );
    // A norm alone needs no derivative.
    const norm = await measureNet(recurrent(), {
      layers: ["a"],
      measures: ["squared-weight-norm"],
    });
    expect(norm.result.results).toHaveLength(1);
  });

  test("each layer's reason once; for want of a rule or not", async () => {
    const s = new Sketch(503, [4]);
    const used = s.op("Gemm", ["x", s.rows("a", [3, 4])], { transB: 1 });
    s.op("Gemm", [used, s.rows("b", [3, 3])], { transB: 1 });
    s.op("Gemm", [used, s.rows("c", [3, 3])], { transB: 1 });
    await expect(measureNet(s.done(used, 3), { layers: ["b", "c"] })).rejects.toThrow(
      new ModelError("layer b: the outputs do not depend on it; layer c: the outputs do not depend on it"),
    );
  });
});

describe("the command line", () => {
  const net = recurrent();
  const [model, data] = [join(folder, "lstm.onnx"), join(folder, "batch.npz")];
  writeFileSync(model, encodeModel(net.graph));
  writeFileSync(data, npzBytes(arraysOf(net)));
  const flatness = (...args: string[]) =>
    spawnSync(process.execPath, ["bin/flatness.js", "measure", model, "--data", data, ...args], {
      cwd: root,
      encoding: "utf8",
    });

  test("measures the layers above an LSTM: exit code 0", () => {
    const { status, stdout, stderr } = flatness("--format", "json");
    expect(status, stderr).toBe(0);
    const { layers } = JSON.parse(stdout) as Result;
    expect(layers.map(({ skipped }) => skipped === undefined)).toEqual([false, true, true]);
  });

  test("asked for nothing but the layer below: one sentence, exit code 2", () => {
    const { status, stdout, stderr } = flatness("--layers", "a");
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toBe("error: layer a: no derivative rule for operator LSTM of node LSTM_2 (LSTM) above it\n");
  });
});
