import type { AttributeValue } from "../src/graph/builder.ts";
import { Sketch, type Sketched } from "./sketch.ts";

const N = 3;

/** ConvTranspose → ReLU → dense. @param size numbers that come out of it */
function grown(
  seed: number,
  input: readonly number[],
  kernel: readonly number[],
  size: number,
  given: Readonly<Record<string, AttributeValue>>,
  groups = 1,
): Sketched {
  const s = new Sketch(seed, input);
  const outputs = kernel[1]! * groups;
  const weights = [s.turnedKernel("a", kernel, groups), s.random("a.bias", [outputs])];
  const a = s.op("Relu", [s.op("ConvTranspose", ["x", ...weights], { ...given, group: groups })]);
  return s.done(s.op("Gemm", [s.op("Flatten", [a]), s.rows("c", [3, size])], { transB: 1 }), N);
}

/** Transposed convolutions, each with attributes that the others do not have. */
export const tinyTransposedConvolutions: Readonly<Record<string, () => Sketched>> = {
  "transposed convolution of a line, stride 2": () => grown(111, [2, 4], [2, 3, 3], 27, { strides: [2] }),
  "transposed convolution of a line, kernel smaller than its stride": () =>
    grown(112, [2, 3], [2, 2, 2], 16, { strides: [3] }),
  "transposed convolution, uneven pads, output_padding": () =>
    // 2·(3−1) + 1 + (3−1) + 1 − 1 − 0 = 7; 2·(2−1) + 0 + 1 + 1 − 0 − 1 = 3.
    grown(113, [2, 3, 2], [2, 2, 3, 2], 42, { strides: [2, 2], pads: [1, 0, 0, 1], output_padding: [1, 0] }),
  "transposed convolution, dilation": () =>
    // (3−1) + 2·(2−1) + 1 − 2 = 3; 2·(2−1) + (3−1)·2 + 1 − 2 = 5.
    grown(114, [1, 3, 2], [1, 3, 2, 3], 45, { strides: [1, 2], dilations: [2, 2], pads: [1, 1, 1, 1] }),
  "transposed convolution in groups": () => grown(119, [4, 2, 3], [4, 3, 2, 2], 6 * 4 * 6, { strides: [2, 2] }, 2),
  "transposed convolution of each channel apart, with pads": () =>
    grown(116, [3, 3], [3, 1, 3], 15, { strides: [2], pads: [1, 1] }, 3),
};
