import fc from "fast-check";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Measurement } from "../../src/evaluation/measure-model.ts";
import type { MeasureOptions } from "../../src/evaluation/options.ts";
import { bruteForce } from "../normalized-curvature.ts";
import { goldenBatch, goldenModel, goldenPath, measureAll, relativeError, rowOf } from "../golden-model.ts";
import { rewritten } from "../rewritten.ts";
import { measureSketch } from "../sketch-data.ts";
import { Sketch, type Sketched } from "../sketch.ts";
import { tinyNetworks } from "../tiny-networks.ts";

/** Rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
/** Second differences in float64 at steps of 1e-4: ε/step² is 2e-8, over curvatures that can be 1e-3. */
const DIFFERENCES = 5e-5;
/** What a change must at least be, to be one. */
const CHANGED = 0.01;
/** Estimates are within so many of their own standard errors. */
const STANDARD_ERRORS = 4;

interface Truth {
  readonly thm4_normalised: Record<
    string,
    {
      readonly dead_untouched: { readonly kappa: number };
      readonly dead_columns_zeroed: { readonly kappa: number; readonly trace: number };
      readonly sigma: readonly number[];
      readonly dead: number;
    }
  >;
}
const truths = JSON.parse(readFileSync(goldenPath("digits-mlp-relu", "truth_twins.json"), "utf8")) as {
  base: Truth;
  twins: Record<string, { file: string; from_file_float32_weights: Truth }>;
};

describe("digits-mlp-relu and its twins, dead features dropped", () => {
  const twins = Object.values(truths.twins).map(({ file, from_file_float32_weights: truth }) => [file, truth] as const);

  test.each([["model.onnx", truths.base] as const, ...twins])("%s", async (file, truth) => {
    const model = goldenModel("digits-mlp-relu", file);
    const measured = await measureAll(model, goldenBatch("digits-mlp-relu"), { normalize: "std" });
    for (const [weight, { dead_columns_zeroed: expected, dead }] of Object.entries(truth.thm4_normalised)) {
      const layer = weight.replace(".weight", "");
      const row = rowOf(measured, layer, "relative-flatness");
      expect(relativeError(row.value, expected.kappa)).toBeLessThan(TYPICAL);
      expect(row.options).toEqual({ normalize: "std" });
      expect(relativeError(rowOf(measured, layer, "hessian-trace").value, expected.trace)).toBeLessThan(TYPICAL);
      expect(measured.result.layers.find(({ name }) => name === layer)?.dropped).toHaveLength(dead);
      const warning = measured.result.warnings.find(
        (found) => found.code === "features-dropped" && found.layer === layer,
      );
      expect(warning?.text).toContain(`${dead} of 32 features do not vary`);
    }
  });

  test.each([
    ["2.weight", "0"],
    ["4.weight", "2"],
  ])("%s: the network rewritten, by the plain κ of both treatments of dead features", async (weight, below) => {
    const truth = truths.base.thm4_normalised[weight]!;
    const own = goldenModel("digits-mlp-relu");
    const isDead = (feature: number) => truth.sigma[feature]! < 1e-6;
    const kappaOf = async (ofDead: number) => {
      const over = (value: number, [feature]: readonly number[]) =>
        isDead(feature!) ? value : value / truth.sigma[feature!]!;
      const { graph } = rewritten({ graph: own.graph } as Sketched, {
        [`${below}.weight`]: over,
        [`${below}.bias`]: over,
        [weight]: (value, [, feature]) => value * (isDead(feature!) ? ofDead : truth.sigma[feature!]!),
      });
      const layer = weight.replace(".weight", "");
      const options = { layers: [layer], measures: ["relative-flatness"] };
      return rowOf(
        await measureAll({ ...own, graph }, goldenBatch("digits-mlp-relu"), options),
        layer,
        options.measures[0]!,
      ).value;
    };
    expect(truth.sigma.filter((_, feature) => isDead(feature))).toHaveLength(truth.dead);
    expect(relativeError(await kappaOf(1), truth.dead_untouched.kappa)).toBeLessThan(TYPICAL);
    // What is measured without a rewriting, above.
    expect(relativeError(await kappaOf(0), truth.dead_columns_zeroed.kappa)).toBeLessThan(TYPICAL);
    expect(relativeError(truth.dead_untouched.kappa, truth.dead_columns_zeroed.kappa)).toBeGreaterThan(CHANGED / 2);
  });
});

