import { describe, expect, test } from "vitest";
import { DataError, ModelError, UsageError } from "../../src/errors.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { measureAll, relativeError, rowOf } from "../golden-model.ts";
import { datasetOf, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** The same graph on the same numbers. */
const SAME = 1e-7;

/** 4 → 5 → 3, with what comes after the scores. */
function ending(end: (s: Sketch, scores: string) => string): { net: Sketched; scores: string } {
  const s = new Sketch(71, [4]);
  const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
  const scores = s.op("Gemm", [a, s.rows("b", [3, 5])], { transB: 1 });
  return { net: s.done(end(s, scores), 40), scores };
}

const plain = ending((_, scores) => scores).net;
const data = datasetOf(plain, "cross-entropy");

describe("a trailing activation, which the loss contains itself", () => {
  test.each<[string, string, (s: Sketch, scores: string) => string]>([
    ["Softmax", "Softmax", (s, scores) => s.op("Softmax", [scores], { axis: -1 })],
    ["Softmax along axis 1", "Softmax", (s, scores) => s.op("Softmax", [scores], { axis: 1 })],
    ["LogSoftmax", "LogSoftmax", (s, scores) => s.op("LogSoftmax", [scores])],
    ["Sigmoid", "Sigmoid", (s, scores) => s.op("Sigmoid", [scores])],
    ["Softmax and Identity", "Softmax", (s, scores) => s.op("Identity", [s.op("Softmax", [scores])])],
    [
      "Softmax as old operator sets have it, a Flatten before and a Reshape behind",
      "Softmax",
      (s, scores) => s.op("Reshape", [s.op("Softmax", [s.op("Flatten", [scores])]), s.integers(-1, 3)]),
    ],
  ])("%s", async (_, activation, end) => {
    const { net, scores } = ending(end);
    const [measured, expected] = [
      await measureAll(modelOf(net.graph), data),
      await measureAll(modelOf(plain.graph), data),
    ];
    for (const row of expected.result.results) {
      expect(relativeError(rowOf(measured, row.layer!, row.measure).value, row.value)).toBeLessThan(SAME);
      expect(rowOf(measured, row.layer!, row.measure).method).toBe(row.method);
    }
    expect(measured.result.model).toMatchObject({ output: net.graph.outputs[0]!.name, activation });
    expect(measured.result.warnings).toEqual([
      {
        code: "trailing-activation",
        text: `the model ends in ${activation}; its input ${scores} was taken as the raw outputs`,
      },
    ]);
    expect(expected.result.warnings).toEqual([]);
    expect(expected.result.model.activation).toBeUndefined();
  });

  test("is measured as it is under squared errors, which do not contain it", async () => {
    const { net } = ending((s, scores) => s.op("Sigmoid", [scores]));
    const numbers = datasetOf(plain, "squared-error-mean");
    const measured = await measureAll(modelOf(net.graph), numbers);
    const raw = await measureAll(modelOf(plain.graph), numbers);
    expect(measured.result.model.activation).toBeUndefined();
    expect(measured.result.loss.value).not.toBeCloseTo(raw.result.loss.value, 3);
  });
});

describe("--output", () => {
  const { net, scores } = ending((s, z) => s.op("Neg", [z]));
  const graph: Graph = {
    ...net.graph,
    outputs: [...net.graph.outputs, { name: scores, type: "float32", dims: undefined }],
  };

  test("the first unless another is named", async () => {
    const [negative, chosen] = [
      await measureAll(modelOf(graph), data),
      await measureAll(modelOf(graph), data, { output: scores }),
    ];
    const expected = await measureAll(modelOf(plain.graph), data);
    expect(relativeError(chosen.result.loss.value, expected.result.loss.value)).toBeLessThan(SAME);
    expect(relativeError(negative.result.loss.value, expected.result.loss.value)).toBeGreaterThan(0.01);
    expect(rowOf(chosen, "b", "relative-flatness").method).toBe("closed-form");
    expect(rowOf(negative, "b", "relative-flatness").method).toBe("gauss-newton-exact");
  });

  test("one that does not exist", async () => {
    await expect(measureAll(modelOf(graph), data, { output: "logits" })).rejects.toThrow(
      new UsageError(`output logits: no such output; the model has ${net.graph.outputs[0]!.name}, ${scores}`),
    );
  });

  test("layers that only another output depends on are skipped", async () => {
    const s = new Sketch(72, [4]);
    const hidden = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
    const other = s.op("Gemm", [hidden, s.rows("other", [2, 5])], { transB: 1 });
    const two = s.done(s.op("Gemm", [hidden, s.rows("b", [3, 5])], { transB: 1 }), 1).graph;
    const measured = await measureAll(
      modelOf({ ...two, outputs: [...two.outputs, { name: other, type: "float32", dims: undefined }] }),
      data,
    );
    expect(measured.result.layers.map(({ name, skipped }) => [name, skipped])).toEqual([
      ["a", undefined],
      ["other", "the outputs do not depend on it"],
      ["b", undefined],
    ]);
  });
});

describe("outputs that are no scores", () => {
  test("but maps, with a label a sample", async () => {
    const s = new Sketch(73, [1, 2, 2]);
    const net = s.done(s.op("Conv", ["x", s.rows("a", [3, 1, 1, 1])]), 40);
    await expect(measureAll(modelOf(net.graph), datasetOf(net, "cross-entropy"))).rejects.toThrow(
      new DataError(
        "loss cross-entropy: outputs [1, 3, 2, 2] need labels of those dims without the axis of 2 or more classes, one class index a term; the labels of a sample have dims []. For targets use --loss squared-error-mean",
      ),
    );
  });

  test("of samples that are not the first axis", async () => {
    const { net } = ending((s, z) => s.op("Transpose", [z], { perm: [1, 0] }));
    const name = net.graph.outputs[0]!.name;
    await expect(measureAll(modelOf(net.graph), data)).rejects.toThrow(
      new ModelError(
        `output ${name}: expected the samples as its first axis, the model gives [3, 1] for 1 samples; choose another with --output`,
      ),
    );
  });

  test("of another type", async () => {
    const { net } = ending((s, z) => s.op("Cast", [z], { to: 11 }));
    const name = net.graph.outputs[0]!.name;
    await expect(measureAll(modelOf(net.graph), data)).rejects.toThrow(
      new ModelError(`output ${name}: expected float32, the model gives float64; export it in float32`),
    );
  });
});
