import { describe, expect, test } from "vitest";
import { bindInputs } from "../../src/evaluation/binding.ts";
import { proveTwin } from "../../src/evaluation/twin-proof.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { datasetOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** y = W x, on three samples. */
function linear(values: number[], x: number[]): Sketched {
  const s = new Sketch(871, [2]);
  return s.done(s.op("MatMul", ["x", s.constant("w", [2, 2], values)]), x.length / 2, x);
}

const output = "MatMul_0_out";
const prove = (net: Sketched, twin: Graph, scores = new Map<string, number>(), batch?: number) => {
  const data = datasetOf(net, "squared-error-mean");
  const dims = [batch ?? "N", 2];
  const graph = { ...net.graph, inputs: [{ ...net.graph.inputs[0]!, dims }] };
  const source = { data, indices: Int32Array.of(0, 1, 2), binding: bindInputs(graph, data) };
  return proveTwin({ graph, file: "m.onnx" }, { ...twin, inputs: graph.inputs }, scores, source, nodeRuntime, {
    provider: "cpu",
    threads: 1,
  });
};
const withW = (net: Sketched, values: number[]): Graph => ({
  ...net.graph,
  constants: new Map(net.graph.constants).set("w", Tensor.float32([2, 2], values)),
});

describe("differences by hand", () => {
  const net = linear([1, 0, 0, 1], [1, 2, 3, 4, 5, 1000]);

  test("the largest over samples and outputs", async () => {
    // The second output is 1000 · 1.0000625 at the last sample: 0.0625 more.
    const [found] = await prove(net, withW(net, [1, 0, 0, 1.0000625]));
    expect(found).toMatchObject({ output, compared: "values", largestValue: 1000 });
    expect(found!.largestDifference).toBeCloseTo(0.0625, 3);
  });

  test("at the model's own batch size, the last batch padded", async () => {
    const [found] = await prove(net, withW(net, [1, 0, 0, 1.0000625]), new Map(), 2);
    expect(found!.largestDifference).toBeCloseTo(0.0625, 3);
  });

  test("more than rounding is refused", async () => {
    await expect(prove(net, withW(net, [1, 0, 0, 1.01]))).rejects.toThrow(
      /^m\.onnx: output MatMul_0_out of the twin differs by 10\.0 on sketch, where rounding explains 0\.1: /,
    );
  });

  test("what is no number is refused", async () => {
    await expect(prove(net, withW(net, [1, 0, 0, Number.NaN]))).rejects.toThrow(/differs by Infinity/);
  });
});

describe("scores are compared after a softmax", () => {
  const net = linear([1, 0, 0, 1], [0, 0, 1, 3, -2, 5]);

  test("moved alike they are equal", async () => {
    const [found] = await prove(net, withW(net, [1.5, 0.5, -2, -1]), new Map([[output, 1]]));
    expect(found).toMatchObject({ compared: "softmax" });
    expect(found!.largestDifference).toBeLessThan(1e-6);
    // The scores of the last sample are 7 apart.
    expect(found!.largestValue).toBeCloseTo(1 / (1 + Math.exp(-7)), 6);
  });

  test("moved apart they are not", async () => {
    await expect(prove(net, withW(net, [1.5, 0, 0, 1]), new Map([[output, 1]]))).rejects.toThrow(/differs by/);
  });
});
