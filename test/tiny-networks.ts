import { Sketch, type Sketched } from "./sketch.ts";
import { tinyEmbeddings } from "./tiny-embeddings.ts";
import { tinyRowOrders } from "./tiny-row-orders.ts";
import { tinyTransposedConvolutions } from "./tiny-transposed-convolutions.ts";

/** Sample count of every tiny network: one more than a batch of two, so that a short batch comes last. */
const N = 3;

/** The network that sits on kinks: differences of its loss say nothing. */
export const TIED = "max pool with ties: the first of equal ones counts";

/** Networks small enough for a Hessian by brute force, each with one feature that the others do not have. */
export const tinyNetworks: Readonly<Record<string, () => Sketched>> = {
  ...tinyEmbeddings,
  ...tinyRowOrders,
  ...tinyTransposedConvolutions,
  "dense, three layers"() {
    const s = new Sketch(11, [4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4]), s.random("a.bias", [5])], { transB: 1 })]);
    const b = s.op("Relu", [s.op("Gemm", [a, s.rows("b", [4, 5]), s.random("b.bias", [4])], { transB: 1 })]);
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 4]), s.random("c.bias", [3])], { transB: 1 }), N);
  },
  "Gemm with alpha and beta, MatMul and Add"() {
    const s = new Sketch(12, [4]);
    const first = ["x", s.columns("a", 4, 5), s.random("a.bias", [5])];
    const a = s.op("Relu", [s.op("Gemm", first, { alpha: { float: 0.5 }, beta: { float: 2 } })]);
    const b = s.op("Relu", [s.op("Add", [s.random("b.bias", [4]), s.op("MatMul", [a, s.columns("b", 5, 4)])])]);
    const last = [b, s.rows("c", [3, 4]), s.random("c.bias", [3])];
    return s.done(s.op("Gemm", last, { alpha: { float: 1.5 }, transB: 1 }), N);
  },
  "weights behind Transpose"() {
    const s = new Sketch(13, [4]);
    const w = s.op("Transpose", [s.rows("a", [5, 4])], { perm: [1, 0] });
    const a = s.op("Relu", [s.op("MatMul", ["x", w])]);
    return s.done(s.op("MatMul", [a, s.op("Transpose", [s.rows("c", [3, 5])], { perm: [1, 0] })]), N);
  },
  "convolution with stride, uneven pads and dilation"() {
    const s = new Sketch(14, [2, 5, 6]);
    const window = { kernel_shape: [2, 3], strides: [2, 1], pads: [1, 0, 0, 2], dilations: [1, 2] };
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [3, 2, 2, 3]), s.random("a.bias", [3])], window)]);
    const flat = s.op("Flatten", [a]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 36])], { transB: 1 }), N);
  },
  "convolution in groups, and a depthwise one"() {
    const s = new Sketch(15, [4, 4, 4]);
    const a = s.op("Relu", [
      s.op("Conv", ["x", s.rows("a", [4, 2, 3, 3], 2), s.random("a.bias", [4])], { group: 2, pads: [1, 1, 1, 1] }),
    ]);
    const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [4, 1, 2, 2], 4), s.random("b.bias", [4])], { group: 4 })]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 36])], { transB: 1 }), N);
  },
  "convolution along one axis, padded by SAME_UPPER"() {
    const s = new Sketch(16, [2, 8]);
    const window = { auto_pad: "SAME_UPPER", strides: [2] };
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [3, 2, 4]), s.random("a.bias", [3])], window)]);
    const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [3, 3, 2])])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [4, 9])], { transB: 1 }), N);
  },
  "convolution in three dimensions, and a wide one with few positions"() {
    const s = new Sketch(17, [1, 3, 4, 3]);
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [2, 1, 2, 2, 2]), s.random("a.bias", [2])])]);
    const b = s.op("Relu", [s.op("Conv", [a, s.rows("b", [5, 2, 2, 2, 2]), s.random("b.bias", [5])])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 10])], { transB: 1 }), N);
  },
  "last layer a 1×1 convolution before global pooling"() {
    const s = new Sketch(18, [2, 4, 4]);
    const a = s.op("Relu", [s.op("Conv", ["x", s.rows("a", [3, 2, 3, 3]), s.random("a.bias", [3])])]);
    const b = s.op("Conv", [a, s.rows("b", [3, 3, 1, 1]), s.random("b.bias", [3])]);
    return s.done(s.op("Flatten", [s.op("GlobalAveragePool", [b])]), N);
  },
  "MatMul shared by positions"() {
    const s = new Sketch(19, [5, 3]);
    const a = s.op("Relu", [s.op("Add", [s.op("MatMul", ["x", s.columns("a", 3, 4)]), s.random("a.bias", [4])])]);
    const b = s.op("Relu", [s.op("MatMul", [a, s.columns("b", 4, 2)])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 10])], { transB: 1 }), N);
  },
  "tokens and channels mixed in turn: W on either side"() {
    const s = new Sketch(20, [4, 3]);
    const a = s.op("Relu", [s.op("MatMul", [s.rows("a", [5, 4]), "x"])]);
    const b = s.op("Relu", [s.op("MatMul", [a, s.columns("b", 3, 3)])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 15])], { transB: 1 }), N);
  },
  "residual connections"() {
    const s = new Sketch(21, [4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [4, 4])], { transB: 1 })]);
    const b = s.op("Add", [a, s.op("Gemm", [s.op("Relu", [a]), s.rows("b", [4, 4])], { transB: 1 })]);
    const c = s.op("Sum", [b, "x", s.op("Neg", [s.op("Relu", [b])])]);
    return s.done(s.op("Gemm", [c, s.rows("c", [3, 4])], { transB: 1 }), N);
  },
  "average pool with pads that count, or do not, and ceil_mode"() {
    const s = new Sketch(22, [2, 6, 6]);
    const a = s.op("Relu", [
      s.op("Conv", ["x", s.rows("a", [2, 2, 3, 3]), s.random("a.bias", [2])], { pads: [1, 1, 1, 1] }),
    ]);
    const window = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0] };
    const counted = s.op("AveragePool", [a], { ...window, count_include_pad: 1 });
    const apart = s.op("AveragePool", [a], { ...window, ceil_mode: 1 });
    const both = s.op("Concat", [s.op("Flatten", [counted]), s.op("Flatten", [apart])], { axis: 1 });
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 36])], { transB: 1 }), N);
  },
  "max pool of windows side by side, and a remainder"() {
    const s = new Sketch(23, [1, 7, 6]);
    const a = s.op("Relu", [
      s.op("Conv", ["x", s.rows("a", [2, 1, 2, 2]), s.random("a.bias", [2])], { pads: [0, 0, 1, 1] }),
    ]);
    const b = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 18])], { transB: 1 }), N);
  },
  "max pool of windows that overlap, padded"() {
    const s = new Sketch(24, [1, 5, 5]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 2, 2]), s.random("a.bias", [2])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1] });
    return s.done(s.op("Gemm", [s.op("Flatten", [b]), s.rows("c", [3, 32])], { transB: 1 }), N);
  },
  "max pool along one axis and along three"() {
    const s = new Sketch(33, [1, 2, 4, 4]);
    const a = s.op("Conv", ["x", s.rows("a", [2, 1, 1, 2, 2])]);
    const b = s.op("MaxPool", [a], { kernel_shape: [2, 2, 2], strides: [1, 1, 1] });
    const long = s.op("Reshape", [a, s.integers(-1, 2, 18)]);
    const c = s.op("MaxPool", [long], { kernel_shape: [3], strides: [4], dilations: [2], ceil_mode: 1 });
    const both = s.op("Concat", [s.op("Flatten", [b]), s.op("Flatten", [c])], { axis: 1 });
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 18])], { transB: 1 }), N);
  },
  [TIED]() {
    const s = new Sketch(25, [2, 4, 4]);
    // Small whole numbers, whose sums and differences tie though the features behind them differ.
    const a = s.op("Conv", ["x", s.rows("a", [3, 2, 1, 1], 1, [1, 1, 1, -1, 2, 1])]);
    const tiled = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [2, 2] });
    const across = s.op("MaxPool", [a], { kernel_shape: [2, 2], strides: [1, 1] });
    const both = s.op("Concat", [s.op("Flatten", [tiled]), s.op("Flatten", [across])], { axis: 1 });
    const x = Array.from({ length: N * 32 }, (_, index) => (index * index + (index % 5)) % 3);
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 39])], { transB: 1 }), N, x);
  },
  "batch normalization kept as a node"() {
    const s = new Sketch(26, [2, 4, 4]);
    const statistics = (name: string) => [
      s.random(`${name}.gain`, [3], 1),
      s.random(`${name}.shift`, [3]),
      s.random(`${name}.mean`, [3]),
      s.constant(`${name}.variance`, [3], [0.5, 1.5, 0.01]),
    ];
    const a = s.op("Conv", ["x", s.rows("a", [3, 2, 2, 2])]);
    const b = s.op("Relu", [s.op("BatchNormalization", [a, ...statistics("n")], { epsilon: { float: 1e-3 } })]);
    const c = s.op("Gemm", [s.op("Flatten", [b]), s.rows("b", [3, 27])], { transB: 1 });
    const d = s.op("Relu", [s.op("BatchNormalization", [c, ...statistics("m")])]);
    return s.done(s.op("Gemm", [d, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
  "LeakyRelu, Clip and constant factors"() {
    const s = new Sketch(27, [4]);
    const a = s.op("LeakyRelu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })], { alpha: { float: 0.2 } });
    const scaled = s.op("Div", [s.op("Mul", [a, s.random("gain", [5], 1)]), s.constant("two", [], [2])]);
    const b = s.op("Sub", [s.constant("one", [], [1]), s.op("Gemm", [scaled, s.rows("b", [5, 5])], { transB: 1 })]);
    const c = s.op("Clip", [b, s.constant("low", [], [-0.5]), s.constant("high", [], [1.5])]);
    const d = s.op("Clip", [c, "", s.constant("top", [], [1.2])]);
    return s.done(s.op("Gemm", [d, s.rows("c", [3, 5])], { transB: 1 }), N);
  },
  "Concat, Pad and Slice"() {
    const s = new Sketch(28, [2, 4, 4]);
    const padded = s.op("Pad", ["x", s.integers(0, 0, 1, 0, 0, 0, 0, 1)]);
    const a = s.op("Relu", [s.op("Conv", [padded, s.rows("a", [2, 2, 2, 2]), s.random("a.bias", [2])])]);
    const b = s.op("Concat", [a, s.op("Relu", [s.op("Neg", [a])]), "x"], { axis: 1 });
    const framed = s.op("Pad", [b, s.integers(1, 0, 0, 1), "", s.integers(-1, 1)]);
    const c = s.op("Relu", [s.op("Conv", [framed, s.rows("b", [2, 7, 1, 1])])]);
    const cut = s.op("Slice", [c, s.integers(1, -4), s.integers(3, 100), s.integers(2, 3)]);
    return s.done(s.op("Gemm", [s.op("Flatten", [cut]), s.rows("c", [3, 16])], { transB: 1 }), N);
  },
  "Transpose, Reshape, Flatten, Squeeze and Unsqueeze"() {
    const s = new Sketch(29, [2, 3, 4]);
    const turned = s.op("Transpose", [s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 4, 3)])])], {
      perm: [0, 3, 1, 2],
    });
    const grown = s.op("Unsqueeze", [turned, s.integers(1, -1)]);
    const folded = s.op("Reshape", [s.op("Squeeze", [grown, s.integers(-1, 1)]), s.integers(0, 3, -1)]);
    const b = s.op("Relu", [s.op("MatMul", [folded, s.columns("b", 6, 2)])]);
    const flat = s.op("Flatten", [s.op("Transpose", [b], { perm: [0, 2, 1] })]);
    return s.done(s.op("Gemm", [flat, s.rows("c", [3, 6])], { transB: 1 }), N);
  },
  "one weight for two inputs that do not meet before the end"() {
    const s = new Sketch(30, [2, 4]);
    const w = s.rows("a", [3, 4]);
    const part = (index: number) => {
      const cut = s.op("Slice", ["x", s.integers(index), s.integers(index + 1), s.integers(1)]);
      return s.op("Relu", [s.op("Gemm", [s.op("Reshape", [cut, s.integers(-1, 4)]), w], { transB: 1 })]);
    };
    const both = s.op("Sub", [part(0), part(1)]);
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
  "one kernel for two convolutions with different windows"() {
    const s = new Sketch(31, [2, 4, 4]);
    const w = s.rows("a", [2, 2, 2, 2]);
    const wide = s.op("Relu", [s.op("Conv", ["x", w], { pads: [1, 1, 1, 1], dilations: [2, 2] })]);
    const narrow = s.op("Relu", [s.op("Conv", ["x", w], { strides: [2, 2] })]);
    const both = s.op("Concat", [s.op("Flatten", [wide]), s.op("Flatten", [narrow])], { axis: 1 });
    return s.done(s.op("Gemm", [both, s.rows("c", [3, 40])], { transB: 1 }), N);
  },
  "a product with a vector, which loses an axis"() {
    const s = new Sketch(34, [5, 4]);
    const a = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 4, 3)])]);
    const b = s.op("MatMul", [a, s.random("v", [3], 1)]);
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 5])], { transB: 1 }), N);
  },
  "padding by less than nothing, which cuts"() {
    const s = new Sketch(35, [2, 4]);
    const a = s.op("Relu", [s.op("MatMul", ["x", s.columns("a", 4, 5)])]);
    const b = s.op("Flatten", [s.op("Pad", [a, s.integers(0, 0, -1, 0, 1, -1)])]);
    return s.done(s.op("Gemm", [b, s.rows("c", [3, 9])], { transB: 1 }), N);
  },
  "one output that a constant spreads over three"() {
    const s = new Sketch(36, [4]);
    const a = s.op("Relu", [s.op("Gemm", ["x", s.rows("a", [5, 4])], { transB: 1 })]);
    const b = s.op("Gemm", [a, s.rows("b", [1, 5])], { transB: 1 });
    return s.done(s.op("Mul", [s.op("Add", [b, s.random("c", [3])]), s.random("d", [3], 1)]), N);
  },
  "W on the left of features with an axis more"() {
    const s = new Sketch(37, [2, 4, 3]);
    const a = s.op("Relu", [s.op("MatMul", [s.rows("a", [5, 4]), "x"])]);
    return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, 30])], { transB: 1 }), N);
  },
  "one weight for two inputs, one of which ends in another output"() {
    const s = new Sketch(38, [2, 4]);
    const w = s.rows("a", [3, 4]);
    const part = (index: number) => {
      const cut = s.op("Slice", ["x", s.integers(index), s.integers(index + 1), s.integers(1)]);
      return s.op("Relu", [s.op("Gemm", [s.op("Flatten", [cut]), w], { transB: 1 })]);
    };
    const [used] = [part(0), part(1)];
    return s.done(s.op("Gemm", [used, s.rows("c", [3, 3])], { transB: 1 }), N);
  },
};
