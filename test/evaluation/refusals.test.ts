import { describe, expect, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { listModelLayers } from "../../src/evaluation/list-layers.ts";
import { relativeError, rowOf } from "../golden-model.ts";
import { measureSketch, modelOf } from "../sketch-data.ts";
import { rewritten } from "../rewritten.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** The same graph on the same numbers. */
const SAME = 1e-7;

/** 4 → 5 → 5 → 3 with something between the second and the last. */
function through(middle: (s: Sketch, value: string) => string): Sketched {
  const s = new Sketch(81, [4]);
  const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
  const b = middle(s, s.op("Gemm", [a, s.rows("b", [5, 5])], { transB: 1 }));
  return s.done(s.op("Gemm", [b, s.rows("c", [3, 5])], { transB: 1 }), 40);
}

describe("a layer that cannot be measured is skipped, and the rest is measured", () => {
  test("below an operator without a rule", async () => {
    const net = through((s, value) =>
      s.op("Flatten", [s.op("GlobalLpPool", [s.op("Unsqueeze", [value, s.integers(-1)])])]),
    );
    const measured = await measureSketch(net, "cross-entropy");
    const reason = "no derivative rule for operator GlobalLpPool of node GlobalLpPool_4 (GlobalLpPool) above it";
    expect(measured.result.layers.map(({ name, skipped }) => [name, skipped])).toEqual([
      ["a", reason],
      ["b", reason],
      ["c", undefined],
    ]);
    expect(measured.result.results.map(({ layer, measure }) => [layer, measure])).toEqual([
      ["a", "squared-weight-norm"],
      ["b", "squared-weight-norm"],
      ["c", "relative-flatness"],
      ["c", "hessian-trace"],
      ["c", "squared-weight-norm"],
      [null, "squared-weight-norm"],
    ]);
    expect(rowOf(measured, "c", "relative-flatness").value).toBeGreaterThan(0);
    const { layers } = listModelLayers(modelOf(net.graph), undefined);
    expect(layers.map(({ method }) => method)).toEqual([null, null, "closed-form"]);
  });

  test("behind an operator of another domain, whose shape nobody knows", () => {
    const net = through((s, value) => s.op("Relu", [value]));
    const nodes = net.graph.nodes.map((node) => (node.name === "Relu_3" ? { ...node, domain: "com.example" } : node));
    const { layers } = listModelLayers(
      modelOf({ ...net.graph, nodes, domains: new Map([["com.example", 1]]) }),
      undefined,
    );
    expect(layers.map(({ name, method }) => [name, method])).toEqual([
      ["a", null],
      ["b", null],
      ["c", null],
    ]);
    expect(layers[2]?.reason).toBe("the shape of Relu_3_out is unknown, as an operator before it has no shape rule");
  });

  test("a weight that is applied again to what comes of it", async () => {
    const s = new Sketch(82, [4]);
    const w = s.rows("a", [4, 4]);
    const once = s.op("Relu", [s.op("Gemm", ["x", w], { transB: 1 })]);
    const twice = s.op("Relu", [s.op("Gemm", [once, w], { transB: 1 })]);
    const net = s.done(s.op("Gemm", [twice, s.rows("c", [3, 4])], { transB: 1 }), 40);
    const measured = await measureSketch(net, "cross-entropy");
    expect(measured.result.layers[0]?.skipped).toBe(
      "node Gemm_2 (Gemm) applies the same weight again to what comes of it, so that its Hessian is not the Gauss-Newton matrix; --curvature gauss-newton measures the latter",
    );
    const forced = await measureSketch(net, "cross-entropy", { curvature: "gauss-newton" });
    const warnings = forced.result.warnings.filter(({ code }) => code.startsWith("gauss-newton"));
    expect(warnings.map(({ code, layer, text }) => [code, layer, text])).toEqual([
      [
        "gauss-newton-is-not-hessian",
        "a",
        "the Gauss-Newton matrix was measured; node Gemm_2 (Gemm) applies the same weight again, so that the Hessian of the definition differs",
      ],
    ]);
  });

  // Four tokens of three numbers. Batches of 4 and 1 would hide it, were only one size looked at.
  test.each([1, 2, 4, 16])("samples are not the first axis, batch %d", async (batch) => {
    const s = new Sketch(83, [4, 3]);
    const turned = s.op("Transpose", ["x"], { perm: [1, 2, 0] });
    const a = s.op("Relu", [s.op("Conv", [turned, s.rows("a", [2, 3, 1])])]);
    const flat = s.op("Flatten", [s.op("Transpose", [a], { perm: [2, 0, 1] })]);
    const net = s.done(s.op("Gemm", [flat, s.rows("c", [3, 8])], { transB: 1 }), 40);
    const measured = await measureSketch(net, "cross-entropy", { batch });
    expect(measured.result.layers.map(({ name, skipped }) => [name, skipped !== undefined])).toEqual([
      ["a", true],
      ["c", false],
    ]);
    expect(measured.result.layers[0]?.skipped).toMatch(
      /^value Transpose_0_out of shape \[4, 3, \d+\] does not have the samples as its first axis$/,
    );
  });

  test("maps of all samples in one axis", async () => {
    const s = new Sketch(84, [4, 3]);
    const tokens = s.op("Reshape", ["x", s.integers(-1, 3, 1)]);
    const a = s.op("Relu", [s.op("Conv", [tokens, s.rows("a", [5, 3, 1])])]);
    const net = s.done(
      s.op("Gemm", [s.op("Reshape", [a, s.integers(-1, 20)]), s.rows("c", [3, 20])], { transB: 1 }),
      40,
    );
    const measured = await measureSketch(net, "cross-entropy");
    expect(measured.result.layers[0]?.skipped).toBe(
      "value Reshape_0_out of shape [4, 3, 1] does not have the samples as its first axis",
    );
    expect(rowOf(measured, "c", "relative-flatness").method).toBe("closed-form");
  });
});

describe("a model whose numbers are none", () => {
  const net = through((s, value) => s.op("Relu", [value]));

  test("NaN in a weight", async () => {
    const broken = rewritten(net, {
      "b.weight": (value, [row, column]) => (row === 1 && column === 2 ? Number.NaN : value),
    });
    await expect(measureSketch(broken, "cross-entropy")).rejects.toThrow(
      new ModelError("sketch.onnx: weight b.weight has NaN at element 7; expected numbers: did training diverge?"),
    );
  });

  test("a loss that is NaN or infinite", async () => {
    const huge = rewritten(net, {
      "a.weight": () => 1e38,
      "b.weight": () => 1e38,
      "c.weight": (_, [row]) => (row === 0 ? -1e38 : 1e38),
    });
    await expect(measureSketch(huge, "cross-entropy")).rejects.toThrow(
      /^sketch\.onnx: the loss on sketch is (NaN|Infinity); expected a finite number: are the outputs raw scores, and is the input scaled as in training\?$/,
    );
  });
});

test("names of the model that look like ours are no matter", async () => {
  const net = through((s, value) => s.op("Relu", [value]));
  const renamed = (name: string) => ({ Relu_1_out: "loss", Gemm_2_out: "correct" })[name] ?? name;
  const nodes = net.graph.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(renamed),
  }));
  const [same, expected] = [
    await measureSketch({ ...net, graph: { ...net.graph, nodes } }, "cross-entropy"),
    await measureSketch(net, "cross-entropy"),
  ];
  for (const row of expected.result.results) {
    expect(relativeError(rowOf(same, row.layer!, row.measure).value, row.value)).toBeLessThan(SAME);
  }
});
