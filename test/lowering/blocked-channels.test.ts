import { describe, expect, test } from "vitest";
import { ModelError } from "../../src/errors.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { Graph } from "../../src/graph/graph.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { blockConvolutions, blockOf, blockProbe } from "../../src/lowering/blocked-channels.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import type { Runtime, RuntimeArray } from "../../src/runtime/session.ts";
import { channelBlock } from "../../src/training/channel-block.ts";
import { normals } from "../sketch.ts";

/** Sums of at most some thousand float32 products in another order, relative to the whole in L2. */
const FLOAT32 = 2e-6;

const session = { provider: "cpu", threads: 1 };
const random = normals(31);
const numbers = (dims: Dims): RuntimeArray => ({
  type: "float32",
  dims,
  data: Float32Array.from({ length: count(dims) }, random),
});

async function outputsOf(graph: Graph, feeds: ReadonlyMap<string, RuntimeArray>) {
  const opened = await nodeRuntime.open(graph, session);
  try {
    return await opened.run(new Map([...feeds].filter(([name]) => graph.inputs.some((input) => input.name === name))));
  } finally {
    await opened.release();
  }
}

const blocked = (graph: Graph) => graph.nodes.filter(({ op, domain }) => op === "Conv" && domain !== "").length;

/** The same outputs. @returns how many convolutions were brought into blocks */
async function sameOutputs(graph: Graph): Promise<number> {
  const block = (await channelBlock(nodeRuntime, session)) as number;
  const lowered = blockConvolutions(graph, block);
  const feeds = new Map(graph.inputs.map(({ name, dims }) => [name, numbers(dims as Dims)] as const));
  const [plain, other] = [await outputsOf(graph, feeds), await outputsOf(lowered, feeds)];
  expect([...other.keys()]).toEqual([...plain.keys()]);
  for (const [name, { data, dims }] of plain) {
    const values = other.get(name)!;
    expect(values.dims).toEqual(dims);
    const [own, expected] = [values.data as Float32Array, data as Float32Array];
    const difference = own.reduce((sum, value, place) => sum + (value - expected[place]!) ** 2, 0);
    const whole = expected.reduce((sum, value) => sum + value ** 2, 0);
    expect(Math.sqrt(difference / whole), name).toBeLessThan(FLOAT32);
  }
  return blocked(lowered);
}

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
    expect(await sameOutputs(chain([3, 32, 9, 11], [layer]))).toBe(1);
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
    expect(await sameOutputs(graph)).toBe(3);
    const reorders = blockConvolutions(graph, 16).nodes.filter(({ op }) => op === "ReorderInput");
    expect(reorders).toHaveLength(2);
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
    expect(blocked(blockConvolutions(chain(input, [layer]), block))).toBe(0);
    expect(blocked(blockConvolutions(chain([1, 32, 5, 5], [{ kernels: [32, 32, 3, 3] }]), block))).toBe(1);
  });

  test("constant kernels, which the runtime brings into blocks itself", () => {
    const b = new Builder();
    const w = b.constant(Tensor.float32([32, 32, 1, 1], Array.from({ length: 1024 }, random)), "w");
    const y = b.add("Conv", [b.input("x", "float32", [1, 32, 5, 5]), w]);
    expect(blocked(blockConvolutions(b.graph(new Map([["y", y]])), block))).toBe(0);
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