const normalized = (net: Sketched, options: MeasureOptions = {}, loss = "cross-entropy") =>
  measureSketch(net, loss, { normalize: "std", ...options });
const kappa = (measured: Measurement, layer: string) => rowOf(measured, layer, "relative-flatness").value;
const trace = (measured: Measurement, layer: string) => rowOf(measured, layer, "hessian-trace").value;

/** 6 → 5 → 5 → 4 with an activation between. */
function mlp(from: number, activation = "Relu"): Sketched {
  const s = new Sketch(from, [6]);
  const dense = (x: string, name: string, d: number, m: number) =>
    s.op("Gemm", [x, s.rows(name, [d, m]), s.random(`${name}.bias`, [d])], { transB: 1 });
  const a = s.op(activation, [dense("x", "a", 5, 6)]);
  const b = s.op(activation, [dense(a, "b", 5, 5)]);
  return s.done(dense(b, "c", 4, 5), 20);
}

/** A padded convolution, a grouped one, a last layer. */
function convolutional(from: number, activation = "Relu"): Sketched {
  const s = new Sketch(from, [2, 6, 6]);
  const conv = (x: string, name: string, dims: readonly number[], groups: number) =>
    s.op("Conv", [x, s.rows(name, dims, groups), s.random(`${name}.bias`, [dims[0]!])], {
      pads: [1, 1, 1, 1],
      group: groups,
    });
  const a = s.op(activation, [conv("x", "a", [4, 2, 3, 3], 1)]);
  const pooled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
  const b = s.op(activation, [conv(pooled, "b", [4, 2, 3, 3], 2)]);
  const flat = s.op("Flatten", [b]);
  return s.done(s.op("Gemm", [flat, s.rows("c", [4, 36]), s.random("c.bias", [4])], { transB: 1 }), 10);
}

/** Token vectors [T, m] that share W, their mean, a last layer. */
function tokens(from: number, activation = "Relu"): Sketched {
  const s = new Sketch(from, [3, 4]);
  const z = s.op("MatMul", ["x", s.columns("a", 4, 5)]);
  const b = s.op("MatMul", [s.op(activation, [z]), s.columns("b", 5, 4)]);
  const flat = s.op("Flatten", [s.op(activation, [b])]);
  return s.done(s.op("Gemm", [flat, s.rows("c", [4, 12])], { transB: 1 }), 12);
}

const networks = [
  ["an MLP", mlp],
  ["convolutions, one of two groups", convolutional],
  ["tokens", tokens],
] as const;

describe.each(networks)("%s: κ and trace against brute force of the network with features over σ", (_, make) => {
  test.each([
    ["Relu", {}],
    ["Relu", { curvature: "gauss-newton" }],
    ["Tanh", {}],
  ] as const)("%s %o", async (activation, options) => {
    const net = make(7, activation);
    const measured = await normalized(net, options);
    for (const layer of net.layers) {
      const truth = bruteForce(net, layer, "cross-entropy");
      const near = activation === "Tanh" ? DIFFERENCES : TYPICAL;
      expect(relativeError(kappa(measured, layer.name), truth.kappa)).toBeLessThan(near);
      expect(relativeError(trace(measured, layer.name), truth.trace)).toBeLessThan(near);
    }
  });

  test("probes are within their own errors", async () => {
    const net = make(8, "Tanh");
    const [exact, probed] = [await normalized(net), await normalized(net, { method: "probes", probes: 64 })];
    for (const layer of ["a", "b"]) {
      const row = rowOf(probed, layer, "relative-flatness");
      expect(row).toMatchObject({ method: "taylor-probes", options: { normalize: "std", probes: 64 } });
      const error = row.standardError!.probe;
      expect(error).toBeGreaterThan(0);
      expect(Math.abs(row.value - kappa(exact, layer))).toBeLessThan(STANDARD_ERRORS * error);
    }
  });

  test("eigenvalues, norm and gradient of the same layer", async () => {
    const net = make(9);
    const measures = ["max-eigenvalue", "squared-weight-norm", "gradient-norm", "norm-trace", "hessian-trace"];
    const measured = await normalized(net, { measures });
    const value = (layer: string, measure: string) => rowOf(measured, layer, measure).value;
    for (const layer of net.layers) {
      const truth = bruteForce(net, layer, "cross-entropy");
      expect(relativeError(value(layer.name, "max-eigenvalue"), truth.largest)).toBeLessThan(10 * TYPICAL);
      expect(relativeError(value(layer.name, "squared-weight-norm"), truth.squaredNorm)).toBeLessThan(TYPICAL);
      expect(relativeError(value(layer.name, "gradient-norm"), truth.gradientNorm)).toBeLessThan(TYPICAL);
      const product = value(layer.name, "squared-weight-norm") * value(layer.name, "hessian-trace");
      expect(relativeError(value(layer.name, "norm-trace"), product)).toBeLessThan(TYPICAL);
    }
  });
});

