import { describe, expect, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { Tensor, type Dims } from "../../src/graph/tensor.ts";
import { blockConvolutions, blockOf, blockProbe } from "../../src/lowering/blocked-channels.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Runtime } from "../../src/runtime/session.ts";
import { channelBlock } from "../../src/training/channel-block.ts";
import { normals } from "../sketch.ts";
import { convolutions, sameInBlocks } from "./same-outputs.ts";

const session = { provider: "cpu", threads: 1 };
const random = normals(31);

interface Layer {
  readonly kernels: Dims;
  readonly given?: Readonly<Record<string, AttributeValue>>;
  readonly bias?: boolean;
}

/** Convolutions one behind the other, their kernels inputs. */
function chain(input: Dims, layers: readonly Layer[]): Graph {
  const b = new Builder();
  let value = b.input("x", "float32", input);
  layers.forEach(({ kernels, given = {}, bias = false }, place) => {
    const inputs = [value, b.input(`w${place}`, "float32", kernels)];
    if (bias) inputs.push(b.input(`b${place}`, "float32", [kernels[0] as number]));
    value = b.add("Conv", inputs, given);
  });
  return b.graph(new Map([["y", value]]));
}

describe("convolutions on blocks of channels are those of whole images", () => {
  test.each<[string, Layer]>([
    ["3 × 3 with padding", { kernels: [64, 32, 3, 3], given: { pads: [1, 1, 1, 1] } }],
    ["with a bias", { kernels: [32, 32, 3, 3], bias: true }],
    ["with strides, one a direction", { kernels: [32, 32, 3, 3], given: { strides: [2, 3], pads: [1, 0, 1, 2] } }],
    ["1 × 1 with strides", { kernels: [64, 32, 1, 1], given: { strides: [2, 2] } }],
    ["dilated, wider than tall", { kernels: [32, 32, 2, 5], given: { dilations: [2, 1] } }],
  ])("%s", async (_, layer) => {
    expect(convolutions(await sameInBlocks(chain([3, 32, 9, 11], [layer])))).toBe(1);
  });

  test("some behind each other, and of an image that two read", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [2, 32, 6, 6]);
    const conv = (value: string, name: string) =>
      b.add("Conv", [value, b.input(name, "float32", [32, 32, 3, 3])], { pads: [1, 1, 1, 1] });
    const first = b.add("Relu", [conv(x, "w0")]);
    const graph = b.graph(
      new Map([
        ["one", conv(first, "w1")],
        ["other", conv(first, "w2")],
        ["first", first],
      ]),
    );
    const lowered = await sameInBlocks(graph);
    expect(convolutions(lowered)).toBe(3);
    expect(lowered.nodes.filter(({ op }) => op === "ReorderInput")).toHaveLength(1);
  });
});

describe("as they were stay", () => {
  const block = 16;

  test.each<[string, Dims, Layer]>([
    ["channels in that fill no block", [1, 24, 5, 5], { kernels: [32, 24, 3, 3] }],
    ["channels out that fill no block", [1, 32, 5, 5], { kernels: [24, 32, 3, 3] }],
    ["groups", [1, 64, 5, 5], { kernels: [64, 32, 3, 3], given: { group: 2 } }],
    ["padding that the runtime finds", [1, 32, 5, 5], { kernels: [32, 32, 3, 3], given: { auto_pad: "SAME_UPPER" } }],
    ["one dimension", [1, 32, 5], { kernels: [32, 32, 3] }],
  ])("%s", (_, input, layer) => {
    expect(convolutions(blockConvolutions(chain(input, [layer]), block))).toBe(0);
    expect(convolutions(blockConvolutions(chain([1, 32, 5, 5], [{ kernels: [32, 32, 3, 3] }]), block))).toBe(1);
  });

  test("constant kernels, which the runtime brings into blocks itself", () => {
    const b = new Builder();
    const w = b.constant(Tensor.float32([32, 32, 1, 1], Array.from({ length: 1024 }, random)), "w");
    const y = b.add("Conv", [b.input("x", "float32", [1, 32, 5, 5]), w]);
    expect(convolutions(blockConvolutions(b.graph(new Map([["y", y]])), block))).toBe(0);
  });
});

describe("the size of a block", () => {
  test.each([4, 8, 16, 32])("%d is read from numbers in such blocks", (block) => {
    // [64/B, 2 places, B] of channel · 2 + place.
    const values = Array.from({ length: 128 }, (_, index) => {
      const [outer, place, inner] = [Math.floor(index / (2 * block)), Math.floor(index / block) % 2, index % block];
      return 2 * (outer * block + inner) + place;
    });
    expect(blockOf(values)).toBe(block);
  });

  test("there is none where nothing moved", () => {
    expect(blockOf(Array.from({ length: 128 }, (_, index) => index))).toBeUndefined();
  });

  test("is a power of two here, and asked for once", async () => {
    let opened = 0;
    const runtime: Runtime = {
      ...nodeRuntime,
      open(graph, options) {
        opened += 1;
        return nodeRuntime.open(graph, options);
      },
    };
    const [first, second] = [await channelBlock(runtime, session), await channelBlock(runtime, session)];
    expect([4, 8, 16, 32]).toContain(first);
    expect([second, opened]).toEqual([first, 1]);
  });

  test("is unknown where the runtime refuses the operators, or runs elsewhere", async () => {
    const refusing: Runtime = {
      ...nodeRuntime,
      open(graph) {
        expect(graph).toBe(blockProbe.graph);
        return Promise.reject(new ModelError("the runtime refuses the model"));
      },
    };
    expect(await channelBlock(refusing, session)).toBeUndefined();
    expect(await channelBlock(nodeRuntime, { ...session, provider: "cuda" })).toBeUndefined();
  });
});
