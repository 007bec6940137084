import { Sketch, type Sketched } from "../../sketch.ts";

// Small networks around the operator that is tested.

/** Samples of each network. */
const N = 3;
/** Neurons of the layer whose freedom is counted. */
export const WIDTH = 4;

/** 5 → 4 numbers → what is tested → 3 numbers. */
export function dense(between: (s: Sketch, h: string) => string, columns = WIDTH): Sketched {
  const s = new Sketch(701, [5]);
  const h = s.op("Gemm", ["x", s.rows("a", [WIDTH, 5]), s.random("a.bias", [WIDTH])], { transB: 1 });
  return s.done(s.op("Gemm", [between(s, h), s.rows("z", [3, columns])], { transB: 1 }), N);
}

/** 2×6×6 → 4×6×6 → what is tested → 3 numbers. */
export function images(columns: number, between: (s: Sketch, h: string) => string): Sketched {
  const s = new Sketch(702, [2, 6, 6]);
  const kernel = s.rows("a", [WIDTH, 2, 3, 3]);
  const h = s.op("Relu", [s.op("Conv", ["x", kernel, s.random("a.bias", [WIDTH])], { pads: [1, 1, 1, 1] })]);
  return s.done(s.op("Gemm", [s.op("Flatten", [between(s, h)]), s.rows("z", [3, columns])], { transB: 1 }), N);
}

/** 3 tokens of 5 → 3 tokens of 4 → what is tested, with 12 elements → 3 numbers. */
export function tokens(between: (s: Sketch, h: string) => string, columns = 12): Sketched {
  const s = new Sketch(703, [3, 5]);
  const h = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 5, WIDTH)])]);
  return s.done(s.op("Gemm", [s.op("Flatten", [between(s, h)]), s.rows("z", [3, columns])], { transB: 1 }), N);
}
