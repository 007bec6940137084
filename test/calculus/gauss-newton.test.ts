import { describe, expect, test } from "vitest";
import { gaussNewton } from "../../src/calculus/gauss-newton.ts";
import { attributes, Builder } from "../../src/graph/builder.ts";
import type { Layer } from "../../src/graph/layers.ts";
import { findLayers } from "../../src/graph/layers.ts";
import { Tensor } from "../../src/graph/tensor.ts";
import { maximumError, product } from "../float64-array.ts";
import { float32Array, valuesOf } from "../run-graph.ts";
import { normals } from "../sketch.ts";

/** float32 against float64; squares are all positive, so that only the way of adding matters. */
const ROUNDING = 2e-6;

interface Sizes {
  readonly columns: number;
  readonly channels: number;
  readonly d: number;
  readonly side: number;
  readonly kernel: number;
}

/** A convolution without padding whose columns are given, and both forms of it in float64 by the definition. */
async function bothRoutes({ columns, channels, d, side, kernel }: Sizes) {
  const batch = 2;
  const out = side - kernel + 1;
  const normal = normals(columns + 10 * side + 100 * kernel);
  const random = (dims: number[]) => ({ dims, data: Float64Array.from({ length: product(dims) }, normal) });
  const x = random([batch, channels, side, side]);
  const w = random([d, channels, kernel, kernel]);
  const gamma = random([columns, batch, d, out, out]);

  const b = new Builder();
  b.input("x", "float32", x.dims);
  b.constant(Tensor.float32(w.dims, w.data), "w");
  b.node({ op: "Conv", domain: "", name: "conv", inputs: ["x", "w"], outputs: ["z"], attributes: attributes({}) });
  const [layer] = findLayers(b) as [Layer];
  const form = gaussNewton(b, layer, new Map([["z", b.input("gamma", "float32", gamma.dims)]]));
  const wanted = { weighted: form.weighted(), trace: form.trace() };
  const got = await valuesOf(b, wanted, { x: float32Array(x), gamma: float32Array(gamma) });

  const m = channels * kernel ** 2;
  const truth = { weighted: new Float64Array(batch), trace: new Float64Array(batch) };
  for (let i = 0; i < batch; i++) {
    for (let c = 0; c < columns; c++) {
      // U = Σ_t γ_t φ_tᵀ, rows of m.
      const U = new Float64Array(d * m);
      for (let t = 0; t < out ** 2; t++) {
        const [row, column] = [Math.floor(t / out), t % out];
        const phi = Float64Array.from({ length: m }, (_, j) => {
          const tap = j % kernel ** 2;
          const at = [row + Math.floor(tap / kernel), column + (tap % kernel)] as const;
          return x.data[((i * channels + Math.floor(j / kernel ** 2)) * side + at[0]) * side + at[1]]!;
        });
        for (let s = 0; s < d; s++) {
          const weight = gamma.data[((c * batch + i) * d + s) * out ** 2 + t]!;
          for (let j = 0; j < m; j++) U[s * m + j]! += weight * phi[j]!;
        }
      }
      truth.trace[i]! += U.reduce((sum, value) => sum + value * value, 0);
      for (let k = 0; k < m; k++) {
        for (let j = 0; j < m; j++) {
          let sum = 0;
          for (let s = 0; s < d; s++) sum += w.data[s * m + k]! * U[s * m + j]!;
          truth.weighted[i]! += sum * sum;
        }
      }
    }
  }
  return { got, truth };
}

describe("Σ_c ‖WᵀU_c‖² and Σ_c ‖U_c‖² of a convolution, by the definition", () => {
  test.each<[string, Sizes]>([
    ["one position", { columns: 3, channels: 4, d: 5, side: 3, kernel: 3 }],
    ["four positions: inner products are cheaper", { columns: 9, channels: 8, d: 6, side: 4, kernel: 3 }],
    ["many positions: outer products are cheaper", { columns: 3, channels: 2, d: 4, side: 12, kernel: 2 }],
    ["one column", { columns: 1, channels: 3, d: 4, side: 6, kernel: 2 }],
  ])("%s", async (_, sizes) => {
    const { got, truth } = await bothRoutes(sizes);
    expect(maximumError(got["weighted"]!, truth.weighted)).toBeLessThan(ROUNDING);
    expect(maximumError(got["trace"]!, truth.trace)).toBeLessThan(ROUNDING);
  });

  test("a trace of 55 296 squares loses no digits to adding them one by one", async () => {
    const { got, truth } = await bothRoutes({ columns: 3, channels: 32, d: 64, side: 12, kernel: 3 });
    expect(maximumError(got["trace"]!, truth.trace)).toBeLessThan(ROUNDING);
    expect(maximumError(got["weighted"]!, truth.weighted)).toBeLessThan(ROUNDING);
  });
});

test("a dense layer of 2 048 neurons and 40 columns loses no digits either", async () => {
  const [columns, batch, d, m] = [40, 2, 2048, 16];
  const normal = normals(77);
  const random = (dims: number[]) => ({ dims, data: Float64Array.from({ length: product(dims) }, normal) });
  const [x, w, gamma] = [random([batch, m]), random([d, m]), random([columns, batch, d])];
  const b = new Builder();
  b.input("x", "float32", x.dims);
  b.constant(Tensor.float32(w.dims, w.data), "w");
  const gemm = attributes({ transB: 1 });
  b.node({ op: "Gemm", domain: "", name: "gemm", inputs: ["x", "w"], outputs: ["z"], attributes: gemm });
  const [layer] = findLayers(b) as [Layer];
  const form = gaussNewton(b, layer, new Map([["z", b.input("gamma", "float32", gamma.dims)]]));
  const wanted = { weighted: form.weighted(), trace: form.trace() };
  const got = await valuesOf(b, wanted, { x: float32Array(x), gamma: float32Array(gamma) });
  for (let i = 0; i < batch; i++) {
    const squares = x.data.subarray(i * m, (i + 1) * m).reduce((sum, value) => sum + value * value, 0);
    let [trace, weighted] = [0, 0];
    for (let c = 0; c < columns; c++) {
      const column = gamma.data.subarray((c * batch + i) * d, (c * batch + i + 1) * d);
      trace += squares * column.reduce((sum, value) => sum + value * value, 0);
      for (let k = 0; k < m; k++) {
        weighted += squares * column.reduce((sum, value, s) => sum + value * w.data[s * m + k]!, 0) ** 2;
      }
    }
    expect(maximumError([got["trace"]![i]!], [trace])).toBeLessThan(ROUNDING);
    expect(maximumError([got["weighted"]![i]!], [weighted])).toBeLessThan(ROUNDING);
  }
});
