import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import { arrayDataset } from "../../src/data/array-dataset.ts";
import { relativeError, rowOf, samplesOf, measureAll } from "../golden-model.ts";
import { rewritten } from "../rewritten.ts";
import { measureSketch, modelOf } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";

/** Rewritten weights are rounded to float32, twice over: a few units in the seventh digit. */
const UNCHANGED = 1e-5;
/** What a change must at least be, to be one. */
const CHANGED = 0.01;

const RUNS = { numRuns: 12, seed: 3101 };
const seed = fc.integer({ min: 1, max: 1e6 });
/** A factor that is not near 1, so that the trace has to move. */
const factor = fc.oneof(fc.double({ min: 0.1, max: 0.7, noNaN: true }), fc.double({ min: 1.5, max: 10, noNaN: true }));
const factors = (count: number) => fc.array(factor, { minLength: count, maxLength: count });

/** 6 → 5 → 5 → 4, ReLU between. */
function mlp(from: number): Sketched {
  const s = new Sketch(from, [6]);
  const dense = (x: string, name: string, d: number, m: number) =>
    s.op("Gemm", [x, s.rows(name, [d, m]), s.random(`${name}.bias`, [d])], { transB: 1 });
  const a = s.op("Relu", [dense("x", "a", 5, 6)]);
  const b = s.op("Relu", [dense(a, "b", 5, 5)]);
  return s.done(dense(b, "c", 4, 5), 20);
}

/** Two convolutions with pooling between, and a last layer. */
function convolutional(from: number): Sketched {
  const s = new Sketch(from, [2, 8, 8]);
  const a = s.op("Relu", [
    s.op("Conv", ["x", s.rows("a", [4, 2, 3, 3]), s.random("a.bias", [4])], { pads: [1, 1, 1, 1] }),
  ]);
  const pooled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
  const b = s.op("Relu", [s.op("Conv", [pooled, s.rows("b", [3, 4, 3, 3]), s.random("b.bias", [3])])]);
  const flat = s.op("Flatten", [b]);
  return s.done(s.op("Gemm", [flat, s.rows("c", [4, 12]), s.random("c.bias", [4])], { transB: 1 }), 10);
}

/** Row s of a layer and its bias times α_s. */
const rowsTimes = (name: string, alphas: readonly number[]) => ({
  [`${name}.weight`]: (value: number, [row]: readonly number[]) => value * alphas[row!]!,
  [`${name}.bias`]: (value: number, [row]: readonly number[]) => value * alphas[row!]!,
});

/** What a layer reads from feature (or channel) j over α_j; `repeat` features of a channel lie together. */
const columnsOver = (name: string, alphas: readonly number[], repeat = 1) => ({
  [`${name}.weight`]: (value: number, at: readonly number[]) => value / alphas[Math.floor(at[1]! / repeat)]!,
});

const kappa = (measured: Measurement, layer: string) => rowOf(measured, layer, "relative-flatness").value;
const trace = (measured: Measurement, layer: string) => rowOf(measured, layer, "hessian-trace").value;
const measure = (net: Sketched) => measureSketch(net, "cross-entropy", { perSample: true });

async function both(net: Sketched, twin: Sketched): Promise<[Measurement, Measurement]> {
  const [before, after] = [await measure(net), await measure(twin)];
  expect(relativeError(after.result.loss.value, before.result.loss.value)).toBeLessThan(UNCHANGED);
  return [before, after];
}

function expectSameKappa(before: Measurement, after: Measurement) {
  for (const layer of ["a", "b", "c"])
    expect(relativeError(kappa(after, layer), kappa(before, layer))).toBeLessThan(UNCHANGED);
}