test.each(Object.entries(tinyNetworks))("%s", async (_, make) => {
  const net = make();
  const [whole, halves] = [await normalized(net), await normalized(net, { batch: 2 })];
  for (const layer of net.layers) {
    const truth = bruteForce(net, layer, "cross-entropy");
    for (const measured of [whole, halves]) {
      expect(Math.abs(kappa(measured, layer.name) - truth.kappa)).toBeLessThanOrEqual(TYPICAL * truth.kappa);
      expect(Math.abs(trace(measured, layer.name) - truth.trace)).toBeLessThanOrEqual(TYPICAL * truth.trace);
    }
  }
});

describe("features each times a factor of its own", () => {
  const factors = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 5, maxLength: 5 });

  test("std: every measure of the layer that reads them stays, with factors from 1e-2 to 1e2; without it κ moves", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 1e6 }), factors, async (from, exponents) => {
        const net = mlp(from);
        const alphas = exponents.map((exponent) => 10 ** exponent);
        const twin = rewritten(net, {
          "a.weight": (value, [row]) => value * alphas[row!]!,
          "a.bias": (value, [row]) => value * alphas[row!]!,
          "b.weight": (value, [, column]) => value / alphas[column!]!,
        });
        const measures = ["all", "max-eigenvalue"];
        const [before, after] = [await normalized(net, { measures }), await normalized(twin, { measures })];
        for (const { layer, measure, value } of before.result.results) {
          // A layer's own rows may be rescaled: what is not invariant to that moves.
          if (layer !== "b" && layer !== "c") continue;
          expect(relativeError(rowOf(after, layer, measure).value, value)).toBeLessThan(10 * TYPICAL);
        }
        expect(relativeError(kappa(after, "a"), kappa(before, "a"))).toBeLessThan(10 * TYPICAL);
      }),
      { numRuns: 6, seed: 77 },
    );
  });

  test("variance is not invariant, and warns", async () => {
    const net = mlp(5);
    const twin = rewritten(net, {
      "a.weight": (value, [row]) => value * (1 + row!),
      "a.bias": (value, [row]) => value * (1 + row!),
      "b.weight": (value, [, column]) => value / (1 + column!),
    });
    const options = { normalize: "variance" } as const;
    const [before, after] = [await normalized(net, options), await normalized(twin, options)];
    expect(relativeError(kappa(after, "b"), kappa(before, "b"))).toBeGreaterThan(CHANGED);
    expect(before.result.warnings.map(({ code }) => code)).toContain("variance-normalization");
    expect(rowOf(before, "b", "relative-flatness").options).toEqual({ normalize: "variance" });
    const plain = [await measureSketch(net, "cross-entropy"), await measureSketch(twin, "cross-entropy")] as const;
    expect(relativeError(kappa(plain[1], "b"), kappa(plain[0], "b"))).toBeGreaterThan(CHANGED);
  });

  test("a feature that is the same number for all samples drops out", async () => {
    const s = new Sketch(3, [4]);
    const dims = [12, 4];
    const x = Float32Array.from({ length: 48 }, (_, place) => (place % 4 === 2 ? 2.5 : Math.sin(place * place)));
    const net = s.done(s.op("Gemm", ["x", s.rows("a", [3, 4])], { transB: 1 }), dims[0]!, x);
    const measured = await normalized(net);
    const truth = bruteForce(net, net.layers[0]!, "cross-entropy");
    expect(measured.result.layers[0]!.dropped).toEqual([2]);
    expect(relativeError(kappa(measured, "a"), truth.kappa)).toBeLessThan(TYPICAL);
  });
});

test("batches of any size give the same σ", async () => {
  const net = convolutional(11);
  const all = await normalized(net);
  for (const batch of [1, 3]) {
    const measured = await normalized(net, { batch });
    for (const { name } of net.layers)
      expect(relativeError(kappa(measured, name), kappa(all, name))).toBeLessThan(TYPICAL);
  }
});
