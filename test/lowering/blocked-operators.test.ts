import { describe, expect, test } from "vitest";
import { pullBack } from "../../src/calculus/vjp.ts";
import { Builder, type AttributeValue } from "../../src/graph/builder.ts";
import type { Graph, ValueId } from "../../src/graph/graph.ts";
import { add, mul, reduceSum } from "../../src/graph/operators.ts";
import { count, Tensor, type Dims } from "../../src/graph/tensor.ts";
import { blockConvolutions } from "../../src/lowering/blocked-channels.ts";
import { nodeRuntime } from "../../src/runtime/node.ts";
import { channelBlock } from "../../src/training/channel-block.ts";
import { normals } from "../sketch.ts";
import { inBlocks, sameInBlocks } from "./same-outputs.ts";

const same = { pads: [1, 1, 1, 1] };

/** The rounding of numbers of a hundred standard deviations, some times; of Σ g x − μ Σ g remained a few times as much. */
const FAR_MEAN = 2e-5;

/** Kernels [channels, channels, 1, 1] that give back what they read. */
function identity(channels: number): Float32Array {
  return Float32Array.from({ length: channels ** 2 }, (_, index) => (index % (channels + 1) === 0 ? 1 : 0));
}

async function valuesOfGraph(graph: Graph, given: Readonly<Record<string, Float32Array>>): Promise<Float32Array> {
  const session = await nodeRuntime.open(graph, { provider: "cpu", threads: 1 });
  try {
    const feeds = graph.inputs.map(({ name, dims }) => {
      const data = given[name] ?? new Float32Array(count(dims as Dims)).fill(1);
      return [name, { type: "float32" as const, dims: dims as Dims, data }] as const;
    });
    return (await session.run(new Map(feeds))).get("gradient")!.data as Float32Array;
  } finally {
    await session.release();
  }
}

/** A graph of images x of 32 channels that grows by a function of a convolution's output. */
function grown(outputs: (b: Builder, conv: ValueId) => Readonly<Record<string, ValueId>>, dims: Dims = [3, 32, 6, 7]) {
  const b = new Builder();
  b.input("x", "float32", dims);
  b.input("w", "float32", [32, dims[1] as number, 3, 3]);
  const made = outputs(b, b.add("Conv", ["x", "w"], same));
  return b.graph(new Map(Object.entries(made)));
}

/** A batch normalization with the statistics of the batch. */
function normalized(b: Builder, x: ValueId, name: string) {
  const channels = [b.dims(x)[1] as number];
  const [gain, shift] = [b.input(`${name}.gain`, "float32", channels), b.input(`${name}.shift`, "float32", channels)];
  // The runtime writes over them.
  const [before, spread] = [0, 1].map((value) =>
    b.constant(Tensor.float32(channels, new Float32Array(channels[0] as number).fill(value)), `${name}/${value}`),
  ) as [ValueId, ValueId];
  const outputs = [name, `${name}/mean`, `${name}/variance`];
  b.node({
    op: "BatchNormalization",
    domain: "",
    name,
    inputs: [x, gain, shift, before, spread],
    outputs,
    attributes: { training_mode: { kind: "int", value: 1 }, momentum: { kind: "float", value: 0 } },
  });
  return { y: name, mean: `${name}/mean`, variance: `${name}/variance` };
}

/** A convolution of 32 channels to as many. */
const conv = (b: Builder, x: ValueId, name: string) =>
  b.add("Conv", [x, b.input(name, "float32", [32, b.dims(x)[1] as number, 3, 3])], same);

/** A loss of some values and its gradients in all inputs. */
function withGradients(b: Builder, values: readonly ValueId[]): Record<string, ValueId> {
  const parts = values.map((value) => reduceSum(b, mul(b, value, b.add("Tanh", [value])), [...b.dims(value).keys()]));
  const total = parts.reduce((sum, part) => add(b, sum, part));
  const names = b.inputs.map(({ name }) => name);
  const gradients = pullBack(b, new Map([[total, b.scalar(1)]]), names, 0);
  return { total, ...Object.fromEntries([...gradients].map(([name, value]) => [`d${name}`, value])) };
}

