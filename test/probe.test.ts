import { test } from "vitest";
import { curvatureByDifferences, curvatureByJacobian, isAffineIn, losses64 } from "./float64-curvature.ts";
import { maximumError } from "./float64-array.ts";
import { measureSketch, targetsOf } from "./sketch-data.ts";
import { samplesOf } from "./golden-model.ts";
import { Sketch, type Sketched } from "./sketch.ts";
const N = 3;
const nets: Record<string, () => Sketched> = {
  series() {
    const s = new Sketch(30, [4]);
    const w = s.rows("a", [4, 4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", w], { transB: 1 })]);
    const b = s.op("Relu", [s.op("Gemm", [a, w], { transB: 1 })]);
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 4])], { transB: 1 }), N);
  },
  disconnected() {
    const s = new Sketch(30, [2, 4]);
    const w = s.rows("a", [3, 4]);
    const part = (index: number) => {
      const cut = s.op("Slice", ["x", s.integers(index), s.integers(index + 1), s.integers(1)]);
      return s.op("Relu", [s.op("Gemm", [s.op("Reshape", [cut, s.integers(-1, 4)]), w], { transB: 1 })]);
    };
    const p = part(0); part(1);
    return s.done(s.op("Gemm", [p, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
  leftExtra() {
    const s = new Sketch(20, [2, 4, 3]);
    const a = s.op("Relu", [s.op("MatMul", [s.rows("a", [5, 4]), "x"])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 30])], { transB: 1 }), N);
  },
  seqFirst() {
    const s = new Sketch(20, [4, 3]);
    const t = s.op("Transpose", ["x"], { perm: [1, 0, 2] });
    const a = s.op("Relu", [s.op("MatMul", [t, s.columns("a", 3, 5)])]);
    const back = s.op("Transpose", [a], { perm: [1, 0, 2] });
    return s.done(s.op("Gemm", [s.op("Flatten", [back]), s.rows("c", [3, 20])], { transB: 1 }), N);
  },
  folded() {
    const s = new Sketch(20, [4, 3]);
    const t = s.op("Reshape", ["x", s.integers(-1, 3)]);
    const a = s.op("Relu", [s.op("Gemm", [t, s.columns("a", 3, 5)])]);
    const back = s.op("Reshape", [a, s.integers(-1, 20)]);
    return s.done(s.op("Gemm", [back, s.rows("c", [3, 20])], { transB: 1 }), N);
  },
  broadcastLast() {
    const s = new Sketch(20, [4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
    const c = s.op("Gemm", [a, s.rows("c", [1, 5])], { transB: 1 });
    return s.done(s.op("Add", [c, s.random("b", [3])]), N);
  },
  negativePad() {
    const s = new Sketch(20, [2, 4]);
    const a = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 4, 5)])]);
    const c = s.op("Flatten", [s.op("Pad", [a, s.integers(0, 0, -1, 0, 0, -1)])]);
    return s.done(s.op("Gemm", [c, s.rows("c", [3, 6])], { transB: 1 }), N);
  },
  vector() {
    const s = new Sketch(20, [5, 4]);
    const a = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 4, 3)])]);
    const c = s.op("MatMul", [a, s.random("v", [3])]);
    return s.done(s.op("Gemm", [c, s.rows("c", [3, 5])], { transB: 1 }), N);
  },
  maxpoolStorage() {
    const s = new Sketch(24, [1, 5, 5]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 2, 2]), s.random("a.bias", [2])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], storage_order: 1 });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 32])], { transB: 1 }), N);
  },
  maxpool1d() {
    const s = new Sketch(24, [1, 9]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 2])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [2], strides: [2], ceil_mode: 1 });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  maxpool3d() {
    const s = new Sketch(24, [1, 4, 4, 4]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 1, 1, 1])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 16])], { transB: 1 }), N);
  },
  maxpoolDilated() {
    const s = new Sketch(24, [1, 6, 6]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 1, 1])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2], dilations: [2, 2], ceil_mode: 1 });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  avgDilated() {
    const s = new Sketch(24, [1, 7]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 1])]);
    const b = s.op("AveragePool", [a], { kernel_shape: [3], strides: [2], pads: [1, 1], ceil_mode: 1, count_include_pad: 1 });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
};
for (const [name, make] of Object.entries(nets)) test(name, async () => {
  const net = make(); const loss = losses64[0]!;
  const measured = await measureSketch(net, loss.name, { batch: 2, perSample: true });
  console.log(name, JSON.stringify(measured.result.layers.map((l) => [l.name, l.positions, l.skipped])), measured.result.loss.value);
  for (const layer of net.layers) {
    const exact = [0, 1, 2].map((i) => curvatureByDifferences(net, layer, loss, i, targetsOf(net, loss.name, i)));
    let k: number[] = [];
    try { k = [...samplesOf(measured, layer.name, "relative-flatness")]; } catch { continue }
    console.log(layer.name, maximumError(k, exact.map((e) => e.kappa)).toExponential(1), maximumError([...samplesOf(measured, layer.name, "hessian-trace")], exact.map((e) => e.trace)).toExponential(1), k, exact.map((e) => e.kappa));
  }
});
