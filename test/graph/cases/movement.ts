import { Tensor } from "../../../src/graph/tensor.ts";
import type { Case } from "../one-node.ts";
import { fixed, list } from "../one-node.ts";
import { tensor, w, x } from "../running.ts";

const LAST = 2 ** 63;
const floats = (...values: number[]) => fixed(Tensor.float32([values.length], values));
const scalar = (value: number) => fixed(tensor("int64", [], [value]));
const places = (dims: number[], ...values: number[]) => tensor("int64", dims, values);

const reshapes: readonly Case[] = [
  ["Reshape", [x(2, 3, 4), list(6, 4)]],
  ["Reshape", [x(2, 3, 4), list(0, -1)]],
  ["Reshape", [x(2, 3, 4), list(-1, 0, 2)]],
  ["Reshape", [x(2, 3, 4), list(0, 0, 2, -1)]],
  ["Reshape", [x(0, 3), list(3, 0)], { allowzero: 1 }],
  ["Reshape", [x(0, 3), list(0, 3)]],
  ["Reshape", [x(1), list()]],
  ["Flatten", [x(2, 3, 4)]],
  ["Flatten", [x(2, 3, 4)], { axis: 0 }],
  ["Flatten", [x(2, 3, 4)], { axis: 3 }],
  ["Flatten", [x(2, 3, 4)], { axis: -1 }],
  ["Squeeze", [x(1, 3, 1, 2)]],
  ["Squeeze", [x(1, 3, 1, 2), list(0)]],
  ["Squeeze", [x(1, 3, 1, 2), list(-2, 0)]],
  ["Unsqueeze", [x(3, 2), list(0)]],
  ["Unsqueeze", [x(3, 2), list(-1, 1)]],
  ["Unsqueeze", [x(), list(0)]],
  ["Transpose", [x(2, 3, 4)]],
  ["Transpose", [x(2, 3, 4)], { perm: [1, 2, 0] }],
];

const joins: readonly Case[] = [
  ["Concat", [x(2, 3), w(2, 1), x(2, 2)], { axis: 1 }],
  ["Concat", [x(2, 3), w(1, 3)], { axis: -2 }],
  ["Concat", [x(2, 3)], { axis: 0 }],
  ["Split", [x(2, 6)], { axis: 1, num_outputs: 3 }, { outputs: 3 }],
  ["Split", [x(7, 2)], { num_outputs: 3 }, { outputs: 3 }],
  ["Split", [x(2, 6), list(1, 3, 2)], { axis: -1 }, { outputs: 3 }],
  ["Expand", [x(3, 1), list(2, 1, 4)]],
  ["Expand", [x(3, 1), list(1)]],
  ["Tile", [x(2, 3), list(2, 1)]],
  ["Tile", [x(2, 3), list(3, 0)]],
];

const slices: readonly Case[] = [
  ["Slice", [x(5, 6), list(1), list(4)]],
  ["Slice", [x(5, 6), list(1, -4), list(LAST, -1)]],
  ["Slice", [x(5, 6), list(0), list(6), list(-1), list(4)]],
  ["Slice", [x(5, 6), list(-1), list(-LAST), list(1), list(-1)]],
  ["Slice", [x(5, 6), list(4, 10), list(-10, 1), list(0, 1), list(-2, -3)]],
  ["Slice", [x(5, 6), list(-20), list(20), list(0), list(3)]],
  ["Slice", [x(5, 6), list(-3), list(-4), list(0), list(-1)]],
  ["Slice", [x(5, 6), list(3), list(2), list(1)]],
  ["Slice", [x(5, 6), list(LAST), list(LAST), list(0)]],
  ["Slice", [x(0, 6), list(-1), list(-LAST), list(0), list(-1)]],
];