describe("in blocks as without", () => {
  test("normalization by the batch, its statistics, ReLU and a residual sum, with all gradients", async () => {
    const graph = grown((b, first) => {
      const normal = normalized(b, first, "one");
      const active = b.add("Relu", [normal.y]);
      const second = normalized(b, conv(b, active, "v"), "two");
      const sum = b.add("Relu", [b.add("Add", [second.y, active])]);
      const pooled = b.add("GlobalAveragePool", [sum]);
      const { mean, variance } = normal;
      return { ...withGradients(b, [pooled, sum]), mean, variance };
    });
    const lowered = await sameInBlocks(graph);
    expect(inBlocks(lowered, "GlobalAveragePool").length).toBeGreaterThan(2);
    expect(lowered.nodes.filter(({ op }) => op === "BatchNormalization" || op === "Greater" || op === "Relu")).toEqual(
      [],
    );
  });

  test("normalization before the convolution, of an image that another one reads", async () => {
    const graph = grown((b, first) => {
      const active = b.add("Relu", [normalized(b, first, "one").y]);
      return withGradients(b, [b.add("Add", [conv(b, active, "v"), first]), first]);
    });
    const lowered = await sameInBlocks(graph);
    expect(inBlocks(lowered, "Conv").some(({ inputs }) => inputs.length === 4)).toBe(true);
  });

  test("normalization with given statistics, and a factor of each channel", async () => {
    const vector = (b: Builder, name: string) => b.input(name, "float32", [32]);
    const graph = grown((b, first) => {
      const variance = b.add("Exp", [vector(b, "v")]);
      const inputs = [first, vector(b, "gain"), vector(b, "shift"), vector(b, "mean"), variance];
      const y = b.add("BatchNormalization", inputs, { epsilon: { float: 0.1 } });
      const z = b.add("Mul", [b.input("factor", "float32", [1, 32, 1, 1]), y]);
      return { y, z, twice: b.add("Mul", [z, b.input("other", "float32", [32, 1, 1])]) };
    });
    await sameInBlocks(graph);
  });

  test("a mean far from zero takes nothing from the variance", async () => {
    const b = new Builder();
    const x = b.input("x", "float32", [4, 32, 8, 8]);
    const y = b.add("Conv", [x, b.input("w", "float32", [32, 32, 1, 1]), b.input("bias", "float32", [32])]);
    const { mean, variance } = normalized(b, y, "n");
    const graph = b.graph(new Map([mean, variance].map((value) => [value, value])));
    // A thousand standard deviations: Σ y² − n μ² would keep one digit.
    await sameInBlocks(graph, { bias: new Float32Array(32).fill(6000) });
  });

  test("nor from the gradient in the scale, without blocks and in them", async () => {
    const [n, channels, places] = [16, 32, 64];
    const b = new Builder();
    const x = b.input("x", "float32", [n, channels, 8, 8]);
    const { y } = normalized(b, b.add("Conv", [x, b.input("w", "float32", [channels, channels, 1, 1])]), "n");
    const given = b.input("g", "float32", [n, channels, 8, 8]);
    const gradient = pullBack(b, new Map([[y, given]]), ["n.gain"], 0).get("n.gain")!;
    const graph = b.graph(new Map([["gradient", gradient]]));
    const random = normals(43);
    const drawn = (shift: number) => Float32Array.from({ length: n * channels * places }, () => shift + random());
    // The convolution gives back its input, a hundred standard deviations from zero.
    const feeds = { x: drawn(100), g: drawn(0), w: identity(channels) };
    const truth = Array.from({ length: channels }, (_, channel) => {
      const at = Array.from(
        { length: n * places },
        (__, index) => (Math.floor(index / places) * channels + channel) * places + (index % places),
      );
      const mean = at.reduce((sum, place) => sum + feeds.x[place]!, 0) / at.length;
      const variance = at.reduce((sum, place) => sum + (feeds.x[place]! - mean) ** 2, 0) / at.length;
      return (
        at.reduce((sum, place) => sum + feeds.g[place]! * (feeds.x[place]! - mean), 0) / Math.sqrt(variance + 1e-5)
      );
    });
    const length = (values: readonly number[]) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
    const lowered = blockConvolutions(
      graph,
      (await channelBlock(nodeRuntime, { provider: "cpu", threads: 1 })) as number,
    );
    for (const each of [graph, lowered]) {
      const values = await valuesOfGraph(each, feeds);
      expect(length(truth.map((value, channel) => value - values[channel]!)) / length(truth)).toBeLessThan(FAR_MEAN);
    }
    // What the normalization took the mean from is not made again for its gradient.
    expect(inBlocks(lowered, "Conv").filter(({ inputs }) => inputs.includes("blocks/n/mean/negative"))).toHaveLength(1);
  });

  test.each<[string, (b: Builder, x: ValueId) => ValueId]>([
    ["activations", (b, x) => b.add("Tanh", [b.add("Sigmoid", [b.add("LeakyRelu", [x], { alpha: { float: 0.2 } })])])],
    ["scalars and bounds", (b, x) => b.add("Clip", [b.add("Sub", [b.scalar(1), x]), "", b.scalar(1.5)])],
    [
      "another image, which is none in blocks",
      (b, x) => b.add("Div", [x, b.add("Exp", [b.input("z", "float32", b.dims(x))])]),
    ],
    ["a sum of two convolutions", (b, x) => b.add("Relu", [b.add("Add", [conv(b, x, "one"), conv(b, x, "two")])])],
    ["a sum of one with itself", (b, x) => b.add("Add", [x, x])],
    ["a sum whose parts others read", (b, x) => mul(b, b.add("Add", [x, b.add("Tanh", [x])]), x)],
    ["a sum that repeats one map", (b, x) => b.add("Add", [x, b.input("z", "float32", [1, 1, 6, 7])])],
    ["a factor for each map", (b, x) => mul(b, x, b.input("z", "float32", [3, 32, 1, 1]))],
    ["a mask that is no number", (b, x) => b.add("Where", [b.add("Greater", [x, b.scalar(0)]), x, b.scalar(-2)])],
    ["a mask above another bound", (b, x) => b.add("Cast", [b.add("Greater", [x, b.scalar(0.5)])], { to: 1 })],
    ["a mask above zero", (b, x) => b.add("Cast", [b.add("Greater", [x, b.scalar(0)])], { to: 1 })],
    ["a product and its sums", (b, x) => reduceSum(b, mul(b, x, b.add("Tanh", [x])), [0, 2, 3])],
    ["a product's sums over maps alone", (b, x) => reduceSum(b, mul(b, x, b.add("Tanh", [x])), [2, 3])],
    ["sums over samples and maps", (b, x) => reduceSum(b, x, [0, 2, 3])],
    ["sums that keep their axes", (b, x) => reduceSum(b, x, [0, 2, 3], true)],
    ["maxima of tiles", (b, x) => b.add("MaxPool", [b.add("Relu", [x])], { kernel_shape: [2, 2], strides: [2, 2] })],
  ])("%s", async (_, outputs) => {
    await sameInBlocks(grown((b, x) => ({ y: outputs(b, x) })));
  });

  test("maps too large for one sum", async () => {
    const lowered = await sameInBlocks(grown((b, x) => ({ y: reduceSum(b, x, [0, 2, 3]) }), [1, 32, 65, 64]));
    expect(inBlocks(lowered, "GlobalAveragePool")).toEqual([]);
  });

  test("an image of few channels, where its maps stay in blocks", async () => {
    const stays = await sameInBlocks(grown((b, x) => ({ y: b.add("Relu", [x]) }), [2, 3, 6, 6]));
    expect(inBlocks(stays, "ReorderInput")).toEqual([]);
    expect(inBlocks(stays, "Conv")).toHaveLength(1);
    const leaves = await sameInBlocks(grown((b, x) => ({ y: b.add("Flatten", [x], { axis: 1 }) }), [2, 3, 6, 6]));
    expect(inBlocks(leaves, "Conv")).toEqual([]);
  });
});

