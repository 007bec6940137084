import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { foldBatchNorm } from "../../src/graph/reparameterization/batch-norm-folding.ts";
import { randomTwins, type Rewriting } from "../../src/graph/reparameterization/random-twins.ts";
import { RandomStream } from "../../src/statistics/random.ts";
import { oneSample } from "../graph/reparameterization/twins.ts";
import { goldenBatch, goldenModel, measureAll, relativeError, rowOf } from "../golden-model.ts";
import { measureSketch } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Weights of twins are rounded to float32, and the products with them: a few units in the seventh digit. */
const UNCHANGED = 1e-5;
/** What a change must at least be, to be one. */
const CHANGED = 0.01;

/** Factors of a size that is met, and far from 1. */
const NEAR = [0.2, 5] as const;
const WIDE = [1e-2, 1e2] as const;
const N = 12;
const RUNS = { numRuns: 6, seed: 7701 };
const seed = fc.integer({ min: 1, max: 1e6 });

const gemm = (s: Sketch, x: string, name: string, d: number, m: number) =>
  s.op("Gemm", [x, s.rows(name, [d, m]), s.random(`${name}.bias`, [d])], { transB: 1 });
const normalization = (s: Sketch, x: string, name: string, channels: number) =>
  s.op("BatchNormalization", [
    x,
    s.random(`${name}.gain`, [channels], 1),
    s.random(`${name}.shift`, [channels]),
    s.random(`${name}.mean`, [channels]),
    s.constant(
      `${name}.variance`,
      [channels],
      Array.from({ length: channels }, (_, index) => 0.3 + index),
    ),
  ]);

const networks: Readonly<Record<string, (from: number) => Sketched>> = {
  "an MLP"(from) {
    const s = new Sketch(from, [6]);
    const a = s.op("Relu", [gemm(s, "x", "a", 5, 6)]);
    return s.done(gemm(s, s.op("LeakyRelu", [gemm(s, a, "b", 5, 5)]), "c", 4, 5), N);
  },
  "convolutions and pooling"(from) {
    const s = new Sketch(from, [2, 8, 8]);
    const a = s.op("Relu", [
      s.op("Conv", ["x", s.rows("a", [4, 2, 3, 3]), s.random("a.bias", [4])], { pads: [1, 1, 1, 1] }),
    ]);
    const pooled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
    const b = s.op("Relu", [s.op("Conv", [pooled, s.rows("b", [3, 4, 3, 3])])]);
    return s.done(gemm(s, s.op("Flatten", [s.op("AveragePool", [b], { kernel_shape: [2, 2] })]), "c", 4, 3), N);
  },
  "a residual block with normalizations"(from) {
    const s = new Sketch(from, [2, 5, 5]);
    const a = s.op("Relu", [normalization(s, s.op("Conv", ["x", s.rows("a", [3, 2, 3, 3])]), "n1", 3)]);
    const b = s.op("Relu", [normalization(s, s.op("Conv", [a, s.rows("b", [4, 3, 1, 1])]), "n2", 4)]);
    const sum = s.op("Relu", [
      s.op("Add", [normalization(s, s.op("Conv", [b, s.rows("d", [3, 4, 1, 1])]), "n3", 3), a]),
    ]);
    return s.done(gemm(s, s.op("Flatten", [s.op("GlobalAveragePool", [sum])]), "c", 4, 3), N);
  },
  "convolutions in groups and for each channel"(from) {
    const s = new Sketch(from, [4, 5, 5]);
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [6, 2, 3, 3], 2), s.random("a.bias", [6])], { group: 2 })]);
    const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [6, 1, 2, 2], 6), s.random("b.bias", [6])], { group: 6 })]);
    return s.done(gemm(s, s.op("Flatten", [b]), "c", 4, 24), N);
  },
  "a weight on two inputs"(from) {
    const s = new Sketch(from, [8]);
    const w = s.rows("a", [4, 4]);
    const part = (start: number) =>
      s.op("Relu", [
        s.op("Gemm", [s.op("Slice", ["x", s.integers(start), s.integers(start + 4), s.integers(1)]), w], { transB: 1 }),
      ]);
    return s.done(gemm(s, s.op("Add", [part(0), part(4)]), "c", 4, 4), N);
  },
  embeddings(from) {
    const s = new Sketch(from, [3]);
    const embedded = s.op("Gather", [s.table("a", 5, 4), s.op("Cast", ["x"], { to: 7 })]);
    const placed = s.op("Relu", [s.op("Add", [embedded, s.random("positions", [1, 3, 4])])]);
    const b = s.op("Relu", [s.op("MatMul", [placed, s.columns("b", 4, 5)])]);
    const tokens = Array.from({ length: 3 * N }, (_, index) => (index * index + from) % 5);
    return s.done(gemm(s, s.op("Flatten", [b]), "c", 4, 15), N, tokens);
  },
};