const gathers: readonly Case[] = [
  ["Gather", [x(5, 3), places([2, 2], 0, -1, 4, 2)]],
  ["Gather", [x(5, 3), places([], 1)], { axis: -1 }],
  ["Gather", [places([3], 5, 6, 7), places([1], 2)]],
  ["GatherElements", [x(3, 2), places([2, 2], 0, -1, 2, 1)]],
  ["GatherElements", [x(3, 2), places([3, 1], 0, 1, 1)], { axis: 1 }],
  ["GatherND", [x(2, 3, 4), places([2, 2], 0, 1, 1, -1)]],
  ["GatherND", [x(2, 3, 4), places([2, 1], 0, 2)], { batch_dims: 1 }],
  ["GatherND", [x(2, 3, 4), places([2, 2, 1], 0, 2, 1, 1)], { batch_dims: 1 }],
  ["GatherND", [x(2, 3), places([2], 1, 2)]],
  ["ScatterElements", [x(3, 2), places([1, 2], 2, 0), w(1, 2)]],
  ["ScatterND", [x(4, 2), places([2, 1], 3, 0), w(2, 2)]],
  ["Trilu", [x(2, 3, 3)], { upper: 0 }],
];

const pads: readonly Case[] = [
  ["Pad", [x(2, 3), list(0, 1, 2, 0)]],
  ["Pad", [x(2, 3), list(0, -1, 1, 0), fixed(Tensor.float32([], [7]))]],
  ["Pad", [x(2, 3, 4), list(1, 2, 3, 0), undefined, list(-1, 0)]],
  ["Pad", [x(2, 3, 4), list(2, 1), undefined, list(1)], { mode: "reflect" }],
  ["Pad", [x(2, 3), list(1, 1, 0, 2)], { mode: "edge" }],
];

const resizes: readonly Case[] = [
  ["Resize", [x(1, 2, 4, 5), undefined, floats(1, 1, 2, 1.5)]],
  ["Resize", [x(1, 2, 4, 5), undefined, floats(1, 1, 0.5, 0.6)]],
  // In float32 both products round up to a whole number, which they are below.
  ["Resize", [x(1, 1, 10, 10), undefined, floats(1, 1, 2.3, 0.7)]],
  ["Resize", [x(1, 2, 4, 5), undefined, undefined, list(1, 2, 6, 3)]],
  ["Resize", [x(1, 2, 4, 5), undefined, undefined, list(6, 3)], { axes: [2, 3] }],
  ["Resize", [x(1, 2, 4, 5), undefined, floats(2, 3)], { axes: [-1, -2], mode: "linear" }],
  [
    "Resize",
    [x(1, 1, 8, 8), floats(0, 0, 0.25, 0, 1, 1, 0.75, 0.5), floats(1, 1, 2, 1)],
    { coordinate_transformation_mode: "tf_crop_and_resize", mode: "linear" },
  ],
  ["DepthToSpace", [x(1, 12, 2, 3)], { blocksize: 2 }],
  ["DepthToSpace", [x(1, 9, 1, 2)], { blocksize: 3, mode: "CRD" }],
  ["SpaceToDepth", [x(2, 1, 4, 6)], { blocksize: 2 }],
];

const shapes: readonly Case[] = [
  ["Shape", [x(2, 3, 4)]],
  ["Shape", [x(2, 3, 4)], { start: 1 }],
  ["Shape", [x(2, 3, 4)], { start: -2, end: -1 }],
  ["Shape", [x(2, 3, 4)], { start: -9, end: 9 }],
  ["Shape", [x(2, 3, 4)], { start: 2, end: 1 }],
  ["Shape", [x()]],
  ["Size", [x(2, 3, 4)]],
  ["ConstantOfShape", [list(2, 3)]],
  ["ConstantOfShape", [list()]],
  ["ConstantOfShape", [list(2)], { value: { kind: "tensor", value: tensor("int64", [1], [-3]) } }],
  ["Range", [scalar(2), scalar(9), scalar(3)]],
  ["Range", [scalar(5), scalar(-2), scalar(-2)]],
  ["Range", [scalar(5), scalar(1), scalar(2)]],
  ["Range", [floats(0.1), floats(1), floats(0.3)].map(({ fixed: { data } }) => fixed(Tensor.of("float32", [], data)))],
  ["OneHot", [places([2, 2], 0, 3, -1, 1), scalar(4), floats(0, 1)]],
  ["OneHot", [places([2], 0, 2), list(3), floats(-1, 1)], { axis: 0 }],
  ["OneHot", [places([2], 0, 2), scalar(3), list(0, 1)], { axis: -2 }],
];

/** Operators that move elements without changing them. */
export const movementCases: readonly Case[] = [
  ...reshapes,
  ...joins,
  ...slices,
  ...gathers,
  ...pads,
  ...resizes,
  ...shapes,
];
