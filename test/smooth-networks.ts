import { Sketch, type Sketched } from "./sketch.ts";

const N = 3;
const INT64 = 7;

/** Networks with Tanh and Softplus, small enough for second differences; each a case of its own for the sweep. */
export const smoothNetworks: Readonly<Record<string, () => Sketched>> = {
  "dense: lengths stand for features"() {
    const s = new Sketch(201, [3]);
    const a = s.op("Tanh", [s.op("Gemm", ["x", s.rows("a", [4, 3]), s.random("a.bias", [4])], { transB: 1 })]);
    const b = s.op("Softplus", [s.op("Gemm", [a, s.rows("b", [3, 4]), s.random("b.bias", [3])], { transB: 1 })]);
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
  "convolution, more features than positions: rows of their inner products' factor"() {
    const s = new Sketch(202, [2, 3, 3]);
    const a = s.op("Tanh", [s.op("Conv", ["x", s.rows("a", [3, 2, 2, 2]), s.random("a.bias", [3])])]);
    return s.done(s.op("Gemm", [s.op("Softplus", [s.op("Flatten", [a])]), s.rows("c", [3, 12])], { transB: 1 }), N);
  },
  "convolution, fewer features than positions"() {
    const s = new Sketch(203, [1, 4, 4]);
    const a = s.op("Tanh", [s.op("Conv", ["x", s.rows("a", [2, 1, 2, 2]), s.random("a.bias", [2])])]);
    const b = s.op("Softplus", [s.op("Conv", [a, s.rows("b", [2, 2, 2, 2])])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  "convolution in groups: rows of different groups do not meet"() {
    const s = new Sketch(204, [4, 2, 3]);
    const window = { group: 2, pads: [0, 1, 0, 0] };
    const a = s.op("Tanh", [s.op("Conv", ["x", s.rows("a", [4, 2, 2, 2], 2), s.random("a.bias", [4])], window)]);
    const b = s.op("Softplus", [s.op("Conv", [a, s.rows("b", [4, 1, 1, 2], 4)], { group: 4 })]);
    const c = s.op("Tanh", [s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 8])], { transB: 1 })]);
    return s.done(s.op("Gemm", [c, s.rows("d", [3, 3])], { transB: 1 }), N);
  },
  "W on the left of its features"() {
    const s = new Sketch(205, [4, 3]);
    const a = s.op("Tanh", [s.op("MatMul", [s.rows("a", [2, 4]), "x"])]);
    const b = s.op("Softplus", [s.op("MatMul", [a, s.columns("b", 3, 3)])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 6])], { transB: 1 }), N);
  },
  "W on the left of features with an axis more"() {
    const s = new Sketch(206, [2, 3, 2]);
    const a = s.op("Tanh", [s.op("MatMul", [s.rows("a", [3, 3]), "x"])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 12])], { transB: 1 }), N);
  },
  "embedding, more tokens than positions"() {
    const s = new Sketch(207, [4]);
    const rows = s.op("Gather", [s.table("tok", 7, 3), s.op("Cast", ["x"], { to: INT64 })]);
    const a = s.op("Tanh", [s.op("MatMul", [rows, s.columns("a", 3, 3)])]);
    return s.done(
      s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 12])], { transB: 1 }),
      N,
      [1, 5, 1, 1, 0, 6, 2, 0, 3, 3, 3, 3],
    );
  },
  "embedding, fewer tokens than positions"() {
    const s = new Sketch(208, [5]);
    const rows = s.op("Gather", [s.table("tok", 3, 2), s.op("Cast", ["x"], { to: INT64 })]);
    const a = s.op("Softplus", [s.op("Flatten", [rows])]);
    return s.done(
      s.op("Gemm", [a, s.rows("c", [3, 10])], { transB: 1 }),
      N,
      [0, 2, 1, 1, 0, 2, 2, 2, 2, 0, 1, 1, 1, 1, 1],
    );
  },
  "transposed convolution in groups, stride 2 and pads"() {
    const s = new Sketch(209, [4, 3]);
    const window = { group: 2, strides: [2], pads: [1, 0], output_padding: [1] };
    const a = s.op("Tanh", [s.op("ConvTranspose", ["x", s.turnedKernel("a", [4, 2, 2], 2)], window)]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 24])], { transB: 1 }), N);
  },
  "one weight for two inputs"() {
    const s = new Sketch(210, [2, 3]);
    const w = s.rows("a", [3, 3]);
    const part = (index: number) => {
      const cut = s.op("Slice", ["x", s.integers(index), s.integers(index + 1), s.integers(1)]);
      return s.op("Tanh", [s.op("Gemm", [s.op("Reshape", [cut, s.integers(-1, 3)]), w], { transB: 1 })]);
    };
    const both = s.op("Mul", [part(0), s.op("Softplus", [part(1)])]);
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
  "tokens first, and all in one axis"() {
    const s = new Sketch(211, [3, 2]);
    const turned = s.op("Transpose", ["x"], { perm: [1, 0, 2] });
    const a = s.op("Tanh", [s.op("MatMul", [turned, s.columns("a", 2, 3)])]);
    const rows = s.op("Reshape", [a, s.integers(-1, 3)]);
    const b = s.op("Softplus", [s.op("Gemm", [rows, s.rows("b", [2, 3]), s.random("b.bias", [2])], { transB: 1 })]);
    const back = s.op("Transpose", [s.op("Reshape", [b, s.integers(3, -1, 2)])], { perm: [1, 0, 2] });
    return s.done(s.op("Gemm", [s.op("Flatten", [back]), s.rows("c", [3, 6])], { transB: 1 }), N);
  },
};