describe.each([
  ["a ReLU MLP", mlp, [5, 5, 1]],
  ["a convolutional network", convolutional, [4, 3, 4]],
] as const)("%s", (_, make, [first, second, repeat]) => {
  test("a layer times α, the next over α: κ stays, the trace goes with α⁻²", async () => {
    await fc.assert(
      fc.asyncProperty(seed, factor, async (from, alpha) => {
        const net = make(from);
        const alphas = Array.from({ length: first }, () => alpha);
        const twin = rewritten(net, { ...rowsTimes("a", alphas), ...columnsOver("b", alphas) });
        const [before, after] = await both(net, twin);
        expectSameKappa(before, after);
        expect(relativeError(trace(after, "a"), trace(before, "a") / alpha ** 2)).toBeLessThan(UNCHANGED);
        expect(relativeError(trace(after, "b"), trace(before, "b") * alpha ** 2)).toBeLessThan(UNCHANGED);
      }),
      RUNS,
    );
  });

  test("neurons or channels of two layers each times an α of their own: κ of the first stays, and of every sample", async () => {
    await fc.assert(
      fc.asyncProperty(seed, factors(first), factors(second), async (from, alphas, betas) => {
        const net = make(from);
        const twin = rewritten(rewritten(net, { ...rowsTimes("a", alphas), ...columnsOver("b", alphas) }), {
          ...rowsTimes("b", betas),
          ...columnsOver("c", betas, repeat),
        });
        const [before, after] = await both(net, twin);
        // W of `b` and `c` read features that were rescaled neuron by neuron: only their outputs' rescaling leaves κ.
        expect(relativeError(kappa(after, "a"), kappa(before, "a"))).toBeLessThan(UNCHANGED);
        const [of, was] = [samplesOf(after, "a", "relative-flatness"), samplesOf(before, "a", "relative-flatness")];
        const mean = kappa(before, "a");
        of.forEach((value, index) => expect(Math.abs(value - was[index]!) / mean).toBeLessThan(UNCHANGED));
      }),
      RUNS,
    );
  });

  test("outputs of one layer neuron by neuron, the layers above and below as they are", async () => {
    await fc.assert(
      fc.asyncProperty(seed, factors(second), async (from, betas) => {
        const net = make(from);
        const [before, after] = await both(
          net,
          rewritten(net, { ...rowsTimes("b", betas), ...columnsOver("c", betas, repeat) }),
        );
        for (const layer of ["a", "b"])
          expect(relativeError(kappa(after, layer), kappa(before, layer))).toBeLessThan(UNCHANGED);
        expect(relativeError(trace(after, "a"), trace(before, "a"))).toBeLessThan(UNCHANGED);
        expect(relativeError(trace(after, "b"), trace(before, "b"))).toBeGreaterThan(CHANGED);
      }),
      RUNS,
    );
  });

  test("W + 1vᵀ of the last layer: κ and trace stay, ‖W‖² moves", async () => {
    await fc.assert(
      fc.asyncProperty(seed, async (from) => {
        const net = make(from);
        const v = (index: number) => 2 + Math.sin(from + index);
        const twin = rewritten(net, { "c.weight": (value, at) => value + v(at[1]!) });
        const [before, after] = await both(net, twin);
        expectSameKappa(before, after);
        expect(relativeError(trace(after, "c"), trace(before, "c"))).toBeLessThan(UNCHANGED);
        const norm = (measured: Measurement) => rowOf(measured, "c", "squared-weight-norm").value;
        expect(relativeError(norm(after), norm(before))).toBeGreaterThan(CHANGED);
      }),
      RUNS,
    );
  });

  test("classes in another order, labels with them", async () => {
    const order = [2, 0, 3, 1];
    await fc.assert(
      fc.asyncProperty(seed, async (from) => {
        const net = make(from);
        const n = net.x.dims[0]!;
        const [weight, bias] = ["c.weight", "c.bias"].map((name) => net.graph.constants.get(name)!.numbers());
        const width = weight!.length / 4;
        const twin = rewritten(net, {
          "c.weight": (_value, [row, column]) => weight![order[row!]! * width + column!]!,
          "c.bias": (_value, [row]) => bias![order[row!]!]!,
        });
        const x = { name: "x", type: "float32" as const, dims: net.x.dims, data: Float32Array.from(net.x.data) };
        const labels = Array.from({ length: n }, (_value, sample) => BigInt(order.indexOf(sample % 4)));
        const y = { name: "y", type: "int64" as const, dims: [n], data: BigInt64Array.from(labels) };
        const data = arrayDataset({ source: "permuted", sha256: "" }, [x, y]);
        const [before, after] = [await measure(net), await measureAll(modelOf(twin.graph), data)];
        expect(relativeError(after.result.loss.value, before.result.loss.value)).toBeLessThan(UNCHANGED);
        expect(after.result.loss.accuracy).toBe(before.result.loss.accuracy);
        expectSameKappa(before, after);
        for (const layer of ["a", "b", "c"])
          expect(relativeError(trace(after, layer), trace(before, layer))).toBeLessThan(UNCHANGED);
      }),
      RUNS,
    );
  });
});

test("BatchNormalization folded into the convolution before it: κ stays, the trace does not", async () => {
  const gain = [1.5, -0.4, 3];
  const variance = [0.02, 1, 4];
  const [shift, mean] = [
    [0.1, -0.2, 0.3],
    [0.5, 0, -1],
  ];
  const slopes = gain.map((value, channel) => value / Math.sqrt(variance[channel]! + 1e-5));
  const network = (folded: boolean) => {
    const s = new Sketch(41, [2, 6, 6]);
    const z = s.op("Conv", ["x", s.rows("a", [3, 2, 3, 3]), s.random("a.bias", [3])]);
    const statistics = [gain, shift, mean, variance].map((values, index) =>
      s.constant(`statistics${index}`, [3], values),
    );
    const normalized = folded ? z : s.op("BatchNormalization", [z, ...statistics]);
    const flat = s.op("Flatten", [s.op("Relu", [normalized])]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [4, 48])], { transB: 1 }), 20);
  };
  const twin = rewritten(network(true), {
    "a.weight": (value, [row]) => value * slopes[row!]!,
    "a.bias": (value, [row]) => (value - mean[row!]!) * slopes[row!]! + shift[row!]!,
  });
  const [before, after] = await both(network(false), twin);
  for (const layer of ["a", "c"])
    expect(relativeError(kappa(after, layer), kappa(before, layer))).toBeLessThan(UNCHANGED);
  expect(relativeError(trace(after, "c"), trace(before, "c"))).toBeLessThan(UNCHANGED);
  // Rows of H are divided by slopes from 0.4 to 10.6.
  expect(trace(before, "a") / trace(after, "a")).toBeGreaterThan(2);
});
