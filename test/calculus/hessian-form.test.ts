import { describe, expect, test } from "vitest";
import { unitFactor, weightFactor } from "../../src/calculus/factor.ts";
import {
  alongDirections,
  alongProbes,
  directionsOf,
  positionProducts,
  type Scored,
} from "../../src/calculus/hessian-form.ts";
import { featuresAt, featureWidth } from "../../src/calculus/positions.ts";
import type { Builder } from "../../src/graph/builder.ts";
import type { ValueId } from "../../src/graph/graph.ts";
import { instantiate } from "../../src/graph/instantiate.ts";
import { findLayers, type Layer } from "../../src/graph/layers.ts";
import { scale } from "../../src/graph/operators.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { crossEntropy } from "../../src/losses/cross-entropy.ts";
import { maximumError } from "../float64-array.ts";
import { losses64, outputsAt, sampleOf } from "../float64-curvature.ts";
import { constantOf } from "../float64-reference.ts";
import { floats, integers } from "../losses/at-scores.ts";
import { valuesOf } from "../run-graph.ts";
import { Sketch, type Sketched } from "../sketch.ts";
import { smoothNetworks } from "../smooth-networks.ts";

/** float32 sweeps against float64, in units of the largest sample's value. */
const SWEEP = 5e-6;
/** Second differences at a step and twice it, extrapolated. */
const STEP = 2e-3;
/** Means over thousands of probes, added in float32. */
const EXHAUSTED = 1e-5;

interface Prepared extends Scored {
  readonly b: Builder;
  readonly layer: Layer;
}

function prepared(net: Sketched, name: string): Prepared {
  const { dims } = net.x;
  const { builder: b } = instantiate(net.graph, new Map([["x", { type: "float32", dims }]]));
  const output = net.graph.outputs[0]!.name;
  const terms = crossEntropy.terms(b.dims(output), []);
  return {
    b,
    loss: crossEntropy,
    scores: terms.arrange(b, output),
    labels: b.input("y", "int64", [dims[0]!, 1]),
    layer: findLayers(b).find((layer) => layer.name === name)!,
  };
}

function feedsOf({ x }: Sketched) {
  const n = x.dims[0]!;
  return {
    x: floats(x.dims, x.data),
    y: integers(
      [n, 1],
      Array.from({ length: n }, (_, sample) => sample % 3),
    ),
  };
}

/** D²ℓ_i[V, V] of one layer by differences, V in the order of the initializer. */
function secondDifference(net: Sketched, weight: ValueId, sample: number, V: Float64Array): number {
  const w = constantOf(net.graph.constants.get(weight)!).data;
  const at = (by: number) =>
    losses64[0]!.value(
      outputsAt(
        net.graph,
        sampleOf(net.x, sample),
        weight,
        w.map((value, place) => value + by * V[place]!),
      ),
      Float64Array.of(sample % 3),
    );
  const second = (h: number) => (at(h) - 2 * at(0) + at(-h)) / h ** 2;
  return (4 * second(STEP) - second(2 * STEP)) / 3;
}