test("names of the graph are no names of what is new", async () => {
  const b = new Builder();
  b.input("blocks/relu/blocks", "float32", [2, 32, 5, 5]);
  const first = conv(b, "blocks/relu/blocks", "w");
  b.node({ op: "Relu", domain: "", name: "relu", inputs: [first], outputs: ["relu"], attributes: {} });
  b.node({ op: "Neg", domain: "", name: "n", inputs: ["relu"], outputs: ["_blocks/relu"], attributes: {} });
  await sameInBlocks(b.graph(new Map([["y", conv(b, "_blocks/relu", "v")]])));
});

describe("transposed convolutions in strides", () => {
  interface Transposed {
    readonly x?: Dims;
    readonly kernel: Dims;
    readonly given: Readonly<Record<string, AttributeValue>>;
  }

  const graphOf = ({ x = [2, 32, 5, 4], kernel, given }: Transposed, bias = false) => {
    const b = new Builder();
    const inputs = [b.input("x", "float32", x), b.input("w", "float32", [32, 64, ...kernel])];
    if (bias) inputs.push(b.input("bias", "float32", [64]));
    return b.graph(new Map([["y", b.add("ConvTranspose", inputs, given)]]));
  };

  test.each<[string, Transposed]>([
    ["3 × 3 by 2", { kernel: [3, 3], given: { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 1] } }],
    ["1 × 1 by 2, most of it zero", { kernel: [1, 1], given: { strides: [2, 2], output_padding: [1, 1] } }],
    ["2 × 2 by 2", { kernel: [2, 2], given: { strides: [2, 2] } }],
    ["4 × 4 by 2", { kernel: [4, 4], given: { strides: [2, 2], pads: [1, 1, 1, 1] } }],
    ["7 × 7 by 2", { kernel: [7, 7], given: { strides: [2, 2], pads: [3, 3, 3, 3], output_padding: [1, 1] } }],
    ["5 × 6 by 3 and 2", { kernel: [5, 6], given: { strides: [3, 2], pads: [1, 2, 1, 2] } }],
    ["3 × 3 by 1 and 2", { kernel: [3, 3], given: { strides: [1, 2], pads: [1, 1, 1, 1], output_padding: [0, 1] } }],
    ["3 × 3 by 2 and 1", { kernel: [3, 3], given: { strides: [2, 1], pads: [1, 1, 1, 1], output_padding: [1, 0] } }],
  ])("%s, by their phases", async (_, given) => {
    const lowered = await sameInBlocks(graphOf(given));
    expect(lowered.nodes.filter(({ op }) => op === "ConvTranspose")).toEqual([]);
  });

  test.each<[string, Transposed, boolean?]>([
    ["an output that phases divide unequally", { kernel: [3, 3], given: { strides: [2, 2], pads: [1, 1, 1, 1] } }],
    ["padding beyond the kernel's phases", { kernel: [2, 2], given: { strides: [2, 2], pads: [2, 2, 2, 2] } }],
    ["holes", { kernel: [3, 3], given: { strides: [2, 2], dilations: [2, 2], output_padding: [1, 1] } }],
    ["a bias", { kernel: [2, 2], given: { strides: [2, 2] } }, true],
    ["no strides", { kernel: [3, 3], given: {} }],
    ["groups", { x: [2, 64, 5, 4], kernel: [2, 2], given: { strides: [2, 2], group: 2 } }],
    ["channels that fill no block", { x: [2, 24, 5, 4], kernel: [2, 2], given: { strides: [2, 2] } }],
  ])("as they were with %s", async (_, given, bias = false) => {
    const b = graphOf({ ...given }, bias);
    const fitting =
      given.x === undefined
        ? b
        : {
            ...b,
            inputs: b.inputs.map((input) =>
              input.name === "w" ? { ...input, dims: given.x![1] === 24 ? [24, 64, 2, 2] : [64, 32, 2, 2] } : input,
            ),
          };
    const lowered = await sameInBlocks(fitting);
    expect(lowered.nodes.filter(({ op }) => op === "ConvTranspose")).toHaveLength(1);
  });

  test("the gradients of a strided block and its shortcut meet before they are put together", async () => {
    const graph = grown(
      (b, first) => {
        const active = b.add("Relu", [first]);
        const strided = (name: string, kernel: number, pad: number) =>
          b.add("Conv", [active, b.input(name, "float32", [64, 32, kernel, kernel])], {
            strides: [2, 2],
            pads: [pad, pad, pad, pad],
          });
        return withGradients(b, [b.add("Add", [strided("v", 3, 1), strided("short", 1, 0)]), strided("third", 3, 1)]);
      },
      [2, 32, 8, 6],
    );
    const lowered = await sameInBlocks(graph);
    expect(lowered.nodes.filter(({ op }) => op === "ConvTranspose" || op === "ConstantOfShape")).toEqual([]);
  });
});
