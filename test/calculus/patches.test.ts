import { expect, test } from "vitest";
import { inKernelOrder, patches } from "../../src/calculus/patches.ts";
import { Builder } from "../../src/graph/builder.ts";
import { swap } from "../../src/graph/operators.ts";
import { count, type Dims } from "../../src/graph/tensor.ts";
import { valuesOf } from "../run-graph.ts";

interface Case {
  readonly x: Dims;
  readonly kernel: Dims;
  readonly strides?: readonly number[];
  readonly dilations?: readonly number[];
  readonly pads?: readonly number[];
  readonly group?: number;
}

/** What an output position meets, in the kernel's order, by the definition. */
function byDefinition({ x, kernel, strides, dilations, pads, group }: Required<Case>, output: Dims): number[] {
  const [batch, channels, ...size] = x as [number, number, ...number[]];
  const places = (dims: Dims) => Array.from({ length: count(dims) }, (_, index) => unravel(index, dims));
  const all: number[] = [];
  for (let sample = 0; sample < batch; sample++) {
    for (let g = 0; g < group; g++) {
      for (const position of places(output)) {
        for (let channel = 0; channel < channels / group; channel++) {
          for (const tap of places(kernel)) {
            const at = tap.map((k, axis) => position[axis]! * strides[axis]! + k * dilations[axis]! - pads[axis]!);
            const inside = at.every((place, axis) => place >= 0 && place < size[axis]!);
            const start = sample * channels + g * (channels / group) + channel;
            // The elements of x are their own places, from 1 on; padding is 0.
            all.push(inside ? at.reduce((sum, place, axis) => sum * size[axis]! + place, start) + 1 : 0);
          }
        }
      }
    }
  }
  return all;
}

function unravel(index: number, dims: Dims): number[] {
  const place: number[] = [];
  for (const size of dims.toReversed()) {
    place.unshift(index % size);
    index = Math.floor(index / size);
  }
  return place;
}

test.each<[string, Case]>([
  ["every window", { x: [2, 3, 6, 7], kernel: [3, 2] }],
  ["padding, holes and groups", { x: [2, 4, 6, 7], kernel: [2, 3], pads: [1, 2, 0, 1], dilations: [2, 1], group: 2 }],
  ["strides that places of the kernel share", { x: [2, 2, 9, 12], kernel: [3, 5], strides: [2, 2] }],
  ["strides with holes", { x: [1, 2, 11, 14], kernel: [3, 4], strides: [3, 3], dilations: [2, 2] }],
  ["windows of one element", { x: [2, 4, 5, 6], kernel: [1, 1], group: 2 }],
  ["windows of one element in strides, up to the edge", { x: [2, 3, 7, 5], kernel: [1, 1], strides: [2, 4] }],
  [
    "windows of one element in strides, with padding",
    { x: [2, 3, 4, 5], kernel: [1, 1], strides: [2, 2], pads: [1, 0, 1, 1] },
  ],
  ["tiles", { x: [2, 3, 8, 4], kernel: [4, 4], strides: [4, 4] }],
  ["tiles with a rest, in groups", { x: [2, 4, 7, 5], kernel: [2, 2], strides: [2, 2], group: 2 }],
  ["tiles of a padded input", { x: [1, 2, 5, 4], kernel: [3, 3], strides: [3, 3], pads: [1, 1, 0, 1] }],
  ["side by side, but not square", { x: [1, 2, 6, 6], kernel: [2, 3], strides: [2, 3] }],
  ["one axis", { x: [2, 3, 9], kernel: [3], strides: [3] }],
  ["three axes", { x: [1, 2, 4, 4, 4], kernel: [2, 2, 2], strides: [2, 2, 2] }],
])("patches: %s", async (_, given) => {
  const ones = given.kernel.map(() => 1);
  const defaults = { strides: ones, dilations: ones, pads: [...ones, ...ones].map(() => 0), group: 1 };
  const whole: Required<Case> = { ...defaults, ...given };
  const b = new Builder();
  b.input("x", "float32", whole.x);
  b.input("w", "float32", [2 * whole.group, whole.x[1]! / whole.group, ...whole.kernel]);
  const { strides, dilations, pads, group } = whole;
  const y = b.add("Conv", ["x", "w"], { strides: [...strides], dilations: [...dilations], pads: [...pads], group });
  const node = b.producerOf(y)!;
  const met = inKernelOrder(b, node, swap(b, patches(b, node)));
  const x = {
    type: "float32" as const,
    dims: whole.x,
    data: Float32Array.from({ length: count(whole.x) }, (__, i) => i + 1),
  };
  const got = await valuesOf(b, { met }, { x });
  expect(Array.from(got["met"]!)).toEqual(byDefinition(whole, b.dims(y).slice(2)));
});
