import { describe, expect, test } from "vitest";
import { measureWithTwins } from "../../src/evaluation/invariance.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import type { InvarianceRow } from "../../src/evaluation/result.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { randomTwins } from "../../src/graph/reparameterization/random-twins.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { oneSample } from "../graph/reparameterization/twins.ts";
import { relativeError, rowOf } from "../golden-model.ts";
import { datasetOf, measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Float32 rounding of weights and products. */
const ROUNDING = 1e-5;

function network(activation: string): Sketched {
  const s = new Sketch(861, [5]);
  const h = s.op(activation, [s.op("Gemm", ["x", s.rows("a", [6, 5]), s.random("a.bias", [6])], { transB: 1 })]);
  return s.done(s.op("Gemm", [h, s.rows("b", [4, 6])], { transB: 1 }), 10);
}

const withTwins = (net: Sketched, loss: string, count: number, options: MeasureOptions = {}, graph = net.graph) => {
  const data = datasetOf(net, loss);
  const indices = Int32Array.from({ length: data.n }, (_, index) => index);
  const asked = { loss, threads: 1, ...options };
  return measureWithTwins(modelOf(graph), { data, indices, description: "" }, asked, count, nodeRuntime);
};
const changeOf = (rows: readonly InvarianceRow[] | undefined, rewriting: string, measure: string, layer: string) =>
  rows!.find((row) => row.rewriting === rewriting && row.measure === measure && row.layer === layer)!;

describe("random twins of a ReLU network", () => {
  const net = network("Relu");

  test("the largest change is that of the twins measured one by one", async () => {
    const { result } = await withTwins(net, "cross-entropy", 2, { seed: 5 });
    const own = await measureSketch(net, "cross-entropy");
    const { twins } = randomTwins(net.graph, oneSample(net.graph), [0.2, 5], true);
    for (const { rewriting, draw } of twins) {
      const stream = new RandomStream(5, `twins, ${rewriting}`);
      const graphs: Graph[] = [draw(stream), draw(stream)];
      const others = await Promise.all(graphs.map((graph) => measureSketch({ ...net, graph }, "cross-entropy")));
      for (const { layer, measure, value } of own.result.results) {
        const changes = others.map((other) => relativeError(rowOf(other, layer!, measure).value, value));
        const row = changeOf(result.invariance, rewriting, measure, layer!);
        expect(row.twins).toBe(2);
        expect(row.largestChange).toBeCloseTo(Math.max(...changes), 12);
      }
    }
  });

  test("κ is invariant to layers' factors and shifts, the trace to shifts, the norm to nothing", async () => {
    const { invariance } = (await withTwins(net, "cross-entropy", 3)).result;
    for (const layer of ["a", "b"]) {
      for (const rewriting of ["layer-wise", "softmax-shift"]) {
        expect(changeOf(invariance, rewriting, "relative-flatness", layer).largestChange).toBeLessThan(ROUNDING);
      }
      expect(changeOf(invariance, "softmax-shift", "hessian-trace", layer).largestChange).toBeLessThan(ROUNDING);
      for (const rewriting of ["layer-wise", "neuron-wise"]) {
        expect(changeOf(invariance, rewriting, "hessian-trace", layer).largestChange).toBeGreaterThan(0.1);
        expect(changeOf(invariance, rewriting, "squared-weight-norm", layer).largestChange).toBeGreaterThan(0.1);
      }
    }
    // Neurons of a are rows of a and columns of b.
    expect(changeOf(invariance, "neuron-wise", "relative-flatness", "a").largestChange).toBeLessThan(ROUNDING);
    expect(changeOf(invariance, "neuron-wise", "relative-flatness", "b").largestChange).toBeGreaterThan(0.1);
  });

  test("the values are the network's own, and the time is that of all", async () => {
    const own = await measureSketch(net, "cross-entropy");
    const { result } = await withTwins(net, "cross-entropy", 1);
    expect(result.results).toEqual(own.result.results);
    expect(result.warnings).toEqual(own.result.warnings);
    expect(result.seconds.twins).toBeGreaterThan(0);
    expect(result.seconds.total).toBeGreaterThan(result.seconds.twins!);
  });

  test("progress goes over all networks", async () => {
    const seen: [number, number][] = [];
    await withTwins(net, "cross-entropy", 2, {
      measures: ["hessian-trace"],
      onProgress: (done, total) => seen.push([done, total]),
    });
    const dones = seen.map(([done]) => done);
    expect(dones).toEqual(dones.toSorted((a, b) => a - b));
    expect(new Set(seen.map(([, total]) => total)).size).toBe(1);
    expect(seen.at(-1)).toEqual([70, 70]);
  });

  test("a squared error sees the shift: no such twins", async () => {
    const { invariance } = (await withTwins(net, "squared-error-mean", 1)).result;
    expect(new Set(invariance!.map(({ rewriting }) => rewriting))).toEqual(new Set(["layer-wise", "neuron-wise"]));
  });
});

test("a softmax in the model takes the shift away", async () => {
  const scored = (after: (s: Sketch, z: string) => string) => {
    const s = new Sketch(863, [3]);
    return s.done(after(s, s.op("Gemm", ["x", s.rows("a", [4, 3])], { transB: 1 })), 6);
  };
  const { graph } = scored((s, z) => s.op("Softmax", [z], { axis: 1 }));
  const plain = scored((_, z) => z);
  const { invariance } = (await withTwins(plain, "cross-entropy", 2, {}, graph)).result;
  expect(changeOf(invariance, "softmax-shift", "relative-flatness", "a").largestChange).toBeLessThan(ROUNDING);
  expect(changeOf(invariance, "softmax-shift", "squared-weight-norm", "a").largestChange).toBeGreaterThan(0.01);
});

test("a network that cannot be rescaled: a warning says why", async () => {
  const { invariance, warnings } = (await withTwins(network("Tanh"), "cross-entropy", 1)).result;
  expect(new Set(invariance!.map(({ rewriting }) => rewriting))).toEqual(new Set(["softmax-shift"]));
  expect(warnings.find(({ code }) => code === "not-rescalable")!.text).toMatch(
    /: node Tanh_1 \(Tanh\) is not positively homogeneous$/,
  );
});

test("a value of 0 that changes has no relative change", async () => {
  const s = new Sketch(862, [3]);
  const h = s.op("Relu", [
    s.op("Gemm", ["x", s.rows("a", [2, 3], 1, [0, 0, 0, 0, 0, 0]), s.constant("a.bias", [2], [1, 2])], { transB: 1 }),
  ]);
  const net = s.done(s.op("Gemm", [h, s.rows("b", [3, 2])], { transB: 1 }), 4);
  const { invariance } = (await withTwins(net, "cross-entropy", 1)).result;
  // Zero weights stay zero: no change. The trace of their Hessian is not zero.
  expect(changeOf(invariance, "layer-wise", "squared-weight-norm", "a").largestChange).toBe(0);
  expect(changeOf(invariance, "layer-wise", "hessian-trace", "a").largestChange).toBeGreaterThan(0.01);
});
