import { describe, expect, test } from "vitest";
import { count } from "../../src/graph/tensor.ts";
import { lower } from "../../src/lowering/lower.ts";
import { builtIn, type BuiltIn } from "../../src/training/models/catalog.ts";
import { dot, norm } from "../float64-array.ts";
import { normals } from "../sketch.ts";
import { float64Loss } from "./float64-loss.ts";
import { smallTask, stepOf } from "./small-tasks.ts";

/** Float32 sums over a network of a dozen layers, relative to the gradient of a tensor. */
const TOLERANCE = 2e-5;
/** Central differences in float64: rounding 1e-16/STEP and curvature STEP² are both below the tolerance. */
const STEP = 1e-5;
/** Random directions of each tensor along which it is differenced, besides one element. */
const DIRECTIONS = 2;

interface Case {
  readonly settings: BuiltIn;
  readonly input: readonly number[];
  readonly classes: number;
}

const cases: Readonly<Record<string, Case>> = {
  mlp: { settings: { name: "mlp", hidden: [7, 5], activation: "gelu" }, input: [6], classes: 4 },
  "mlp of images, tanh": { settings: { name: "mlp", hidden: [5], activation: "tanh" }, input: [1, 3, 2], classes: 3 },
  lenet5: { settings: { name: "lenet5" }, input: [1, 16, 16], classes: 5 },
  "resnet-small": {
    settings: { name: "resnet-small", width: 3, stages: 2, blocks: 1 },
    input: [2, 6, 6],
    classes: 4,
  },
  "vit-tiny": { settings: { name: "vit-tiny", patch: 2, width: 8, depth: 2, heads: 2 }, input: [1, 4, 6], classes: 3 },
  "gpt-tiny": { settings: { name: "gpt-tiny", width: 8, depth: 2, heads: 2 }, input: [5], classes: 6 },
};

describe("gradients of the built-in models equal central differences in float64", () => {
  for (const [name, { settings, input, classes }] of Object.entries(cases)) {
    test(name, async () => {
      const model = builtIn({ input, outputs: classes }, settings);
      const small = smallTask(model, input, classes, 4, 11);
      const plain = (await stepOf(small)).gradient;
      const lowered = (await stepOf(small, { lower: (graph) => lower(graph, { provider: "cpu" }) })).gradient;
      const reference = float64Loss(small);
      const at = Float64Array.from(small.weights);
      reference.loss(at);
      const difference = (offset: number, direction: Float64Array) => {
        const moved = (by: number) => {
          const weights = at.slice();
          for (const [place, along] of direction.entries()) weights[offset + place]! += by * along;
          return reference.loss(weights);
        };
        return (moved(STEP) - moved(-STEP)) / (2 * STEP);
      };
      const normal = normals(7);
      for (const { name: tensor, dims, offset } of small.task.layout.entries) {
        const size = count(dims);
        const own = plain.subarray(offset, offset + size);
        // A tensor whose gradient is all but zero, as that of a key's bias is, has the errors of the others.
        const scale = Math.max(norm(own), (norm(plain) / 200) * Math.sqrt(size / plain.length));
        const middle = Float64Array.from({ length: size }, (_, place) => Number(place === size >> 1));
        const random = Array.from({ length: DIRECTIONS }, () => Float64Array.from({ length: size }, normal));
        for (const direction of [middle, ...random]) {
          const truth = difference(offset, direction);
          for (const gradient of [plain, lowered]) {
            const found = dot(Float64Array.from(gradient.subarray(offset, offset + size)), direction);
            expect(Math.abs(truth - found) / scale, tensor).toBeLessThan(TOLERANCE);
          }
        }
      }
    });
  }
});
