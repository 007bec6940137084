import type { Case } from "../one-node.ts";
import { w, x } from "../running.ts";

const image = x(2, 4, 7, 6);

/** Products and convolutions. */
export const linearCases: readonly Case[] = [
  ["MatMul", [x(2, 3), w(3, 4)]],
  ["MatMul", [x(3), w(3, 4)]],
  ["MatMul", [x(2, 3), w(3)]],
  ["MatMul", [x(3), w(3)]],
  ["MatMul", [x(5, 1, 2, 3), w(4, 3, 2)]],
  ["MatMul", [x(2, 3), w(4, 3, 5)]],
  ["MatMul", [x(3), w(2, 4, 3, 5)]],
  ["MatMul", [x(2, 4, 2, 3), w(3)]],
  ["Gemm", [x(2, 3), w(3, 4)]],
  ["Gemm", [x(2, 3), w(4, 3), x(4)], { transB: 1, alpha: { float: 0.5 }, beta: { float: 2 } }],
  ["Gemm", [x(3, 2), w(3, 4), x(2, 1)], { transA: 1 }],
  ["Gemm", [x(3, 2), w(4, 3)], { transA: 1, transB: 1 }],

  ["Conv", [image, w(5, 4, 3, 2)]],
  ["Conv", [image, w(5, 4, 3, 3), x(5)], { strides: [2, 3], pads: [1, 0, 2, 1] }],
  ["Conv", [image, w(5, 4, 3, 2)], { dilations: [2, 3], pads: [0, 3, 1, 0] }],
  ["Conv", [image, w(6, 2, 3, 3)], { group: 2, kernel_shape: [3, 3], pads: [1, 1, 1, 1] }],
  ["Conv", [image, w(8, 1, 1, 2)], { group: 4, strides: [3, 2] }],
  ["Conv", [image, w(2, 4, 3, 2)], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
  ["Conv", [image, w(2, 4, 2, 3)], { auto_pad: "SAME_LOWER", strides: [3, 2] }],
  ["Conv", [image, w(2, 4, 3, 3)], { auto_pad: "VALID", strides: [2, 2] }],
  ["Conv", [image, w(2, 4, 3, 3)], { auto_pad: "NOTSET", pads: [3, 2, 1, 0] }],
  ["Conv", [x(2, 3, 9), w(4, 3, 4)], { strides: [2], pads: [1, 2], dilations: [2] }],
  ["Conv", [x(2, 2, 4, 5, 6), w(3, 2, 2, 3, 2)], { strides: [1, 2, 2], pads: [0, 1, 0, 1, 0, 2] }],

  ["ConvTranspose", [image, w(4, 3, 3, 2)]],
  ["ConvTranspose", [image, w(4, 3, 3, 3), x(3)], { strides: [2, 3], pads: [1, 0, 2, 1] }],
  ["ConvTranspose", [image, w(4, 3, 3, 2)], { strides: [2, 2], output_padding: [1, 0] }],
  ["ConvTranspose", [image, w(4, 3, 3, 2)], { dilations: [2, 3] }],
  ["ConvTranspose", [image, w(4, 3, 2, 2)], { group: 2, strides: [2, 2] }],
  ["ConvTranspose", [image, w(4, 3, 3, 3)], { strides: [2, 2], output_shape: [14, 13] }],
  ["ConvTranspose", [image, w(4, 3, 3, 3)], { auto_pad: "SAME_UPPER", strides: [2, 3] }],
  ["ConvTranspose", [image, w(4, 3, 3, 3)], { auto_pad: "SAME_LOWER", strides: [2, 2] }],
  ["ConvTranspose", [image, w(4, 3, 2, 2)], { auto_pad: "SAME_UPPER" }],
  ["ConvTranspose", [image, w(4, 3, 1, 1)], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
  ["ConvTranspose", [image, w(4, 3, 3, 3)], { auto_pad: "VALID", strides: [2, 2] }],
  ["ConvTranspose", [x(2, 3, 5), w(3, 2, 4)], { strides: [3], pads: [1, 0] }],
  ["ConvTranspose", [x(1, 2, 2, 3, 2), w(2, 1, 2, 2, 3)], { strides: [2, 1, 2] }],

  ["Einsum", [x(2, 3), w(3, 4)], { equation: "ij,jk->ik" }],
  ["Einsum", [x(2, 5, 3), w(2, 4, 3)], { equation: "b i d, b j d -> b i j" }],
  ["Einsum", [x(2, 3)], { equation: "ij->ji" }],
  ["Einsum", [x(3, 3)], { equation: "ii->i" }],
  ["Einsum", [x(3), w(3)], { equation: "i,i->" }],
  ["Einsum", [x(1, 3), w(4, 3)], { equation: "bi,bi->b" }],
  ["Einsum", [x(2, 3), w(2, 4), x(2)], { equation: "bi,bj,b->bij" }],
];