function twinOf(graph: Graph, rewriting: Rewriting, range: readonly [number, number], from: number): Graph {
  const { twins } = randomTwins(graph, oneSample(graph), range, true);
  const kind = twins.find((each) => each.rewriting === rewriting);
  if (!kind) throw new Error(`no ${rewriting} twins`);
  return kind.draw(new RandomStream(from, "twin"));
}

const measures = ["relative-flatness", "hessian-trace", "squared-weight-norm"];
const measure = (net: Sketched) => measureSketch(net, "cross-entropy", { measures });
const values = (measured: Measurement, name: string) =>
  measured.result.layers.map(({ name: layer }) => rowOf(measured, layer, name).value);
/** The largest relative change of a measure over the layers. */
const change = (before: Measurement, after: Measurement, name: string) => {
  const own = values(before, name);
  return Math.max(...values(after, name).map((value, index) => relativeError(value, own[index]!)));
};

describe.each(Object.entries(networks))("random twins of %s", (_, network) => {
  test.each([
    ["0.2 to 5", NEAR],
    ["1e-2 to 1e2", WIDE],
  ])("layers times %s: κ of every layer stays, trace and norm move", async (__, range) => {
    await fc.assert(
      fc.asyncProperty(seed, seed, async (from, draw) => {
        const net = network(from);
        const twin = { ...net, graph: twinOf(net.graph, "layer-wise", range, draw) };
        const [before, after] = [await measure(net), await measure(twin)];
        expect(relativeError(after.result.loss.value, before.result.loss.value)).toBeLessThan(UNCHANGED);
        expect(change(before, after, "relative-flatness")).toBeLessThan(UNCHANGED);
        expect(change(before, after, "hessian-trace")).toBeGreaterThan(CHANGED);
        expect(change(before, after, "squared-weight-norm")).toBeGreaterThan(CHANGED);
      }),
      RUNS,
    );
  });

  test("neurons times factors: κ of the layer that reads the input stays, of one that reads them it does not", async () => {
    await fc.assert(
      fc.asyncProperty(seed, seed, async (from, draw) => {
        const net = network(from);
        const twin = { ...net, graph: twinOf(net.graph, "neuron-wise", WIDE, draw) };
        const [before, after] = [await measure(net), await measure(twin)];
        const [first, ...others] = values(before, "relative-flatness");
        const [now, ...later] = values(after, "relative-flatness");
        expect(relativeError(now!, first!)).toBeLessThan(UNCHANGED);
        expect(Math.max(...later.map((value, index) => relativeError(value, others[index]!)))).toBeGreaterThan(CHANGED);
      }),
      RUNS,
    );
  });

  test("scores moved alike: κ and the trace stay, the last layer's norm does not", async () => {
    await fc.assert(
      fc.asyncProperty(seed, seed, async (from, draw) => {
        const net = network(from);
        const twin = { ...net, graph: twinOf(net.graph, "softmax-shift", NEAR, draw) };
        const [before, after] = [await measure(net), await measure(twin)];
        for (const name of measures.slice(0, 2)) expect(change(before, after, name)).toBeLessThan(UNCHANGED);
        expect(change(before, after, "squared-weight-norm")).toBeGreaterThan(CHANGED);
      }),
      RUNS,
    );
  });
});

test("the largest eigenvalue moves with layers' factors, and not with a shift of the scores", async () => {
  const net = networks["an MLP"]!(3);
  const eigenvalue = async (graph: Graph) =>
    measureSketch({ ...net, graph }, "cross-entropy", { measures: ["max-eigenvalue"] });
  const before = await eigenvalue(net.graph);
  const [scaled, shifted] = [
    await eigenvalue(twinOf(net.graph, "layer-wise", NEAR, 1)),
    await eigenvalue(twinOf(net.graph, "softmax-shift", NEAR, 1)),
  ];
  expect(change(before, scaled, "max-eigenvalue")).toBeGreaterThan(CHANGED);
  expect(change(before, shifted, "max-eigenvalue")).toBeLessThan(UNCHANGED);
});

describe.each(["mini-resnet", "digits-cnn-gelu-bn"])("%s with BatchNormalization folded", (folder) => {
  test("κ of every layer stays; trace and largest eigenvalue of what was folded do not", async () => {
    const model = goldenModel(folder);
    const data = goldenBatch(folder);
    const { graph, folded } = foldBatchNorm(model.graph, oneSample(model.graph));
    const asked = { measures: ["relative-flatness", "hessian-trace", "max-eigenvalue"] };
    const before = await measureAll(model, data, asked);
    const after = await measureAll({ ...model, graph }, data, asked);
    expect(after.result.layers.map(({ name }) => name)).toEqual(before.result.layers.map(({ name }) => name));
    expect(change(before, after, "relative-flatness")).toBeLessThan(UNCHANGED);
    for (const { layer } of folded) {
      for (const name of ["hessian-trace", "max-eigenvalue"]) {
        expect(relativeError(rowOf(after, layer, name).value, rowOf(before, layer, name).value)).toBeGreaterThan(
          CHANGED,
        );
      }
    }
  });
});
