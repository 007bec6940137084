import { Sketch, type Sketched } from "./sketch.ts";

const N = 3;
const INT64 = 7;

/** Networks whose weights meet rows that are not sample by sample: tokens first, or the rows of all samples in one axis. */
export const tinyRowOrders: Readonly<Record<string, () => Sketched>> = {
  "tokens first"() {
    const s = new Sketch(301, [4, 3]);
    const turned = s.op("Transpose", ["x"], { perm: [1, 0, 2] });
    const a = s.op("Relu", [s.op("MatMul", [turned, s.columns("a", 3, 5)])]);
    const b = s.op("Relu", [s.op("Add", [s.op("MatMul", [a, s.columns("b", 5, 2)]), s.random("b.bias", [2])])]);
    const flat = s.op("Flatten", [s.op("Transpose", [b], { perm: [1, 0, 2] })]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  "tokens of all samples in one axis"() {
    const s = new Sketch(302, [4, 3]);
    const tokens = s.op("Reshape", ["x", s.integers(-1, 3)]);
    const scaled = { alpha: { float: 0.5 }, beta: { float: 2 } };
    const a = s.op("Relu", [s.op("Gemm", [tokens, s.columns("a", 3, 5), s.random("a.bias", [5])], scaled)]);
    const b = s.op("Relu", [s.op("Gemm", [a, s.rows("b", [2, 5]), s.random("b.bias", [1, 2])], { transB: 1 })]);
    const flat = s.op("Reshape", [b, s.integers(-1, 8)]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  "all in one axis, tokens before samples, as attention's last projection"() {
    const s = new Sketch(303, [4, 3]);
    const turned = s.op("Transpose", ["x"], { perm: [1, 0, 2] });
    const rows = s.op("Reshape", [turned, s.integers(-1, 3)]);
    const a = s.op("Relu", [s.op("Gemm", [rows, s.rows("a", [2, 3]), s.random("a.bias", [2])], { transB: 1 })]);
    const back = s.op("Transpose", [s.op("Reshape", [a, s.integers(4, -1, 2)])], { perm: [1, 0, 2] });
    return s.done(s.op("Gemm", [s.op("Flatten", [back]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  "samples between two axes of tokens"() {
    const s = new Sketch(304, [2, 2, 3]);
    const turned = s.op("Transpose", ["x"], { perm: [1, 0, 2, 3] });
    const rows = s.op("Reshape", [turned, s.integers(-1, 3)]);
    const a = s.op("Relu", [s.op("MatMul", [rows, s.columns("a", 3, 2)])]);
    const back = s.op("Transpose", [s.op("Reshape", [a, s.integers(2, -1, 2, 2)])], { perm: [1, 0, 2, 3] });
    return s.done(s.op("Gemm", [s.op("Flatten", [back]), s.rows("c", [3, 8])], { transB: 1 }), N);
  },
  "windows of a map among the samples, as shifted windows have them"() {
    const s = new Sketch(305, [4, 2, 3]);
    const split = s.op("Reshape", ["x", s.integers(-1, 2, 2, 1, 2, 3)]);
    const windows = s.op("Reshape", [s.op("Transpose", [split], { perm: [0, 1, 3, 2, 4, 5] }), s.integers(-1, 4, 3)]);
    const a = s.op("Relu", [s.op("Add", [s.op("MatMul", [windows, s.columns("a", 3, 2)]), s.random("a.bias", [2])])]);
    return s.done(s.op("Gemm", [s.op("Reshape", [a, s.integers(-1, 16)]), s.rows("c", [3, 16])], { transB: 1 }), N);
  },
  "Gemm that adds what is computed for each row"() {
    const s = new Sketch(306, [2, 3]);
    const rows = s.op("Reshape", ["x", s.integers(-1, 3)]);
    const a = s.op("Relu", [s.op("Gemm", [rows, s.rows("a", [3, 3]), rows], { transB: 1, beta: { float: 0.5 } })]);
    return s.done(s.op("Gemm", [s.op("Reshape", [a, s.integers(-1, 6)]), s.rows("c", [3, 6])], { transB: 1 }), N);
  },
  "embedding of the tokens of all samples in one axis"() {
    const s = new Sketch(307, [4]);
    const tokens = s.op("Reshape", [s.op("Cast", ["x"], { to: INT64 }), s.integers(-1)]);
    const a = s.op("Relu", [s.op("Gather", [s.table("tok", 5, 3), tokens])]);
    const b = s.op("Relu", [s.op("MatMul", [a, s.columns("b", 3, 3)])]);
    const flat = s.op("Reshape", [b, s.integers(-1, 12)]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 12])], { transB: 1 }), N, [1, 4, 1, 1, 0, 3, 2, 0, 4, 4, 2, 3]);
  },
  "embedding of tokens first"() {
    const s = new Sketch(308, [3]);
    const tokens = s.op("Transpose", [s.op("Cast", ["x"], { to: INT64 })]);
    const a = s.op("Relu", [s.op("Gather", [s.table("tok", 7, 2), tokens])]);
    const flat = s.op("Flatten", [s.op("Transpose", [a], { perm: [1, 0, 2] })]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 6])], { transB: 1 }), N, [1, 6, 1, 0, 3, 2, 5, 5, 4]);
  },
  "samples in columns: W on the left, of a product and of Gemm"() {
    const s = new Sketch(309, [4]);
    const columns = s.op("Transpose", ["x"], { perm: [1, 0] });
    const a = s.op("Relu", [s.op("Add", [s.op("MatMul", [s.rows("a", [5, 4]), columns]), s.random("a.bias", [5, 1])])]);
    const scaled = { alpha: { float: 0.5 }, beta: { float: 2 } };
    const b = s.op("Relu", [s.op("Gemm", [s.rows("b", [4, 5]), a, s.random("b.bias", [4, 1])], scaled)]);
    const c = s.op("Relu", [s.op("Gemm", [s.columns("c", 4, 3), b], { transA: 1 })]);
    return s.done(s.op("Transpose", [s.op("MatMul", [s.rows("d", [3, 3]), c])], { perm: [1, 0] }), N);
  },
  "samples in columns turned by Gemm, from either side"() {
    const s = new Sketch(310, [4]);
    const columns = s.op("Transpose", ["x"], { perm: [1, 0] });
    const a = s.op("Relu", [s.op("Gemm", [columns, s.columns("a", 4, 5), s.random("a.bias", [5])], { transA: 1 })]);
    const b = s.op("Relu", [s.op("Gemm", [s.rows("b", [3, 5]), a, s.random("b.bias", [3, 1])], { transB: 1 })]);
    const turned = { transA: 1, transB: 1, alpha: { float: 1.5 } };
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 3]), s.random("c.bias", [3])], turned), N);
  },
};
