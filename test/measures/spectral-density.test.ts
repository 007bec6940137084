import { expect, test } from "vitest";
import { relativeError, rowOf } from "../golden-model.ts";
import { bruteForce } from "../normalized-curvature.ts";
import { measureSketch } from "../sketch-data.ts";
import { Sketch } from "../sketch.ts";

/** Rounding of a few thousand float32 products. */
const TYPICAL = 1e-5;
const STANDARD_ERRORS = 4;
/** As many as the measure takes. */
const STARTS = 4;

const s = new Sketch(951, [4]);
const h = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4]), s.random("a.bias", [5])], { transB: 1 })]);
const net = s.done(s.op("Gemm", [h, s.rows("b", [3, 5])], { transB: 1 }), 12);

test.each([{}, { normalize: "std" }] as const)(
  "%o: nodes of layers that Lanczos exhausts, against brute force in float64",
  async (options) => {
    const measures = ["spectral-density", "hessian-trace", "max-eigenvalue"];
    const { result, ...measured } = await measureSketch(net, "cross-entropy", { measures, ...options });
    for (const layer of net.layers) {
      const { value, density } = rowOf({ result, ...measured }, layer.name, "spectral-density");
      const { values, weights, size } = density!;
      expect(size).toBe(layer.d * layer.m);
      expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9);
      expect(value).toBe(values.at(-1));
      const moment = (power: number) => values.reduce((sum, each, at) => sum + weights[at]! * each ** power, 0) * size;
      const truth = options.normalize
        ? bruteForce(net, layer, "cross-entropy")
        : {
            largest: rowOf({ result, ...measured }, layer.name, "max-eigenvalue").value,
            trace: rowOf({ result, ...measured }, layer.name, "hessian-trace").value,
          };
      expect(relativeError(value, truth.largest)).toBeLessThan(TYPICAL);
      // vᵀHv of random signs has variance 2 Σ_{i≠j} H_ij², which is at most 2 Tr H².
      const standardError = Math.sqrt((2 * moment(2)) / STARTS);
      expect(Math.abs(moment(1) - truth.trace)).toBeLessThan(STANDARD_ERRORS * standardError);
    }
    const whole = result.results.find(({ layer, density }) => layer === null && density)!;
    expect(whole.density!.size).toBe(5 * 4 + 3 * 5);
  },
);