describe("directionsOf: the columns of a factor, each within its group", () => {
  const layer = (d: number, m: number, groups: number, values: number[]) =>
    ({ d, m, groups, matrix: () => Float32Array.from(values) }) as Partial<Layer> as Layer;

  test("one group: the columns", () => {
    const own = directionsOf(weightFactor(layer(2, 2, 1, [1, 2, 3, 4])), 1);
    expect(own.map((direction) => [...direction])).toEqual([
      [1, 3],
      [2, 4],
    ]);
  });

  test("two groups: zeros in the rows of the other", () => {
    const own = directionsOf(unitFactor(layer(4, 3, 2, [])), 2);
    expect(own.map((direction) => [...direction])).toEqual([
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
  });

  test("columns of zeros are left out, but for one where there are no others", () => {
    expect(directionsOf({ rows: 2, columns: 2, values: Float64Array.of(0, 1, 0, 2) }, 1)).toEqual([
      Float32Array.of(1, 2),
    ]);
    expect(directionsOf({ rows: 2, columns: 1, values: new Float64Array(2) }, 1)).toEqual([new Float32Array(2)]);
  });
});

test.each(["dense: lengths stand for features", "convolution in groups: rows of different groups do not meet"])(
  "one direction f e_jᵀ is the second derivative along it: %s",
  async (name) => {
    const net = smoothNetworks[name]!();
    const { layer, b, ...scored } = prepared(net, "a");
    const { d, m } = layer;
    const width = featureWidth(layer);
    // A row of the second group where there is one.
    const [row, column] = [d - 1, 1];
    const chosen = { selectors: "selectors", rows: featuresAt(b, layer) };
    b.input("directions", "float32", [1, d]);
    b.input("selectors", "float32", [1, width]);
    const { hessian } = alongDirections(b, layer, scored, "directions", chosen);
    const { hessian: got } = await valuesOf(
      b,
      { hessian },
      {
        ...feedsOf(net),
        directions: floats([1, d], new Float64Array(d).fill(0.5, row, row + 1)),
        selectors: floats([1, width], new Float64Array(width).fill(1, column, column + 1)),
      },
    );
    const truth = [0, 1, 2].map((sample) => {
      // Patches have features in an order of their own: the one of this number is found among all.
      const all = Array.from({ length: m }, (_, j) =>
        secondDifference(
          net,
          layer.initializer,
          sample,
          new Float64Array(d * m).fill(0.5, row * m + j, row * m + j + 1),
        ),
      );
      return name.startsWith("dense")
        ? all[column]!
        : all.reduce((best, value) =>
            Math.abs(value - got![sample]!) < Math.abs(best - got![sample]!) ? value : best,
          );
    });
    expect(maximumError(got!, truth)).toBeLessThan(SWEEP);
  },
);

test("inner products of features at all pairs of positions", async () => {
  const s = new Sketch(1, [3, 2]);
  const net = s.done(s.op("Flatten", [s.op("MatMul", ["x", s.columns("a", 2, 2)])]), 2);
  const { b, layer } = prepared(net, "a");
  const { products } = await valuesOf(b, { products: positionProducts(b, layer) }, feedsOf(net));
  const truth = [0, 1].flatMap((sample) => {
    const at = (t: number) => net.x.data.subarray(sample * 6 + t * 2, sample * 6 + t * 2 + 2);
    return [0, 1, 2].flatMap((t) => [0, 1, 2].map((u) => at(t)[0]! * at(u)[0]! + at(t)[1]! * at(u)[1]!));
  });
  expect(maximumError(products!, truth)).toBeLessThan(1e-6);
});

/** Every row of ±1 of a length. */
function allSigns(length: number): number[][] {
  return Array.from({ length: 2 ** length }, (_, bits) =>
    Array.from({ length }, (__, place) => ((bits >> place) & 1 ? 1 : -1)),
  );
}

/** Few enough signs to go through all of them. */
const small: Readonly<Record<string, () => Sketched>> = {
  dense() {
    const s = new Sketch(41, [4, 3]);
    const a = s.op("Tanh", [s.op("MatMul", ["x", s.columns("a", 3, 2)])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 8])], { transB: 1 }), 2);
  },
  "in two groups"() {
    const s = new Sketch(42, [2, 4]);
    const a = s.op("Tanh", [s.op("Conv", ["x", s.rows("a", [4, 1, 2], 2)], { group: 2 })]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 12])], { transB: 1 }), 2);
  },
  "one position, lengths for features"() {
    const s = new Sketch(43, [4]);
    const a = s.op("Tanh", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
    return s.done(s.op("Gemm", [a, s.rows("c", [3, 5])], { transB: 1 }), 2);
  },
};

describe.each(Object.entries(small))(
  "over all signs there are, the mean of the probes is the form: %s",
  (name, make) => {
    const net = make();
    const lengths = name.startsWith("one position");

    test.each([
      ["W", weightFactor],
      ["I", unitFactor],
    ] as const)("F Fᵀ of %s", async (_, factorOf) => {
      const { b, layer, ...scored } = prepared(net, "a");
      const { d, groups } = layer;
      const n = net.x.dims[0]!;
      const factor = factorOf(layer);
      const m = lengths ? 0 : featureWidth(layer);
      const rank = factor.columns;
      const signs = allSigns(groups * (rank + m));
      const probes = signs.length;
      const fed = (from: number, to: number) =>
        b.constant(
          Tensor.float32(
            [probes, n, to - from],
            signs.flatMap((each) => Array.from({ length: n }, () => each.slice(from, to)).flat()),
          ),
        );
      const F = b.constant(Tensor.float32([groups, d / groups, rank], factor.values));
      // Any matrix of ±1.
      const A = b.constant(
        Tensor.float32(
          [rank, Math.max(1, m)],
          Array.from({ length: rank * Math.max(1, m) }, (__, index) => (index % 3 === 1 ? -1 : 1)),
        ),
      );
      const rows = fed(0, groups * rank);
      const features = lengths ? undefined : fed(groups * rank, groups * (rank + m));
      const probed = alongProbes(b, layer, scored, F, A, { rows, features });
      const own = directionsOf(factor, groups);
      const width = lengths ? 1 : m;
      const each = own.flatMap((direction) => Array.from({ length: width }, (__, j) => ({ direction, j })));
      const along = b.constant(
        Tensor.float32(
          [each.length, d],
          each.flatMap(({ direction }) => [...direction]),
        ),
      );
      const selectors = b.constant(
        Tensor.float32(
          [each.length, width],
          each.flatMap(({ j }) => Array.from({ length: width }, (__, k) => Number(j === k))),
        ),
      );
      const exact = alongDirections(
        b,
        layer,
        scored,
        along,
        lengths ? undefined : { selectors, rows: featuresAt(b, layer) },
      );
      const wanted = {
        hessian: scale(b, probed.hessian, 1 / probes),
        gaussNewton: scale(b, probed.gaussNewton, 1 / probes),
        exactHessian: exact.hessian,
        exactGaussNewton: exact.gaussNewton,
      };
      const got = await valuesOf(b, wanted, feedsOf(net));
      expect(maximumError(got["hessian"]!, got["exactHessian"]!)).toBeLessThan(EXHAUSTED);
      expect(maximumError(got["gaussNewton"]!, got["exactGaussNewton"]!)).toBeLessThan(EXHAUSTED);
    });
  },
);
