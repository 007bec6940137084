import { Tensor } from "../../../src/graph/tensor.ts";
import type { Case } from "../one-node.ts";
import { list } from "../one-node.ts";
import { x } from "../running.ts";

const image = x(2, 3, 7, 6);

const windows = ["MaxPool", "AveragePool", "LpPool"].flatMap((op): Case[] => [
  [op, [image], { kernel_shape: [2, 3] }],
  [op, [image], { kernel_shape: [2, 2], strides: [2, 2] }],
  [op, [image], { kernel_shape: [3, 3], strides: [2, 3], pads: [1, 0, 2, 1] }],
  [op, [image], { kernel_shape: [3, 2], strides: [2, 2], auto_pad: "SAME_UPPER" }],
  [op, [image], { kernel_shape: [2, 3], strides: [3, 2], auto_pad: "SAME_LOWER" }],
  [op, [image], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "VALID" }],
  [op, [image], { kernel_shape: [2, 2], strides: [2, 4], ceil_mode: 1 }],
  [op, [image], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], ceil_mode: 1 }],
  // The last window would begin in the padding: it is left out.
  [op, [x(1, 1, 4, 4)], { kernel_shape: [1, 2], strides: [2, 3], pads: [0, 0, 0, 1], ceil_mode: 1 }],
  [op, [x(1, 1, 2, 2)], { kernel_shape: [2, 2], strides: [3, 3], pads: [0, 0, 1, 1], ceil_mode: 1 }],
  [op, [x(2, 3, 8)], { kernel_shape: [3], strides: [2], pads: [0, 1] }],
  [op, [x(1, 2, 4, 5, 6)], { kernel_shape: [2, 2, 3], strides: [1, 2, 2], pads: [0, 1, 1, 0, 0, 1] }],
]);

/** Pooling: windows of one to three axes, and global. */
export const poolingCases: readonly Case[] = [
  ...windows,
  ["MaxPool", [image], { kernel_shape: [2, 2], dilations: [2, 3] }],
  ["MaxPool", [image], { kernel_shape: [2, 2], dilations: [3, 2], strides: [2, 2], ceil_mode: 1 }],
  ["MaxPool", [image], { kernel_shape: [2, 2], strides: [2, 2] }, { outputs: 2 }],
  ["MaxPool", [image], { kernel_shape: [2, 2], strides: [2, 2], storage_order: 1 }, { outputs: 2 }],
  ["MaxPool", [Tensor.of("uint8", [1, 1, 3, 3], Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9))], { kernel_shape: [2, 2] }],
  ["LpPool", [image], { kernel_shape: [2, 2], dilations: [2, 1], p: 1 }],
  ["AveragePool", [image], { kernel_shape: [3, 3], pads: [1, 1, 1, 1], count_include_pad: 1 }],
  [
    "MaxUnpool",
    [x(1, 1, 2, 2), Tensor.of("int64", [1, 1, 2, 2], BigInt64Array.of(0n, 3n, 9n, 15n)), list(1, 1, 5, 5)],
    { kernel_shape: [2, 2], strides: [2, 2] },
  ],
  [
    "MaxUnpool",
    [x(1, 1, 2, 2), Tensor.of("int64", [1, 1, 2, 2], BigInt64Array.of(0n, 3n, 9n, 11n))],
    { kernel_shape: [3, 2], strides: [2, 3], pads: [1, 0, 0, 1] },
  ],
  ["GlobalAveragePool", [image]],
  ["GlobalMaxPool", [x(2, 3, 4)]],
  ["GlobalLpPool", [x(2, 1, 2, 3, 2)], { p: 2 }],
];
